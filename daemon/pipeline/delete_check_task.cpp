#include "daemon/pipeline/delete_check_task.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <map>

#include "daemon/observe/log.hpp"

namespace headwater {
namespace {

using ledger::Fate;

/// Ids in one query: its text goes into the URL, which may have 16 KiB.
constexpr std::size_t kAskMax = 400;
constexpr std::size_t kDueMax = 1'000;
constexpr std::int64_t kAskEvery = 5'000;
/// How often deletions are looked for when none is due.
constexpr std::int64_t kPollMs = 200;
/// A question that was refused is asked again after this, doubled each time up to kPostponeMax.
constexpr EpochMs kPostpone = 5'000;
constexpr EpochMs kPostponeMax = 15 * 60'000;

bool asks_the_org(const ledger::Hole& hole) { return hole.cause == ledger::kDeleteCheck; }

/// Nothing: not a row of ours.
std::optional<Fate> fate_of(const std::string& record) {
  boost::system::error_code broken;
  const auto row = boost::json::parse(record, broken);
  if (broken || !row.is_object()) return std::nullopt;
  const auto* id = row.get_object().if_contains("Id");
  const auto* deleted = row.get_object().if_contains("IsDeleted");
  const auto* master = row.get_object().if_contains("MasterRecordId");
  if (id == nullptr || !id->is_string() || deleted == nullptr || !deleted->is_bool()) {
    return std::nullopt;
  }
  const auto parsed = RecordId::parse(std::string_view(id->get_string()));
  if (!parsed) return std::nullopt;
  Fate fate;
  fate.id = *parsed;
  if (!deleted->get_bool()) {
    fate.kind = Fate::Kind::Alive;
  } else if (master != nullptr && master->is_string()) {
    const auto winner = RecordId::parse(std::string_view(master->get_string()));
    if (!winner) return std::nullopt;
    fate.kind = Fate::Kind::Merged;
    fate.master = winner->str();
  }
  return fate;
}

}  // namespace

DeleteCheckTask::DeleteCheckTask(OrgTools& tools, salesforce::OrgReader& reader)
    : tools_(tools),
      reader_(reader),
      asked_(tools.metrics.counter("headwater_delete_checks_total",
                                   "Deleted records whose fate the org was asked for",
                                   {{"org", tools.org}})),
      merged_(tools.metrics.counter("headwater_merges_total",
                                    "Deleted records that the org said were merged",
                                    {{"org", tools.org}})) {}

Result<Step> DeleteCheckTask::step() {
  const EpochMs now = tools_.clock.now_ms();
  const std::int64_t tick = tools_.clock.monotonic_ms();
  auto due = tools_.ledger.due_fates(tools_.org, now, kDueMax);
  if (due.empty()) return Step::wait(tick + kPollMs);
  if (!std::ranges::all_of(due, asks_the_org)) {
    if (auto ok = tools_.ledger.doubt_children(due); !ok) return ok.error();
    return Step::again();
  }
  if (tick < next_ask_) return Step::wait(std::min(next_ask_, tick + kPollMs));
  std::map<std::string, std::vector<ledger::Hole>> by_object;
  for (auto& hole : due) {
    auto& holes = by_object[hole.object];
    if (holes.size() < kAskMax) holes.push_back(std::move(hole));
  }
  for (const auto& [object, holes] : by_object) {
    const auto done = ask(object, holes);
    if (done) continue;
    // Only what is the question's own fault is put off: the org itself is asked again as soon as it
    // answers.
    if (done.error().kind != ErrorKind::Rejected) return done.error();
    const auto attempts = std::min<std::uint32_t>(holes.front().attempts, 10);
    const EpochMs next = now + std::min(kPostponeMax, kPostpone << attempts);
    if (auto postponed = tools_.ledger.postpone(holes, next); !postponed) return postponed.error();
    log::warning(done.error().message, {{"org", tools_.org}, {"object", object}});
  }
  // More of them than one query takes do not wait.
  next_ask_ = due.size() < kDueMax ? tick + kAskEvery : 0;
  return Step::again();
}

Result<void> DeleteCheckTask::ask(const std::string& object,
                                  const std::vector<ledger::Hole>& holes) {
  auto noted = tools_.ledger.note_version(tools_.org);
  if (!noted) return noted.error();
  auto fates = read_fates(object, holes);
  if (!fates) return fates.error();
  asked_.add(static_cast<double>(holes.size()));
  const auto merged = std::ranges::count(*fates, Fate::Kind::Merged, &Fate::kind);
  auto told = tools_.ledger.tell_fates({tools_.org, object, *noted, std::move(*fates)});
  if (!told) return told.error();
  merged_.add(static_cast<double>(merged));
  return {};
}

Result<std::vector<Fate>> DeleteCheckTask::read_fates(const std::string& object,
                                                      const std::vector<ledger::Hole>& holes) {
  std::map<RecordId, Fate> fates;
  salesforce::Selection selection;
  selection.object = object;
  selection.fields = {"Id", "IsDeleted", "MasterRecordId"};
  selection.with_deleted = true;
  for (const auto& hole : holes) {
    const auto id = RecordId::parse(hole.id);
    if (!id) continue;
    fates[*id].id = *id;
    selection.where += fmt::format("{}'{}'", selection.where.empty() ? "Id IN (" : ",", hole.id);
  }
  selection.where += ")";
  salesforce::CallTerms terms;
  terms.priority = salesforce::Priority::Repair;
  salesforce::QueryWalk walk(reader_, selection, terms);
  while (true) {
    auto page = walk.next();
    if (!page) return page.error();
    if (!*page) break;
    for (const auto& record : (*page)->records) {
      const auto fate = fate_of(record);
      if (!fate) {
        return rejected(fmt::format(
            "ask what became of deleted records of {}: a row lacks Id, IsDeleted or has no valid "
            "MasterRecordId; asked again later",
            object));
      }
      if (const auto asked = fates.find(fate->id); asked != fates.end()) asked->second = *fate;
    }
  }
  std::vector<Fate> out;
  for (auto& [id, fate] : fates) out.push_back(std::move(fate));
  return out;
}

}  // namespace headwater
