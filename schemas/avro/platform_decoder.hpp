#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "schemas/avro/plan.hpp"
#include "schemas/avro/scratch.hpp"
#include "schemas/avro/values.hpp"
#include "schemas/model/platform_event.hpp"

namespace headwater::avro {

/// Payloads of one platform event's schema -> events: every field as canonical JSON, values typed
/// by `doc` as those of change events are (unified-model.md section 4), nulls written out.
/// CreatedDate and CreatedById are told twice: they say when and by whom, and stay among the
/// fields. One thread; the scratch may serve many decoders.
class PlatformDecoder {
 public:
  /// REQUIRES: the plan is a flat one and outlives this object.
  explicit PlatformDecoder(const Plan& plan);
  PlatformDecoder(const PlatformDecoder&) = delete;
  PlatformDecoder& operator=(const PlatformDecoder&) = delete;

  /// Fills all of `out` but schema_id, replay_id and event_uuid, which are the envelope's. Views
  /// live as long as the payload, the plan and the scratch's contents. Rejected ("undecodable"):
  /// not a datum of the schema, or one whose JSON would be far larger than itself.
  Result<void> decode(std::string_view payload, Scratch& scratch, PlatformEventView& out);

  /// API name of the event: `Order_Event__e`.
  const std::string& name() const { return name_; }

 private:
  struct Field {
    std::uint32_t leaf;
    std::string json_key;  ///< `"Amount__c":`
    ValueView value;       ///< of the event being decoded
  };
  /// REQUIRES: room for what json_value_size() says of the values, their names and commas.
  std::string_view write_json(char* begin) const;

  const Plan* plan_;
  std::string name_;
  std::vector<Field> fields_;                // sorted by the bytes of their names
  std::uint32_t created_date_, created_by_;  // leaf numbers; kNone: there is none
  ValueReader values_;
  Decoded decoded_;
};

}  // namespace headwater::avro
