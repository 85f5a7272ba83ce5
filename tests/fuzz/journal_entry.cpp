// The bytes of a journal entry: Rejected, or an entry that every sink can take. It is written the
// same again, and renders as JSON that reads back.

#include "schemas/model/entry.hpp"
#include "schemas/model/render.hpp"
#include "schemas/model/render_event.hpp"
#include "tests/fuzz/json.hpp"
#include "tests/fuzz/names.hpp"

using namespace headwater;

namespace {

/// Text of the tag Json goes out as it is: whether it is JSON, its writer answers for.
bool holds_json(const ImageView& image) {
  for (const auto& section : image.sections)
    for (const auto& member : section)
      if (member.value.tag == Tag::Json) return true;
  return false;
}

void check_rendered(const EntryView& entry) {
  std::string record, envelope;
  append_record_json(record, entry);
  EnvelopeWriter writer;
  EnvelopeContext context;
  context.version = "1";
  writer.append(envelope, entry, context);
  append_change_id(envelope, entry);
  HEADWATER_ASSERT(!event_verb(entry).empty());
  if (!holds_json(entry.after) && !holds_json(entry.old)) fuzz::parsed(record);
}

}  // namespace

FUZZ_TARGET(journal_entry) {
  static fuzz::Names names;
  const fuzz::Exact bytes(input);
  EntryBatch batch;
  const auto added = batch.add(Rev{7}, bytes.view(), names);
  if (!added) {
    HEADWATER_ASSERT(added.error().kind == ErrorKind::Rejected && batch.entries().empty());
    return;
  }
  const EntryView entry = batch.entries().front();
  std::string written, again;
  put_entry(written, entry);
  HEADWATER_ASSERT(batch.add(Rev{7}, written, names).ok());
  put_entry(again, batch.entries().back());
  HEADWATER_ASSERT(again == written);
  if (entry.kind == EntryKind::Record) check_rendered(entry);
  if (entry.kind == EntryKind::Event) {
    // Whether its fields are JSON, their writer answers for.
    std::string envelope;
    append_event_envelope(envelope, entry, {});
    append_event_id(envelope, entry);
    HEADWATER_ASSERT(!entry.object.empty());
  }
}
