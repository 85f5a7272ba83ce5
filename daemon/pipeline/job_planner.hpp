#pragma once

#include <functional>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "daemon/ledger/read_job.hpp"
#include "daemon/pipeline/org_task.hpp"

namespace headwater {

/// Decides what of an org must be read, makes the jobs, and closes the holes that they answered.
///
///   snapshot: once every stream that starts with one is anchored (its position is on disk): each
///             object of `snapshot.objects`, and each that appears on a stream, which has no
///             complete reading yet; again when describe shows a field that the last one lacked
///             (a new or renamed one), or had with another type: no event tells such values
///   object hole (overflow, wildcard, …): the object
///   stretch hole (expired, undecodable, …): each object that the stream may carry, of it only what
///   was saved since kWindowMargin before the stretch began, and the org's log of deletions since
///   then. No upper end: what was saved in the stretch and again later has the later stamp. All of
///   the object where the beginning is unknown or further back than the log reaches
///
/// A hole is closed once each of its objects has a job that was noted after the hole was last
/// renewed and is done: everything that was committed before is in its rows, and what is gone was
/// asked for by id. The evidence names the jobs. A job that a person cancelled is not made again by
/// itself: the hole stays until `headwater resync`. Making jobs and closing holes may be repeated
/// after a crash. One thread.
class JobPlanner final : public OrgTask {
 public:
  struct Plan {
    std::vector<std::string> snapshot_objects;  ///< of the configuration
    std::vector<std::string> snapshot_topics;   ///< of streams that start with a snapshot
  };
  JobPlanner(OrgTools& tools, Plan plan) : tools_(tools), plan_(std::move(plan)) {}
  std::string_view name() const override { return "plan"; }
  Result<Step> step() override;

 private:
  Result<void> plan_snapshots();
  Result<void> plan_repairs();
  Result<void> plan_reshaped();
  Result<void> close(const ledger::Hole& hole, const std::vector<const ledger::ReadJob*>& jobs);
  Result<void> add_job(const std::string& object, ledger::ReadJob::Why why);
  bool anchored() const;
  std::set<std::string> known_objects() const;

  OrgTools& tools_;
  const Plan plan_;
  std::int64_t next_ = 0;                                // monotonic ms
  std::string reshaped_at_;                              // object that was looked at last
  std::map<std::string, std::int64_t> describe_failed_;  // not before; monotonic ms
};

/// The one object of a topic such as /data/AccountChangeEvent or /data/Invoice__ChangeEvent; empty:
/// it may carry any.
std::string object_of_topic(std::string_view topic);

/// True if no reading answers it: a person does, or the stream itself.
bool heals_otherwise(const ledger::Hole& hole);

/// How long before a stretch its repair begins to read: events come late, and a row is stamped
/// before its transaction commits (10 minutes at most; salesforce.md section 11.7).
inline constexpr EpochMs kWindowMargin = Millis(std::chrono::hours{1}).count();

/// From when on records must be read to answer the hole; 0: all of them.
EpochMs window_of(const ledger::Hole& hole);

/// A stretch ends where its stream goes on: what is read before that may lack what the bus forgets
/// until then.
bool goes_on(const ledger::Ledger& ledger, const ledger::Hole& hole);

/// The open holes of the org that a job of this object, made now, answers.
std::vector<ledger::Hole> holes_of_object(const ledger::Ledger& ledger,
                                          std::string_view org,
                                          std::string_view object);
/// As a job names them.
std::vector<ledger::AnsweredHole> answered(std::span<const ledger::Hole> holes);

}  // namespace headwater
