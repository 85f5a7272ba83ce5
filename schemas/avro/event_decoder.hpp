#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "schemas/avro/changed_fields.hpp"
#include "schemas/avro/plan.hpp"
#include "schemas/avro/scratch.hpp"
#include "schemas/avro/values.hpp"
#include "schemas/model/event.hpp"
#include "schemas/model/names.hpp"

namespace headwater::avro {

/// Payloads of one schema -> events. What ingest calls.
///
///   decode the datum into slots (one pass, every byte checked)
///   CREATE:            fields = all leaves, null where the body has nothing
///   UNDELETE:          fields = leaves that are not null. A field that is hidden from our user
///                      comes as null (salesforce.md section 7.9), and of a record that was here
///                      before its value may be known: the record is to be read again
///   UPDATE:            fields = changed ∪ nulled leaves, diffs = diffed ones; whatever else the
///   body
///                      holds is enrichment, not a change, and is left out
///   others:            no fields
///
/// In the steady state nothing is allocated. One thread; the scratch may serve many decoders.
class EventDecoder {
 public:
  /// Interns the names of all leaves in `names`: the table of this schema's object. Both must
  /// outlive it.
  EventDecoder(const Plan& plan, NameTable& names);
  EventDecoder(const EventDecoder&) = delete;
  EventDecoder& operator=(const EventDecoder&) = delete;

  /// Fills all of `out` but schema_id, replay_id and event_uuid, which are the envelope's. Views
  /// live as long as the payload, the plan and the scratch's contents (until scratch.clear(): call
  /// it once per response). Rejected ("undecodable"): not a datum of the schema, bitmaps that do
  /// not fit it, header numbers that cannot be; `out` then holds the header as far as it is known,
  /// with no fields.
  Result<void> decode(std::string_view payload, Scratch& scratch, EventView& out);

  const Plan& plan() const { return *plan_; }
  std::uint64_t mask_misses() const { return cache_.misses(); }

 private:
  Result<void> fill_header(std::string_view payload, Scratch& scratch, EventView& out);
  Result<std::span<Member>> fill(std::span<const Selection::Pick> picks, Scratch& scratch);

  const Plan* plan_;
  std::vector<NameId> names_;         // by leaf number
  std::vector<Selection::Pick> all_;  // every leaf, by name number
  SelectionCache cache_;
  ValueReader values_;
  Decoded decoded_;
};

/// The object that a payload is about, for finding its name table before there is a decoder.
/// Decodes all of it: meant for the first event of a schema. Rejected as Plan::decode().
Result<std::string_view> entity_of(const Plan& plan, std::string_view payload);

}  // namespace headwater::avro
