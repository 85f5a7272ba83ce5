#pragma once

#include <functional>
#include <map>
#include <memory>
#include <memory_resource>
#include <optional>
#include <set>
#include <string>

#include "daemon/ledger/parts.hpp"
#include "daemon/ledger/publisher.hpp"

namespace headwater::ledger {

class Writer;

/// Work over all records that was begun and must be finished, whatever happens: kept as a row.
struct Job {
  enum class Kind : std::uint8_t {
    Mapping = 1,  ///< another mapping: records are projected again
    Facts = 2,    ///< an org's facts changed: its records are projected again
    Stamp = 3,  ///< a new birth: every record gets a rev that outranks the sinks' (told as a read)
  };
  Kind kind = Kind::Mapping;
  std::string org;       ///< of Facts; empty: all
  std::string done;      ///< last rkey that was handled
  std::string target;    ///< of Mapping: the source text of the mapping being brought in
  crm::OrgFacts before;  ///< of Facts: what records not yet handled were projected by
  Rev begin;             ///< last rev when it began: a record with a later one was told since
};

/// Projects records again and writes what changed as ordinary entries, piece by piece, each with
/// the progress: a crash resumes (ruling 8), and events are applied between the pieces.
///
///   slice: the next records in key order -> tell each -> one write with the progress
///
///   tell:  by the old projection -> by the new one -> differ? -> entry with the next rev
///
/// Events use the new projection from the start of the job on. So that their `before` is what sinks
/// hold, an event for a record that is still owed tells it first. A record with a rev since the
/// begin was told, by whichever of the two, and is not told again.
///
/// If nothing but record types and retired fields differs in an org's facts, only records of those
/// types and with those fields are looked at, and objects that can have none are passed over.
///
/// A record whose entity the new mapping changes is told twice: deleted where it was, read where it
/// is now.
///
/// Under the write lock.
class Reprojector {
 public:
  /// `key`: of the job's row.
  Reprojector(const Parts& parts, std::string_view key);

  Result<std::optional<Job>> load() const;
  /// Stages the job's row; it runs from now on. `before` may be null: then nobody knows what sinks
  /// hold, nor where, and all records are told as reads. `last`, if any, is called before the last
  /// write: what it stages comes true with the end of the job, not a crash later.
  void begin(StoreBatch& batch,
             Job job,
             std::shared_ptr<const crm::Mapping> before,
             std::shared_ptr<const crm::Mapping> after,
             std::function<void(StoreBatch&)> last = {});
  /// Another mapping is in force: of a job that has no `before`.
  void use(std::shared_ptr<const crm::Mapping> after);
  void stage_done(StoreBatch& batch) const { batch.erase(Family::Meta, key_); }
  bool running() const { return job_.has_value(); }

  /// The next `records_max` records at most. The job is over if it was not running() any more then.
  /// `other`: may owe them too, and would not once they have the rev that this job gives them, so
  /// it tells them right after; or nullptr.
  Result<void> slice(Writer& writer, std::size_t records_max, Reprojector* other);
  /// True if the record must be told before anything else is applied to it.
  bool owes(std::string_view rkey, const RecordState& state) const;
  /// Tells the record if its projection changed. True: the state did, it must be written.
  bool tell(StoreBatch& batch,
            std::string_view rkey,
            RecordState& state,
            std::pmr::memory_resource& arena);

 private:
  struct Pair {
    std::unique_ptr<ObjectProjector> before, after;
    bool moved = false;     ///< to another entity
    bool replaced = false;  ///< into another table: told although the image is the same
  };
  /// What differs in an org's facts, if it is no more than this.
  struct Scope {
    std::set<std::string, std::less<>> types;                      ///< of records
    std::map<std::string, std::set<NameId>, std::less<>> retired;  ///< by object: now or before
  };
  void stage(StoreBatch& batch) const;
  void find_scope();
  /// Of the object's RecordTypeId; nothing: no record of it ever had one.
  std::optional<NameId> type_name(std::string_view rkey) const;
  bool concerns_some(std::string_view rkey) const;  ///< of its object's records
  bool concerns(std::string_view rkey, const RecordState& state) const;
  Pair& projectors(std::string_view rkey);

  Store& store_;
  Journal& journal_;
  NameStore& names_;
  Orgs& orgs_;
  const std::string key_;
  Publisher publisher_;
  std::optional<Job> job_;
  std::optional<Scope> scope_;  // nothing: all records
  std::function<void(StoreBatch&)> last_;
  std::shared_ptr<const crm::Mapping> mapping_before_, mapping_after_;
  std::map<std::string, Pair, std::less<>> projectors_;
  RecordCodec codec_;
  RecordState state_;
  crm::Projection before_, after_;
  std::pmr::monotonic_buffer_resource arena_;
  std::string bytes_;
};

}  // namespace headwater::ledger
