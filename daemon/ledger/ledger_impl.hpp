#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>

#include "daemon/ledger/directory_lock.hpp"
#include "daemon/ledger/read_jobs.hpp"
#include "daemon/ledger/reprojection.hpp"
#include "daemon/ledger/state_reader.hpp"
#include "daemon/ledger/writer.hpp"

namespace headwater::ledger {

/// Puts the parts together: the write lock, opening, births. What a part does is told in its own
/// header.
class Ledger::Impl {
 public:
  Impl(std::unique_ptr<DirectoryLock> lock,
       std::unique_ptr<Store> store,
       LedgerOptions options,
       const Clock& clock)
      : directory_(std::move(lock)),
        store_(std::move(store)),
        options_(std::move(options)),
        clock_(clock),
        random_(options_.seed != 0 ? options_.seed : entropy()),
        journal_(*store_, clock, options_),
        orgs_(*store_),
        names_(*store_),
        objects_(*store_, names_, orgs_),
        positions_(*store_),
        holes_(*store_, journal_, positions_, clock),
        back_refs_(*store_),
        jobs_(*store_, clock),
        reader_(*store_, names_, orgs_),
        reprojection_(parts(), reader_, options_),
        writer_(parts(), options_.sweep_share_max, reprojection_) {}

  Result<void> open(std::shared_ptr<const crm::Mapping> mapping);
  /// `claim`: the key under which the target's claim is kept.
  Result<CursorVerdict> found_cursor(const std::string& claim,
                                     std::string_view ledger_id,
                                     Rev rev,
                                     Rev highest);
  // skipped_history.cpp
  Result<Rev> skip_history(const std::string& claim,
                           std::string_view sink,
                           std::string_view org,
                           std::string_view ledger_id,
                           Rev rev,
                           EpochMs commit_ts);
  bool knows_any_of(std::string_view org) const;
  /// A stretch of history that a target is given states for: after the one, up to the other.
  struct Skipped {
    Rev after, upto;
  };
  /// The row of a target: `ID`, `ID RECORDS EVENTS` if something was told before, or `ID RECORDS
  /// EVENTS AFTER UPTO` if history was skipped.
  struct Claim {
    std::string by;
    ToldBefore told;
    std::optional<Skipped> skipped = {};  ///< noted last
    /// Another ledger's images stood there when we claimed it.
    bool was_anothers() const { return told.records.value != 0 && told.events.value == 0; }
  };
  Result<Claim> read_claim(const std::string& key) const;
  Result<void> write_claim(const std::string& key, const Claim& claim);
  Result<void> be_born(Rev above);
  void begin_birth(std::string id);
  Result<void> trim();
  Result<bool> settle(std::uint64_t number, std::size_t states_max);
  Result<void> settle_by_log(std::uint64_t number,
                             std::span<const RecordId> gone,
                             const std::string& proof);
  Result<bool> brake(const ReadJob& job, std::uint64_t unseen);
  Result<bool> end_settling(const ReadJob& job);
  Parts parts() {
    return {
        *store_, journal_, positions_, orgs_, names_, objects_, holes_, back_refs_, jobs_, clock_};
  }
  void stage_identity();
  Result<void> commit() { return writer_.commit(writer_.batch(), true); }
  std::string id() const {
    const std::lock_guard lock(id_mutex_);
    return id_;
  }
  Rev birth() const {
    const std::lock_guard lock(id_mutex_);
    return birth_;
  }
  /// Does one writer's work under the write lock. After a failed write nobody knows what is on the
  /// disk, and what was staged is in pieces: nothing more is written then, and every writer is told
  /// so.
  template <typename Work>
  auto write(Work work) -> decltype(work()) {
    const std::lock_guard lock(write_mutex_);
    if (broken_) return *broken_;
    auto result = work();
    if (!result) broken_ = result.error();
    return result;
  }

  std::unique_ptr<DirectoryLock> directory_;
  std::unique_ptr<Store> store_;
  const LedgerOptions options_;
  const Clock& clock_;
  std::mt19937_64 random_;  // of ids
  std::mutex write_mutex_;  // ruling 1
  Journal journal_;
  Orgs orgs_;
  NameStore names_;
  Objects objects_;
  Positions positions_;
  Holes holes_;
  BackRefs back_refs_;
  ReadJobs jobs_;
  StateReader reader_;
  Reprojection reprojection_;
  Writer writer_;
  std::mutex schemas_mutex_;  // of schema_changes_
  std::map<std::string, std::uint64_t> schema_changes_;
  RecordCodec settling_codec_;
  RecordState settling_state_;

 private:
  static std::uint64_t entropy() {
    std::random_device device;
    return std::uint64_t{device()} << 32 | device();
  }
  mutable std::mutex id_mutex_;
  std::string id_;
  Rev birth_;  // the first rev of this birth: sinks below it hold nothing that outranks us
  std::optional<Error> broken_;
};

}  // namespace headwater::ledger
