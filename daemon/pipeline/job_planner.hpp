#pragma once

#include <functional>
#include <map>
#include <set>
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
///   object hole (overflow, wildcard, …): the object
///   stretch hole (expired, undecodable, …): each object that the stream may carry
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
  using FieldTypes = std::map<std::string, std::string>;  // describe's type, by REST name

  Result<void> plan_snapshots();
  Result<void> plan_repairs();
  Result<void> plan_reshaped();
  Result<void> close(const ledger::Hole& hole, const std::vector<const ledger::ReadJob*>& jobs);
  Result<void> add_job(const std::string& object, ledger::ReadJob::Why why);
  bool anchored() const;
  bool goes_on(const ledger::Hole& hole) const;
  std::set<std::string> known_objects() const;

  OrgTools& tools_;
  const Plan plan_;
  std::int64_t next_ = 0;                                // monotonic ms
  std::string reshaped_at_;                              // object that was looked at last
  std::map<std::string, FieldTypes> types_;              // as described last, by object
  std::map<std::string, std::int64_t> describe_failed_;  // not before; monotonic ms
};

/// The one object of a topic such as /data/AccountChangeEvent or /data/Invoice__ChangeEvent; empty:
/// it may carry any.
std::string object_of_topic(std::string_view topic);

/// True if no reading answers it: a person does, or the stream itself.
bool heals_otherwise(const ledger::Hole& hole);

/// The open holes of the org that a job of this object, made now, answers.
std::vector<ledger::AnsweredHole> holes_of_object(const ledger::Ledger& ledger,
                                                  std::string_view org,
                                                  std::string_view object);

}  // namespace headwater
