#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/sink.hpp"
#include "schemas/core/result.hpp"

namespace headwater {

/// A record to look for.
struct RecordName {
  std::string rkey;    ///< org:Object:id
  std::string entity;  ///< of the mapping; says which table holds it
};

/// What a target holds of one record.
struct Held {
  Rev rev;
  bool deleted = false;
  /// How `text` is to be read.
  enum class Shape : std::uint8_t {
    Document,  ///< the canonical record as JSON, or empty for a deleted one
    Row,       ///< {"row": columns, "edges": {relation: rkey}}
  };
  Shape shape = Shape::Document;
  std::string text;
  std::uint64_t relations_missing = 0;  ///< of the relations its document names; Document only
  bool shortened = false;  ///< texts were too long for the target: its rev alone can be compared
};

/// A platform event that a target holds.
struct HeldEvent {
  std::string topic, replay_id, uuid;  ///< replay_id in hex
  Rev rev;
};

/// Reads a target for comparing: never writes, never claims. Blocking, each call with a deadline;
/// one thread. Errors: Transient, Blocked; after a Transient one open() again.
///
/// Pages and lists of names are the caller's to bound: what it asks for at once is held at once.
class TargetReader {
 public:
  virtual ~TargetReader() = default;
  virtual Result<void> open() = 0;
  /// Why what the mapping that it is read by says cannot be written to the target as it is, one
  /// sentence each with what to do. Opens it. Errors as open()'s: it cannot be told.
  virtual Result<std::vector<std::string>> refusals() { return std::vector<std::string>(); }
  /// Nothing: the target has no cursor of this org. Its epoch is the holder's.
  virtual Result<std::optional<Cursor>> cursor(const std::string& org) = 0;
  /// In order; nothing for what it does not hold.
  virtual Result<std::vector<std::optional<Held>>> read(std::span<const RecordName> names) = 0;
  /// True: one record costs as much as all of them, so it is asked for many at once, and seldom.
  virtual bool is_log() const { return false; }
  /// Every living record of the org that it holds, in any order, a few hundred at a time. A log may
  /// name one more than once, and one that went since.
  using KeyVisitor = std::function<Result<void>(std::span<const std::string> rkeys)>;
  virtual Result<void> each_key(const std::string& org, const KeyVisitor& visit) = 0;
  /// Every platform event of the org that it holds, in rev order. False: it keeps none.
  using EventVisitor = std::function<Result<void>(const HeldEvent&)>;
  virtual Result<bool> each_event([[maybe_unused]] const std::string& org,
                                  [[maybe_unused]] const EventVisitor& visit) {
    return false;
  }
  /// Records of the org that relations lead to although they do not state them, at most `most`:
  /// what read() cannot see, because no record names it. While the target moves, one may come and
  /// go.
  virtual Result<std::vector<std::string>> strays([[maybe_unused]] const std::string& org,
                                                  [[maybe_unused]] std::size_t most) {
    return std::vector<std::string>{};
  }
};

}  // namespace headwater
