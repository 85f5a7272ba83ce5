#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "daemon/ledger/read_job.hpp"
#include "daemon/pipeline/org_objects.hpp"
#include "daemon/pipeline/org_task.hpp"
#include "daemon/pipeline/stream_progress.hpp"

namespace headwater {

/// Decides what of an org must be read, makes the jobs, and closes the holes that they answered.
///
///   snapshot: once every stream that starts with one is anchored (its position is on disk): each
///             object of `snapshot.objects`, and each that appears on a stream, which has no
///             complete reading yet; again when describe shows a field that the last one lacked
///             (a new or renamed one), or had with another type: no event tells such values
///   object hole (overflow, wildcard, …): the object; of one that the streams were silent about
///   (silent_objects.hpp) what was saved since, once they bring it again and have told what came
///   before
///   stretch hole (expired, undecodable, …): each object that the stream may carry
///   (org_objects.hpp; the org is asked once per hole, though no record of it ever came), of it
///   only what was saved since kWindowMargin before the stretch began, and the org's log of
///   deletions since then. No upper end: what was saved in the stretch and again later has the
///   later stamp. All of the object where the beginning is unknown or further back than the log
///   reaches
///
/// A hole is closed once each of its objects has a job that was noted after the hole was last
/// renewed and is done: everything that was committed before is in its rows, and what is gone was
/// asked for by id. A job that left out a field which the object still has is no answer: the object
/// is read again an hour later. The evidence names the jobs. Where the org cannot be asked which
/// objects there are, the hole of a stream of several stays open. A job that a person cancelled is
/// not made again by itself: the hole stays until `headwater resync`. Making jobs and closing holes
/// may be repeated after a crash. One thread.
class JobPlanner final : public OrgTask {
 public:
  struct Plan {
    std::vector<std::string> snapshot_objects;         ///< of the configuration
    std::vector<std::string> snapshot_topics;          ///< of streams that start with a snapshot
    std::vector<std::string> topics = {};              ///< of all streams
    Millis channel_settle = std::chrono::minutes{10};  ///< as PubSubConfig says it
    /// How far each stream of record changes is; none: nothing waits for them.
    std::function<std::vector<StreamProgress>()> streams = {};
  };
  JobPlanner(OrgTools& tools, Plan plan) : tools_(tools), plan_(std::move(plan)) {}
  std::string_view name() const override { return "plan"; }
  Result<Step> step() override;

 private:
  Result<void> plan_snapshots();
  Result<void> plan_repairs();
  Result<void> plan_reshaped();
  std::set<std::string>::const_iterator next_to_look_at(const std::set<std::string>& objects);
  bool is_being_read(const std::string& object) const;
  /// Objects of which the hole may lack something, and what is to be said of others.
  struct Lacking {
    std::set<std::string> objects;
    std::string beside;
  };
  Result<Lacking> lacking(const ledger::Hole& hole, const std::set<std::string>& known);
  Result<Captured> captured_for(const ledger::Hole& hole);
  Listening listening() const;
  Result<void> look_hourly();
  struct Answer {
    bool asked = false;  // a job for it is there
    std::optional<ledger::ReadJob> job;
  };
  Result<Answer> answer_of(const std::string& object, const ledger::Hole& hole);
  Result<std::string> owed_fields(const ledger::ReadJob& job);
  bool left_out_long_ago(const ledger::ReadJob& job) const;
  Result<void> close(const ledger::Hole& hole,
                     const std::vector<ledger::ReadJob>& jobs,
                     const std::string& beside);
  Result<void> add_job(const std::string& object, ledger::ReadJob::Why why);
  Result<bool> join_waiting(const ledger::ReadJob& wanted);
  bool anchored() const;
  std::set<std::string> objects_to_read_in() const;

  OrgTools& tools_;
  const Plan plan_;
  std::int64_t next_ = 0;                                // monotonic ms
  std::string reshaped_at_;                              // object that was looked at last
  std::map<std::string, std::uint64_t> schemas_looked_at_;  // by object, as the ledger counts them
  std::map<std::string, std::int64_t> describe_failed_;  // not before; monotonic ms
  std::map<Rev, ledger::AnsweredHole> asked_for_;  // holes as they stood when the org was asked
  std::int64_t ask_next_ = 0;                      // which objects there are; monotonic ms
  std::int64_t note_next_ = 0;  // what the org said last, beside what streams told since
};

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
