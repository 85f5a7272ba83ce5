#include "daemon/pipeline/facts_task.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "connectors/salesforce/org_facts.hpp"
#include "daemon/ledger/audit_book.hpp"
#include "daemon/observe/log.hpp"

namespace headwater {
namespace {

constexpr std::int64_t kLookMs = 5'000;
constexpr std::int64_t kAskAgainMs = 60LL * 60 * 1000;

std::string wanted_key(std::string_view org, std::string_view object) {
  return fmt::format("wanted:{}:{}", org, object);
}

}  // namespace

Result<void> want_object(ledger::Ledger& ledger, std::string_view org, std::string_view object) {
  return ledger::AuditBook(ledger).keep(wanted_key(org, object), "");
}

Result<bool> FactsTask::is_object_wanted() {
  ledger::AuditBook book(tools_.ledger);
  const auto wanted = book.kept(wanted_key(tools_.org, ""));
  if (!wanted) return wanted.error();
  for (const auto& [name, text] : *wanted) {
    if (auto done = book.forget(name); !done) return done.error();
  }
  return !wanted->empty();
}

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

bool FactsTask::is_unknown_type_there() {
  bool found = false;
  for (auto& id : tools_.ledger.unknown_record_types(tools_.org)) {
    found = asked_types_.insert(std::move(id)).second || found;
  }
  return found;
}

Result<Step> FactsTask::step() {
  const std::int64_t now = tools_.clock.monotonic_ms();
  if (now < next_) return Step::wait(next_);
  const bool hour_over = ask_again_ != 0 && now >= ask_again_;
  if (ask_again_ == 0 || hour_over) {
    asked_.clear();
    asked_types_.clear();
    ask_again_ = now + kAskAgainMs;
  }
  next_ = now + kLookMs;
  const auto wanted = is_object_wanted();
  if (!wanted) return wanted.error();
  const bool objects = is_unknown_object_there() || *wanted || hour_over;
  const bool types = is_unknown_type_there() || hour_over;
  if (!objects && !types) return Step::wait(next_);
  if (auto learned = learn(objects, types); !learned) {
    asked_.clear();
    asked_types_.clear();
    if (hour_over) ask_again_ = now;
    return learned.error();
  }
  return Step::wait(next_);
}

Result<void> FactsTask::learn(bool objects, bool types) {
  auto facts = tools_.ledger.org_facts(tools_.org);
  if (!facts) return {};
  const std::size_t known = facts->object_by_prefix.size();
  const auto types_known = facts->record_types;
  if (objects) {
    if (auto learned = salesforce::learn_objects(tools_.api, *facts); !learned) return learned;
  }
  if (types) {
    auto learned = salesforce::learn_record_types(tools_.api, *facts);
    if (!learned) return learned.error();
  }
  const bool retyped = facts->record_types != types_known;
  if (facts->object_by_prefix.size() == known && !retyped) return {};
  log::info("the org has objects or record types that are new to us",
            {{"org", tools_.org},
             {"objects", facts->object_by_prefix.size() - known},
             {"record_types", facts->record_types.size() - types_known.size()}});
  return tools_.ledger.set_org_facts(*facts);
}

}  // namespace headwater
