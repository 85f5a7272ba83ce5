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
  bool merged = false;        ///< deleted by a merge: MasterRecordId is `gone_with`
  bool purged = false;        ///< out of the recycle bin too: nobody sees it any more
  EpochMs system_modstamp = 0;
  EpochMs deleted_at = 0;  ///< 0: it lives
  std::string gone_with;   ///< the merge's winner, or the record that took this one along
};

enum class DmlOp : std::uint8_t { Create, Update, Delete, Undelete, Merge, Purge };

/// Which of the things that a statement does to other records make events. As Salesforce does: what
/// is deleted, restored or moved by it does, a cleared lookup does not.
enum class ChildEvents : std::uint8_t { Usual, All, None };

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
  /// Delete, Undelete: with the records that Salesforce takes along; lookups to the deleted one are
  /// cleared, which no event tells.
  bool related = false;
  ChildEvents children = ChildEvents::Usual;
  bool told = true;  ///< false: the statement itself makes none
  std::string into;  ///< Merge: the winner; `ids` are the losers, `fields` the winner's
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

  /// What RecordTypeId becomes of a record that is created without one. Before the first commit.
  using DefaultType = std::function<Value(const ObjectDef& object, const Record& record)>;
  void set_default_type(DefaultType type) { default_type_ = std::move(type); }
  /// The catalog has changed: rows get room for new leaves, objects a table; and the values of one
  /// leaf become what `convert` makes of them, without an event.
  void adopt(const ObjectDef& object);
  void convert(const ObjectDef& object,
               std::size_t leaf,
               const std::function<Value(const Value&)>& convert);

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
  /// Calls `visit` with the records from the id `from` on, in byte order of ids, until it says
  /// false, under the lock. The cost is that of the records visited, however large the object is.
  void walk(const ObjectDef& object,
            bool bin,
            std::string_view from,
            const std::function<bool(const Record&)>& visit) const;
  /// Calls `visit` with this record if it exists (deleted or not), under the lock.
  bool with(const ObjectDef& object,
            std::string_view id,
            const std::function<void(const Record&)>& visit) const;
  /// Ids of the object's records that were deleted within these moments and are not back, purged
  /// ones too.
  std::vector<std::pair<std::string, EpochMs>> deletions(const ObjectDef& object,
                                                         EpochMs from,
                                                         EpochMs to) const;
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
    std::vector<std::size_t> in_order;  ///< places in `rows`, by id
    std::uint64_t next_number = 1;
    std::size_t live = 0;
    void add(Record record);
    /// The place in `in_order` of the first id that is `from` or behind it.
    std::vector<std::size_t>::const_iterator first_from(std::string_view from) const;
  };
  struct Touched {
    const ObjectDef* object;
    std::size_t row;  ///< kNone: not there before
    Record after;
    bool silent = true;  ///< every statement was
    bool told = false;   ///< some statement makes an event of it
  };
  using Work = std::vector<Touched>;
  using Places = std::unordered_map<std::string, std::size_t>;  ///< id -> place in Work
  /// A living record that refers to another one.
  struct Child {
    const ObjectDef* object;
    std::string id;
    std::size_t leaf;
  };
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  Result<void> run(const Dml& dml, Work& work, Places& places);
  Result<void> run_one(const Dml& dml, const std::string& id, Work& work, Places& places);
  Result<Touched*> touch(
      const ObjectDef& object, const std::string& id, bool create, Work& work, Places& places);
  // What a statement does to other records: relations.cpp.
  std::vector<Child> children(const ObjectDef& parent, const std::string& id, const Work& work);
  Result<void> take_along(
      const Dml& dml, const std::string& id, const std::string& root, Work& work, Places& places);
  Result<void> refer(const Child& child, Value target, bool told, Work& work, Places& places);
  Result<void> bring_back(const Dml& dml, const std::string& id, Work& work, Places& places);
  Result<void> merge(const Dml& dml, Work& work, Places& places);
  Result<void> merge_person(const Dml& dml, const std::string& loser, Work& work, Places& places);
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
  DefaultType default_type_;
  mutable std::mutex mutex_;
  std::vector<Table> tables_;
  std::uint64_t commits_ = 0;
  std::mt19937_64 keys_;
  std::int64_t commit_number_;
};

/// The value of a leaf as the world sees it: `Name` of a person is joined from its parts;
/// SystemModstamp, IsDeleted, MasterRecordId and IsPersonAccount come from the record itself.
Value visible_value(const ObjectDef& object, const Record& record, std::size_t leaf);
/// `First Middle Last Suffix`, without what is null. Empty if all are.
std::string joined_name(const ObjectDef& object, const Record& record);

}  // namespace headwater::org
