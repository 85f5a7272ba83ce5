#pragma once

#include <string>
#include <string_view>

#include "schemas/avro/datum.hpp"
#include "schemas/avro/plan.hpp"
#include "schemas/avro/scratch.hpp"
#include "schemas/model/value.hpp"

namespace headwater::avro {

/// What the decoder may write for one event beside fixed-size members: array views, joined and
/// rendered text. As much as the event itself has, and this much more: bytes cannot be blown up.
inline constexpr std::size_t kScratchBytesExtra = 16u << 10;

/// Slot -> value: the tag by the `doc` type first and by the Avro type second (unified-model.md
/// section 4). Unknown doc types: text, number or boolean as the Avro type says, else canonical
/// JSON. One thread.
///
/// Empty text stays empty text: Salesforce does not send it, and what it would mean is not ours to
/// say. Text is not checked to be UTF-8; the JSON writers make it so.
class ValueReader {
 public:
  explicit ValueReader(const Plan& plan) : plan_(&plan), json_(plan.schema()) {}

  /// What an event may use of the scratch, over all its values and arrays.
  void begin_event(std::size_t payload_bytes) { budget_ = payload_bytes + kScratchBytesExtra; }

  /// Takes from the event's allowance; false if it is used up.
  bool spend(std::size_t bytes);

  /// The value's text lives as long as the payload, the plan and the scratch. Rejected: more text
  /// than the event's allowance, or a time of day beyond the day.
  Result<ValueView> read(const Leaf& leaf, const Slot& slot, Scratch& scratch);

 private:
  Result<ValueView> read_number(const Leaf& leaf, std::int64_t number) const;
  Result<ValueView> read_real(const Leaf& leaf, double real) const;
  Result<ValueView> read_text(const Leaf& leaf, std::string_view text, Scratch& scratch);
  Result<ValueView> read_datum(const Leaf& leaf,
                               std::string_view datum,
                               NodeId node,
                               Scratch& scratch);
  Result<ValueView> read_strings(const Leaf& leaf,
                                 std::string_view datum,
                                 NodeId items,
                                 Scratch& scratch);
  Error refuse(const Leaf& leaf, std::string_view what) const;

  const Plan* plan_;
  JsonRenderer json_;
  std::string text_;  // reused
  std::size_t budget_ = 0;
};

}  // namespace headwater::avro
