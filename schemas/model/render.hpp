#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "schemas/model/entry.hpp"

namespace headwater {

// The one place that turns entries into the bytes of unified-model.md section 8. Append only; no
// allocation beyond the output string. The functions are thread-safe: no state.

/// What a sink's envelope says of the whole org.
struct EnvelopeContext {
  std::string_view version;  ///< of Headwater
  std::string_view org_id;   ///< 18 characters, or empty when not yet known
  /// What was left out so that the envelope is not too long, the word `before` first: then it is
  /// null. The others name members whose text the caller has replaced.
  std::span<const std::string> truncated = {};
};

/// `{"bu":…,"customer":null,"fields":…,"extra":…,"raw":…,"refs":…}`: what the hash is taken over.
void append_hash_input(std::string& out, std::string_view bu, const ImageView& image);

/// The canonical record after the change. For a deleted one: the head, empty sections and its meta,
/// which is what Redis keeps so that late writes lose.
void append_record_json(std::string& out, const EntryView& entry);

/// Renders envelopes. An envelope holds nearly the same record twice: the after-image is rendered
/// once, and the before-image is put together from its bytes and the old values. Keeps its memory
/// from one envelope to the next; used by one thread.
class EnvelopeWriter {
 public:
  /// Appends the Debezium-shaped value of a changes topic. Returns the after-image within `out`,
  /// byte for byte what append_record_json writes; empty for a delete. Valid until `out` changes.
  std::string_view append(std::string& out, const EntryView& entry, const EnvelopeContext& context);

 private:
  void append_before(std::string& out, const EntryView& entry) const;

  std::string after_;
  std::vector<std::size_t> marks_;  // where each member of after_ begins, and where it ends
};

/// One section as a JSON object, as Postgres' jsonb columns want it.
void append_section_json(std::string& out, const ImageView& image, Section section);

/// `[{"field":"amount","rule":"transform_error"}]` of Meta's violations. REQUIRES: there are some.
void append_violations(std::string& out, const NameTable& names, std::string_view violations);

/// `["Tier__c"]` of Meta's retired fields. REQUIRES: there are some.
void append_retired(std::string& out, const NameTable& names, std::string_view retired);

/// `org/transactionKey/sequenceNumber/id18`, or the entry's own change id.
void append_change_id(std::string& out, const EntryView& entry);
/// `created updated deleted undeleted merged snapshot`: the last word but one of ce_type.
std::string_view event_verb(const EntryView& entry);

}  // namespace headwater
