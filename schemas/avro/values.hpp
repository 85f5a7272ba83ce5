#pragma once

#include <string>
#include <string_view>
#include <vector>

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
  explicit ValueReader(const Plan& plan);

  /// What an event may use of the scratch, over all its values and arrays.
  void begin_event(std::size_t payload_bytes) { budget_ = payload_bytes + kScratchBytesExtra; }

  /// Takes from the event's allowance; false if it is used up.
  bool spend(std::size_t bytes);

  /// The value of leaf number `leaf`; its text lives as long as the payload, the plan and the
  /// scratch. False if it cannot be had, and error() says why: more text than the event's
  /// allowance, or a time of day beyond the day. No Result here: this is the innermost loop.
  bool read(std::uint32_t leaf, const Slot& slot, Scratch& scratch, ValueView& out) {
    switch (slot.kind) {
      case Slot::Kind::Null:
        out = ValueView::null();
        return true;
      case Slot::Kind::False:
        out = ValueView::boolean(false);
        return true;
      case Slot::Kind::True:
        out = ValueView::boolean(true);
        return true;
      case Slot::Kind::Int:
        return read_number(leaf, slot.number, out);
      case Slot::Kind::Double:
        return read_real(leaf, slot.real, out);
      case Slot::Kind::Text:
        return read_text(leaf, slot.text(), scratch, out);
      case Slot::Kind::Datum:
        break;
    }
    return read_datum(leaf, slot.text(), slot.node, scratch, out);
  }

  /// Rejected. REQUIRES: read() gave false.
  Error error() { return std::move(error_); }

 private:
  bool read_number(std::uint32_t leaf, std::int64_t number, ValueView& out);
  bool read_real(std::uint32_t leaf, double real, ValueView& out);
  bool read_text(std::uint32_t leaf, std::string_view text, Scratch& scratch, ValueView& out);
  bool read_datum(
      std::uint32_t leaf, std::string_view datum, NodeId node, Scratch& scratch, ValueView& out);
  bool read_strings(
      std::uint32_t leaf, std::string_view datum, NodeId items, Scratch& scratch, ValueView& out);
  bool refuse(std::uint32_t leaf, std::string_view what);

  const Plan* plan_;
  std::vector<DocType> types_;  // by leaf number, side by side
  JsonRenderer json_;
  std::string text_;  // reused
  std::size_t budget_ = 0;
  Error error_;
};

}  // namespace headwater::avro
