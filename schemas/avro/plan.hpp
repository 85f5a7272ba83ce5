#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "schemas/avro/schema.hpp"
#include "schemas/core/result.hpp"
#include "schemas/core/time.hpp"
#include "schemas/model/event.hpp"

namespace headwater::avro {

class Input;

/// Longest event taken: the bus allows 1 MB, gRPC is told 16 MiB.
inline constexpr std::size_t kPayloadBytesMax = 16u << 20;
/// Most leaves of one schema: with kSchemaFieldsMax, room for every compound to be used twice.
inline constexpr std::size_t kLeavesMax = 8'000;

/// Salesforce's types that change how a value is read; all others are text, or what the Avro type
/// says.
enum class DocType : std::uint8_t {
  Other,
  Text,
  EntityId,
  MultiEnum,
  Integer,
  Number,
  DateOnly,
  DateTime,
  TimeOnly,
};

/// One field that a record's image can hold: a top-level field or the child of a compound.
struct Leaf {
  std::string path;      ///< `Industry`, `BillingAddress.City`
  std::string doc_type;  ///< second segment of `doc`: `Text`, `DateOnly`; empty if there is none
  std::string field_id;  ///< third segment: a custom field's `00N…`, or empty
  DocType type = DocType::Other;
  std::uint16_t top = 0;    ///< index of the top-level field, as bitmaps count
  std::int32_t child = -1;  ///< index among the compound's children, -1: the top-level field itself
};

/// How a top-level field takes part in bitmaps.
struct TopField {
  std::uint32_t leaf_first = 0, leaf_count = 0;  ///< the leaves under it, in a row
  std::int32_t children = -1;  ///< number of a compound's children, -1: no compound
};

/// One leaf as it stands in the payload; what it means is values.hpp's part. 16 bytes.
struct Slot {
  enum class Kind : std::uint8_t { Null, False, True, Int, Double, Text, Datum };
  union {
    std::int64_t number = 0;
    double real;
    const char* data;  ///< Text, Datum: `size` bytes, borrowed from the payload
  };
  std::uint32_t size = 0;
  NodeId node = 0;  ///< Datum: its type
  Kind kind = Kind::Null;

  std::string_view text() const { return {data, size}; }
};

/// ChangeEventHeader, borrowed from the payload. String arrays stay encoded: for_each_string()
/// of wire.hpp reads them.
struct Header {
  std::string_view entity_name, change_origin, transaction_key, commit_user;
  std::string_view change_symbol;  ///< change_type as the schema spells it; borrowed from the plan
  ChangeType change_type = ChangeType::Update;
  std::int64_t sequence_number = 0, commit_number = 0;
  EpochMs commit_timestamp = 0;
  std::string_view record_ids, nulled_fields, diff_fields, changed_fields;
};

/// One decoded datum. Reused, so that decoding allocates nothing.
struct Decoded {
  Header header;
  std::vector<Slot> slots;  ///< by leaf number
};

/// What the events of a schema are.
enum class PlanKind : std::uint8_t {
  Change,    ///< a ChangeEventHeader, then an object's fields
  Platform,  ///< fields alone
};

/// A schema compiled to a flat list of operations: how to walk one event in a single pass.
///
/// Every change event has a ChangeEventHeader record; its fields are found by name, its change type
/// by the symbols of the schema's own enum. A platform event has none: its Header stays empty.
/// Immutable and thread-safe once compiled.
class Plan {
 public:
  /// Rejected: no schema of that kind, or more leaves than kLeavesMax.
  static Result<Plan> compile(Schema schema, PlanKind kind = PlanKind::Change);
  /// Parses, then compiles.
  static Result<Plan> parse(std::string_view schema_json, PlanKind kind = PlanKind::Change);

  /// Rejected: not exactly one datum of this schema, or a change type that we do not know. Checks
  /// every byte; time is linear in the payload and the schema.
  Result<void> decode(std::string_view payload, Decoded& out) const;

  const Schema& schema() const { return schema_; }
  std::span<const Leaf> leaves() const { return leaves_; }
  std::span<const TopField> top_fields() const { return top_fields_; }
  /// Full name of the event's record, for messages: `com.sforce.eventbus.AccountChangeEvent`.
  const std::string& name() const { return schema_.at(schema_.root).name; }

 private:
  friend class PlanCompiler;

  enum class Code : std::uint8_t {
    OptionalText,
    OptionalLong,
    OptionalInt,
    OptionalDouble,
    OptionalBoolean,  // [null, T] or [T, null]
    Text,
    Long,
    Int,
    Double,
    Boolean,
    Datum,
    Skip,   // a value nobody asks for
    Union,  // goes on with the operations of the branch taken; its other leaves are null
    Jump,   // to operation `target`
    HeaderText,
    HeaderInt,
    HeaderLong,
    HeaderStrings,
    HeaderSymbol,
    HeaderSymbolText,
  };
  struct Op {
    Code code;
    std::uint8_t null_branch = 0;  // Optional*: which of the two is null
    NodeId node = 0;               // Datum, Skip: the type. Union: its number of branches
    std::uint32_t leaf =
        0;  // where the value goes; Header*: which member. Union: first of its leaves
    std::uint32_t target = 0;      // Union: first entry in branches_. Jump: operation
    std::uint32_t leaf_count = 0;  // Union
    std::uint16_t top = 0;         // for messages
  };

  std::size_t run(Input& in, Decoded& out) const;
  bool run_optional(const Op& op, Input& in, Slot& slot) const;
  void run_header(const Op& op, Input& in, Header& header) const;
  Error describe(const Input& in, std::size_t op, const Decoded& out) const;

  Schema schema_;
  std::vector<Op> ops_;
  std::vector<std::uint32_t> branches_;     // operations to go on with
  std::vector<std::int16_t> change_types_;  // by symbol number; -1: unknown to us
  std::vector<Leaf> leaves_;
  std::vector<TopField> top_fields_;
};

}  // namespace headwater::avro
