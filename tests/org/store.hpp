#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "schemas/core/result.hpp"
#include "schemas/core/time.hpp"
#include "tests/org/avro_encode.hpp"
#include "tests/org/bus.hpp"
#include "tests/org/loss.hpp"
#include "tests/org/schema.hpp"

namespace headwater::org {

/// One record of the org.
struct Record {
  std::string id;
  std::vector<Value> values;  ///< by leaf
  bool deleted = false;       ///< in the recycle bin
  EpochMs system_modstamp = 0;
};

enum class DmlOp : std::uint8_t { Create, Update, Delete, Undelete };

struct FieldValue {
  std::size_t leaf = 0;
  Value value;
};

/// One statement of a transaction.
struct Dml {
  DmlOp op = DmlOp::Update;
  const ObjectDef* object = nullptr;
  std::vector<std::string> ids;    ///< of a Create: one, from Store::new_id()
  std::vector<FieldValue> fields;  ///< the same for all ids
  bool silent = false;             ///< by the platform itself: LastModifiedDate and its user stay
};

/// Who commits, and by which way.
struct Author {
  std::string user;    ///< user id; empty: the integration user
  std::string origin;  ///< changeOrigin
};

struct Committed {
  std::string transaction_key;
  std::int64_t commit_number = 0;
  EpochMs commit_timestamp = 0;
  std::size_t events = 0;
};

/// The org's wall clock: real time less a lag that can be used up, so that minutes of life fit into
/// a second.
class OrgClock {
 public:
  explicit OrgClock(Millis lag) : lag_ms_(lag.count()) {}
  /// Now, in whole seconds; never goes back.
  EpochMs now_second();
  void advance(Millis by);
  Millis lag() const { return Millis(lag_ms_.load()); }

 private:
  const SystemClock clock_;
  std::atomic<std::int64_t> lag_ms_;
  std::atomic<EpochMs> last_{0};
};

/// The org's own truth: all records, and the only way to change them. A commit changes records and
/// publishes its events as one step, so truth and bus never differ. Thread-safe.
class Store {
 public:
  Store(const Catalog& catalog, Bus& bus, Millis clock_lag, std::uint64_t seed);

  /// An id for a record to be created.
  std::string new_id(const ObjectDef& object);
  /// Commits all or nothing. Several statements on one record give one event with the final data.
  /// Rejected: a record that does not exist, or is in the wrong state; nothing was changed.
  Result<Committed> commit(const std::vector<Dml>& statements, const Author& author);

  bool is_live(const ObjectDef& object, std::string_view id) const;
  /// Calls `visit` with each record in id order of creation, under the lock. `bin`: the deleted
  /// ones too.
  void each(const ObjectDef& object,
            bool bin,
            const std::function<void(const Record&)>& visit) const;
  /// Calls `visit` with this record if it exists (deleted or not), under the lock.
  bool with(const ObjectDef& object,
            std::string_view id,
            const std::function<void(const Record&)>& visit) const;
  std::size_t live_count(const ObjectDef& object) const;

  /// Events that are made and never published.
  SilentLoss& loss() { return loss_; }
  OrgClock& clock() { return clock_; }
  const Catalog& catalog() const { return catalog_; }
  /// A header for an event that no commit produces: time, number, key and user are set.
  EventHeader new_header(const Author& author);
  static const std::string& integration_user();

 private:
  struct Table {
    std::vector<Record> rows;
    std::unordered_map<std::string, std::size_t> by_id;
    std::uint64_t next_number = 1;
    std::size_t live = 0;
  };
  struct Touched {
    const ObjectDef* object;
    std::size_t row;  ///< kNone: not there before
    Record after;
    bool silent = true;  ///< every statement was
  };
  using Work = std::vector<Touched>;
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  Result<void> run(const Dml& dml,
                   Work& work,
                   std::unordered_map<std::string, std::size_t>& places);
  Result<Touched*> touch(const ObjectDef& object,
                         const std::string& id,
                         bool create,
                         Work& work,
                         std::unordered_map<std::string, std::size_t>& places);
  void stamp(Touched& touched, EpochMs at, const std::string& user) const;
  std::vector<NewEvent> events_of(const Work& work, EventHeader header);
  void apply(Work& work);
  EventHeader make_header(const Author& author);
  std::string make_transaction_key();
  std::int64_t make_commit_number();

  const Catalog& catalog_;
  Bus& bus_;
  SilentLoss loss_;
  OrgClock clock_;
  mutable std::mutex mutex_;
  std::vector<Table> tables_;
  std::mt19937_64 keys_;
  std::int64_t commit_number_;
};

/// The value of a leaf as the world sees it: `Name` of a person is joined from its parts;
/// SystemModstamp, IsDeleted and IsPersonAccount come from the record itself.
Value visible_value(const ObjectDef& object, const Record& record, std::size_t leaf);
/// `First Middle Last Suffix`, without what is null. Empty if all are.
std::string joined_name(const ObjectDef& object, const Record& record);

}  // namespace headwater::org
