// The org's JSON answers: what they should be, or Transient. Never an exception, never a view
// outside the text.

#include "connectors/salesforce/org_answers.hpp"

#include "connectors/salesforce/describe.hpp"
#include "connectors/salesforce/row.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace headwater;

namespace {

template <typename T>
bool sound(const Result<T>& result) {
  HEADWATER_ASSERT(result.ok() || result.error().kind == ErrorKind::Transient);
  return result.ok();
}

}  // namespace

FUZZ_TARGET(org_answers) {
  fuzz::Pieces pieces(input);
  const auto which = pieces.byte() % 8;
  const fuzz::Exact text(pieces.rest());
  const auto body = text.view();
  switch (which) {
    case 0: {
      const auto page = salesforce::read_query_page("query RecordType", body);
      if (!sound(page)) break;
      for (const auto& record : page->records)
        sound(salesforce::read_record_type("query RecordType", record));
      break;
    }
    case 1:
      sound(salesforce::read_job("create a job", body));
      break;
    case 2:
      sound(salesforce::read_limits("limits", body));
      break;
    case 3:
      sound(salesforce::read_describe_global(body));
      break;
    case 4: {
      const auto object = salesforce::read_describe(body);
      if (!sound(object)) break;
      for (const auto& field : object->fields) (void)salesforce::never_in_events(field);
      (void)salesforce::fetch_fields(*object);
      break;
    }
    case 5: {
      const auto elements = salesforce::array_elements(body);
      if (!sound(elements)) break;
      for (const auto element : *elements)
        HEADWATER_ASSERT(!element.empty() && element.data() >= body.data() &&
                         element.data() + element.size() <= body.data() + body.size());
      break;
    }
    case 6:
      sound(salesforce::read_deletions("ask for deletions", body));
      break;
    default: {
      salesforce::HttpReply reply;
      reply.headers["sforce-numberofrecords"] = body;
      (void)salesforce::rows_told(reply);
      break;
    }
  }
}
