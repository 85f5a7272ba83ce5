#include "daemon/pipeline/facts_task.hpp"

#include <algorithm>

#include "daemon/observe/log.hpp"

namespace headwater {
namespace {

constexpr std::int64_t kLookMs = 5'000;
constexpr std::int64_t kAskAgainMs = 60LL * 60 * 1000;

}  // namespace

bool FactsTask::is_unknown_object_there() {
  const auto facts = tools_.ledger.org_facts(tools_.org);
  if (!facts) return false;
  bool found = false;
  for (const auto& count : tools_.ledger.counts()) {
    if (count.org != tools_.org || asked_.contains(count.object)) continue;
    const bool known = std::ranges::any_of(
        facts->object_by_prefix, [&](const auto& entry) { return entry.second == count.object; });
    if (known) continue;
    asked_.insert(count.object);
    found = true;
  }
  return found;
}

Result<Step> FactsTask::step() {
  const std::int64_t now = tools_.clock.monotonic_ms();
  if (now < next_) return Step::wait(next_);
  if (now >= ask_again_) {
    asked_.clear();
    ask_again_ = now + kAskAgainMs;
  }
  next_ = now + kLookMs;
  if (!is_unknown_object_there()) return Step::wait(next_);
  auto objects = tools_.api.describe_global();
  if (!objects) {
    asked_.clear();
    return objects.error();
  }
  crm::OrgFacts facts = *tools_.ledger.org_facts(tools_.org);
  const std::size_t before = facts.object_by_prefix.size();
  for (const auto& object : *objects) {
    if (!object.key_prefix.empty()) facts.object_by_prefix[object.key_prefix] = object.name;
  }
  if (facts.object_by_prefix.size() == before) return Step::wait(next_);
  log::info("the org has objects that are new to us",
            {{"org", tools_.org}, {"new", facts.object_by_prefix.size() - before}});
  if (auto set = tools_.ledger.set_org_facts(facts); !set) return set.error();
  return Step::again();
}

}  // namespace headwater
