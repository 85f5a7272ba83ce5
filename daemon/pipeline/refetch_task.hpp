#pragma once

#include <string>
#include <vector>

#include "daemon/pipeline/org_task.hpp"

namespace headwater {

/// Closes holes of records: those that are due -> describe -> note the version -> fetch by id ->
/// second lane.
///
/// A row carries the version noted before its query, so events that are newer win in any order;
/// applying it closes the hole. A refetch that is refused is postponed, never given up; while the
/// org does not answer, all wait for its next answer. Rows that a process had on their way when it
/// ended are asked for at once by the next one. A record whose row cannot be read keeps its hole,
/// cause `unreadable`, and the others go on.
class RefetchTask final : public OrgTask {
 public:
  explicit RefetchTask(OrgTools& tools);
  std::string_view name() const override { return "refetch"; }
  Result<Step> step() override;

 private:
  Result<void> ask_at_once();
  Result<void> refetch(const std::string& object, const std::vector<ledger::Hole>& holes);
  Result<void> say_unread(const std::vector<ledger::Hole>& holes,
                          const std::map<std::string, std::string>& unread,
                          const Version& noted);

  OrgTools& tools_;
  observe::Counter refetched_, failed_;
  std::string failed_object_;
  bool begun_ = false;
};

}  // namespace headwater
