#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "connectors/salesforce/org_api.hpp"
#include "connectors/salesforce/org_reader.hpp"
#include "schemas/model/event.hpp"
#include "schemas/model/image.hpp"
#include "tests/sim/world.hpp"

namespace headwater::sim {

inline const std::string kOrg = "emea";
inline const std::string kTopic = "/data/ChangeEvents";
/// Number of the last change of a record, as one of its own fields: what an image is as of.
inline const std::string kSeqField = "Seq__c";

/// So much later a changed selection takes effect at most, and so long the bus holds events back at
/// most: together within the time that a daemon lets a changed selection settle.
inline constexpr std::int64_t kSelectionLateMs = 60'000, kHeldBackMostMs = 300'000;

enum class FieldType : std::uint8_t { Text, Reference, DateTime };

/// A field in each of its forms: in the org, in events, by REST, and where our model puts it. That
/// last is written down here by hand, so that it is checked and not copied.
struct SimField {
  std::string name;
  FieldType type;
  Section section;
  std::string canonical;
  bool later = false;  ///< added by the second schema
};

struct SimObject {
  std::string name, prefix;
  std::vector<SimField> fields;
  int schema = 1;                  ///< the present one
  bool selected = true;            ///< in Change Data Capture, as the org says
  std::int64_t selected_from = 0;  ///< ms; what it says has no effect on the bus before

  bool has(const SimField& field) const { return !field.later || schema > 1; }
  std::string schema_id(int version) const { return name + "-" + std::to_string(version); }
  bool told(std::int64_t now_ms) const { return selected == (now_ms >= selected_from); }
};

/// What a record was after one of its changes.
struct Point {
  std::uint64_t seq = 0;
  bool deleted = false;
  EpochMs commit_ms = 0;
  std::vector<std::optional<std::string>> values;  ///< by the object's fields
};
struct SimRecord {
  const SimObject* object = nullptr;
  std::string id;
  std::vector<Point> history;  ///< oldest first

  std::string rkey() const { return kOrg + ":" + object->name + ":" + id; }
  const Point& now() const { return history.back(); }
  /// The point of that number, or nullptr.
  const Point* at(std::uint64_t seq) const;
};

struct BusEvent {
  std::string replay_id, schema_id, payload, uuid;
  std::int64_t visible_at = 0;  ///< ms; never before the event ahead of it
  std::uint64_t seq = 0;
  ChangeType type = ChangeType::Update;
  bool readable = true;  ///< false: a gap event, or one that cannot be decoded
  std::vector<SimRecord*> records;
};

/// A Bulk query. Its rows are of no one moment: each is what its record was when the org came to
/// it.
struct SimJob {
  salesforce::Selection selection;
  std::int64_t over_at = 0;  ///< ms
  bool fails = false, finished = false;
  std::map<std::string, std::string> lines;  ///< CSV, by id
};

/// A Salesforce org: the truth, the bus that tells of it, and REST that reads it as it is now. Each
/// change gives its record a new number, so an image says itself as of when it is.
class SimOrg {
 public:
  explicit SimOrg(World& world);

  /// One transaction of one to three changes.
  void commit();
  /// Fields are added to an object; events and describe tell of them from now on.
  void change_schema();
  /// Commit numbers begin again, well after the last commit.
  void migrate();
  /// The bus holds its events back for a while.
  void stall();
  /// The oldest events are gone: all before `index`.
  void expire(std::size_t index) { first_kept_ = std::max(first_kept_, index); }

  const std::deque<BusEvent>& bus() const { return bus_; }
  std::size_t first_kept() const { return first_kept_; }
  /// Events that a subscriber may see by now: all before this index.
  std::size_t visible() const;
  std::optional<std::size_t> index_of(const std::string& replay_id) const;

  const std::map<std::string, SimRecord>& records() const { return records_; }
  const std::vector<SimObject>& objects() const { return objects_; }
  const SimRecord* find(std::string_view rkey) const;
  const SimObject* object(std::string_view name) const;
  std::string schema_text(const SimObject& object, int version) const;
  salesforce::ObjectDescription describe(const SimObject& object) const;
  /// The record as REST gives it; nothing if it is deleted or never was.
  std::optional<std::string> json(std::string_view object, std::string_view id) const;
  /// As the org refuses a query or reading of these fields; none: it shows them all.
  std::optional<Error> refuse_fields(std::string_view object,
                                     std::span<const std::string> fields) const;
  /// The record as a query gives it, with IsDeleted.
  std::string row(const SimRecord& record) const;
  /// The same as a line of a Bulk result, of these fields.
  std::string line(const SimRecord& record, const std::vector<std::string>& fields) const;
  std::map<std::string, SimJob>& jobs() { return jobs_; }
  std::uint64_t jobs_made() { return ++jobs_made_; }

  /// From now on a daemon is owed every change: the bus may lose one.
  void listen() { listened_to_ = true; }
  bool listened_to() const { return listened_to_; }
  /// From a little later on no change of the object is told: its list says so at once.
  void select(std::string_view object, bool selected);
  /// The object that its channel does not carry; nullptr: all are selected.
  const SimObject* deselected() const;
  /// Objects that were not selected for a while.
  const std::set<std::string>& silences() const { return silences_; }
  /// A field that is or was hidden from our user: REST lacks it at once. Events carry it as null
  /// from `masked` on, until it is shown again.
  struct Hidden {
    std::string object, field;
    bool now = false, masked = false;
  };
  void hide();
  const std::optional<Hidden>& hidden() const { return hidden_; }
  void mask() { hidden_->masked = true; }
  void show() { hidden_->now = hidden_->masked = false; }
  bool shows(const SimObject& object, const SimField& field) const;
  /// Records of which changes were told by no event.
  const std::set<std::string>& untold() const { return untold_; }
  /// Those of which the bus lost an event in silence.
  const std::set<std::string>& dropped() const { return dropped_; }
  /// Forces every change made so far to be visible from now on.
  void release();

 private:
  struct Commit {
    std::int64_t number = 0, sequence = 0;
    EpochMs ms = 0;
    std::string transaction;
  };
  void change(const Commit& commit);
  void create(const Commit& commit);
  void update(SimRecord& record, const Commit& commit);
  void tell(ChangeType type,
            std::vector<SimRecord*> records,
            const std::vector<std::size_t>& changed,
            const Commit& commit);
  std::string json_of(const SimRecord& record) const;
  /// As REST says it; nothing: null.
  std::optional<std::string> said(const SimRecord& record, std::string_view field) const;
  std::string encode(ChangeType type,
                     const std::vector<SimRecord*>& records,
                     const std::vector<std::size_t>& changed,
                     const Commit& commit) const;
  std::optional<std::string> made_up(const SimObject& object, const SimField& field);
  SimRecord* any(const SimObject& object);

  World& world_;
  std::vector<SimObject> objects_;
  std::map<std::string, SimRecord> records_;
  std::deque<BusEvent> bus_;  // whose events stay where they are
  std::map<std::string, std::size_t> by_replay_id_;
  std::map<std::string, SimJob> jobs_;
  std::optional<Hidden> hidden_;
  std::set<std::string> silences_, untold_, dropped_;
  std::size_t first_kept_ = 0;
  std::uint64_t seq_ = 0, jobs_made_ = 0;
  std::int64_t commit_number_ = 5'000'000;
  std::int64_t next_visible_ = 0;
  std::size_t records_max_;
  bool listened_to_ = false;
};

}  // namespace headwater::sim
