#include "daemon/pipeline/schema_book.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "daemon/observe/log.hpp"
#include "daemon/pipeline/schema_change.hpp"

namespace headwater {
namespace {

/// A schema counts as one by which the org tells events for so long after the last one.
constexpr EpochMs kInUse = 60 * 60'000;

/// `com.sforce.eventbus.Employee__ChangeEvent` -> `Employee__c`; empty if it is no change event's
/// name (salesforce.md section 5.2).
std::string object_of(std::string_view record_name) {
  static constexpr std::string_view kEnding = "ChangeEvent";
  if (const auto dot = record_name.rfind('.'); dot != std::string_view::npos)
    record_name.remove_prefix(dot + 1);
  if (!record_name.ends_with(kEnding)) return {};
  record_name.remove_suffix(kEnding.size());
  std::string object(record_name);
  if (object.ends_with("__")) object += "c";
  return object;
}

}  // namespace

Result<SchemaBook::Page*> SchemaBook::find(std::string_view schema_id) {
  const auto known = pages_.find(std::string(schema_id));
  if (known != pages_.end()) {
    if (!known->second.page) return rejected(known->second.refusal, "schema");
    return known->second.page.get();
  }
  auto text = text_of(schema_id);
  if (!text && text.error().kind != ErrorKind::Rejected) return text.error();
  auto page = text ? compile(schema_id, *text) : Result<std::unique_ptr<Page>>(text.error());
  Verdict& verdict = pages_[std::string(schema_id)];
  if (!page) {
    verdict.refusal = page.error().message;
    return rejected(verdict.refusal, "schema");
  }
  verdict.page = std::move(page).value();
  tell_change(schema_id, *verdict.page);
  return verdict.page.get();
}

/// One line per schema, not per event: an org in deployment sends events by the old one and the new
/// one in turn, and both stay known.
void SchemaBook::tell_change(std::string_view schema_id, const Page& page) {
  of_object_[page.object].push_back(&page);
  const Page*& latest = latest_[page.object];
  if (latest != nullptr) {
    ledger_.schema_changed(org_, page.object);
    log::info("another schema: events are decoded by it",
              {{"org", org_},
               {"object", page.object},
               {"schema", schema_id},
               {"change", in_words(schema_change(latest->plan, page.plan))}});
  }
  latest = &page;
}

bool SchemaBook::falls_short(Page& page, EpochMs commit_ts) {
  page.used_at = std::max(page.used_at, commit_ts);
  for (const Page* other : of_object_[page.object]) {
    if (other == &page || other->used_at + kInUse < commit_ts) continue;
    const auto [at, fresh] = short_.try_emplace({&page, other}, false);
    if (fresh) {
      const auto change = schema_change(page.plan, other->plan);
      at->second = !change.added.empty() || !change.renamed.empty() || !change.retyped.empty();
    }
    if (at->second) return true;
  }
  return false;
}

void SchemaBook::forget_refusal(std::string_view schema_id) {
  const auto known = pages_.find(std::string(schema_id));
  if (known != pages_.end() && !known->second.page) pages_.erase(known);
}

Result<std::string> SchemaBook::text_of(std::string_view schema_id) {
  if (auto kept = ledger_.schema(schema_id)) return std::move(*kept);
  auto fetched = source_.fetch_schema(schema_id);
  if (!fetched) return fetched.error();
  ++fetched_;
  if (auto stored = ledger_.keep_schema(schema_id, *fetched); !stored) return stored.error();
  return fetched;
}

Result<std::unique_ptr<SchemaBook::Page>> SchemaBook::compile(std::string_view schema_id,
                                                              const std::string& text) {
  auto plan = avro::Plan::parse(text, kind_);
  if (!plan) return rejected(fmt::format("schema {}: {}", schema_id, plan.error().message));
  if (kind_ == avro::PlanKind::Platform) {
    auto page = std::make_unique<Page>(Page{std::move(plan).value(), {}, nullptr, nullptr});
    page->platform = std::make_unique<avro::PlatformDecoder>(page->plan);
    page->object = page->platform->name();
    return page;
  }
  std::string object = object_of(plan->name());
  if (object.empty())
    return rejected(fmt::format("schema {}: {} is not a change event", schema_id, plan->name()));
  auto page =
      std::make_unique<Page>(Page{std::move(plan).value(), std::move(object), nullptr, nullptr});
  page->decoder =
      std::make_unique<avro::EventDecoder>(page->plan, ledger_.names(org_, page->object));
  return page;
}

}  // namespace headwater
