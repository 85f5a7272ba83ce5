#pragma once

#include <memory_resource>
#include <string>
#include <string_view>

#include "schemas/model/entry.hpp"

namespace headwater {

// The one place that turns entries into the bytes of unified-model.md section 8. Append only; no
// allocation beyond the output string and, for `before`, the arena. Thread-safe: no state.

/// What a sink's envelope says of the whole org.
struct EnvelopeContext {
  std::string_view version;  ///< of Headwater
  std::string_view org_id;   ///< 18 characters, or empty when not yet known
};

/// `{"bu":…,"customer":null,"fields":…,"extra":…,"raw":…,"refs":…}`: what the hash is taken over.
void append_hash_input(std::string& out, std::string_view bu, const ImageView& image);

/// The canonical record after the change. For a deleted one: the head, empty sections and its meta,
/// which is what Redis keeps so that late writes lose.
void append_record_json(std::string& out, const EntryView& entry);

/// The record before the change, `null` if there was none.
void append_before_json(std::string& out, const EntryView& entry, std::pmr::memory_resource& arena);

/// The Debezium-shaped value of a changes topic.
void append_envelope_json(std::string& out,
                          const EntryView& entry,
                          const EnvelopeContext& context,
                          std::pmr::memory_resource& arena);

/// One section as a JSON object, as Postgres' jsonb columns want it.
void append_section_json(std::string& out, const ImageView& image, Section section);

/// `org/transactionKey/sequenceNumber/id18`, or the entry's own change id.
void append_change_id(std::string& out, const EntryView& entry);
/// `created updated deleted undeleted merged snapshot`: the last word but one of ce_type.
std::string_view event_verb(const EntryView& entry);

}  // namespace headwater
