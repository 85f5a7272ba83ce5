// Our reader of FetchResponse beside protobuf's own: what both take they read the same, and ours
// takes all that protobuf writes.

#include "connectors/salesforce/fetch_response.hpp"

#include "pubsub_api.pb.h"
#include "tests/fuzz/fuzz.hpp"

using namespace headwater;

namespace {

bool lies_in(std::string_view part, std::string_view whole) {
  return part.empty() ||
         (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void check_same(const salesforce::Fetched& ours, const eventbus::v1::FetchResponse& theirs) {
  HEADWATER_ASSERT(ours.latest_replay_id == theirs.latest_replay_id());
  HEADWATER_ASSERT(ours.pending == theirs.pending_num_requested());
  HEADWATER_ASSERT(ours.events.size() == static_cast<std::size_t>(theirs.events_size()));
  for (int i = 0; i < theirs.events_size(); ++i) {
    const auto& event = ours.events[static_cast<std::size_t>(i)];
    HEADWATER_ASSERT(event.replay_id == theirs.events(i).replay_id());
    HEADWATER_ASSERT(event.uuid == theirs.events(i).event().id());
    HEADWATER_ASSERT(event.schema_id == theirs.events(i).event().schema_id());
    HEADWATER_ASSERT(event.payload == theirs.events(i).event().payload());
  }
}

}  // namespace

FUZZ_TARGET(fetch_response) {
  const fuzz::Exact bytes(input);
  salesforce::Fetched fetched;
  const bool taken = salesforce::read_fetch_response(bytes.view(), fetched);
  for (const auto& event : fetched.events)
    for (const auto part : {event.payload, event.schema_id, event.replay_id, event.uuid})
      HEADWATER_ASSERT(lies_in(part, bytes.view()));
  HEADWATER_ASSERT(lies_in(fetched.latest_replay_id, bytes.view()));

  static const auto quiet = google::protobuf::SetLogHandler(nullptr);  // it tells of every refusal
  (void)quiet;
  eventbus::v1::FetchResponse theirs;
  if (!theirs.ParseFromArray(bytes.view().data(), static_cast<int>(bytes.view().size()))) return;
  if (taken) check_same(fetched, theirs);
  theirs.DiscardUnknownFields();
  const std::string known = theirs.SerializeAsString();
  HEADWATER_ASSERT(salesforce::read_fetch_response(known, fetched));
  check_same(fetched, theirs);
}
