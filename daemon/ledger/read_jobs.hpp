#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/ledger/read_job.hpp"
#include "daemon/ledger/store.hpp"
#include "schemas/core/time.hpp"

namespace headwater::ledger {

/// How long a job that ended is kept: holes of a stretch wait for the last of theirs.
inline constexpr EpochMs kEndedJobKeptMs = 7LL * 24 * 3'600'000;
/// So many of one object at most, the newest: a flood of holes has it read each second.
inline constexpr std::size_t kEndedJobsOfObjectMax = 100;

/// The read jobs, in memory and as `job:` rows, and what each object's last complete reading was
/// (`snapped:` rows). Changes go to the batch at stage(). Changing calls: under the write lock.
/// Others: any thread.
class ReadJobs {
 public:
  ReadJobs(Store& store, const Clock& clock) : store_(store), clock_(clock) {}
  Result<void> load();

  const ReadJob& add(ReadJob job);
  /// nullptr: there is none.
  const ReadJob* find(std::uint64_t number) const;
  /// False: there is none.
  bool change(std::uint64_t number, const std::function<void(ReadJob&)>& change);
  /// A chunk was applied in the batch that is being written. One that comes again, or whose job is
  /// over, changes nothing; one that comes too early is remembered.
  void advance(const JobProgress& progress, std::uint64_t entries, std::uint64_t deleted);
  /// A record that a settling job of the object had asked for is gone.
  void found_gone(std::string_view org, std::string_view object);
  void snapped(const ReadJob& job);
  void stage(StoreBatch& batch);

  /// True while a confirmed job of the object is open.
  bool brake_released(std::string_view org, std::string_view object) const;
  /// Open ones, and those that ended within a week and are kept; by number.
  std::vector<ReadJob> list() const;
  std::optional<ReadJob> get(std::uint64_t number) const;
  std::optional<Snapped> last_snapped(std::string_view org, std::string_view object) const;
  std::vector<std::string> snapped_objects(std::string_view org) const;

 private:
  void forget_surplus(const ReadJob& added);
  struct Held {
    ReadJob job;
    bool dirty = false;
    // Chunks that came before those ahead of them; a crash forgets and repeats them.
    struct Early {
      JobProgress progress;
      std::uint64_t entries = 0, deleted = 0;
    };
    std::map<std::uint64_t, Early> early;
  };

  Store& store_;
  const Clock& clock_;
  mutable std::mutex mutex_;  // of what other threads may ask for
  std::map<std::uint64_t, Held> jobs_;
  std::map<std::string, Snapped, std::less<>> snapped_;
  std::vector<std::string> snapped_dirty_;
  std::vector<std::uint64_t> forgotten_;  // numbers; their rows go at the next stage()
  std::uint64_t last_number_ = 0;
};

}  // namespace headwater::ledger
