#include "daemon/pipeline/schema_book.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "daemon/ledger/audit_book.hpp"
#include "daemon/observe/log.hpp"
#include "daemon/pipeline/schema_change.hpp"

namespace headwater {
namespace {

/// A schema counts as one by which the org tells events for so long after the last one.
constexpr EpochMs kInUse = 60 * 60'000;

std::string in_use_key(std::string_view org, std::string_view object) {
  return fmt::format("schemas:{}:{}", org, object);
}

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
    return current(*known->second.page);
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
  Page* const found = verdict.page.get();
  if (kind_ == avro::PlanKind::Change) recall(found->object);  // adds to pages_
  tell_change(*found);
  return current(*found);
}

/// With what is hidden now.
SchemaBook::Page* SchemaBook::current(Page& page) const {
  if (hidden_ == nullptr) return &page;
  if (const auto changes = hidden_->changes(); page.hidden_as_of != changes) {
    page.hidden_as_of = changes;
    page.hidden = hidden_->of(page.object);
  }
  return &page;
}

std::set<std::string> SchemaBook::kept_in_use(const std::string& object) {
  std::set<std::string> out;
  const auto text = ledger::AuditBook(ledger_).text_of(in_use_key(org_, object));
  if (!text) return out;
  std::istringstream ids(*text);
  for (std::string id; ids >> id;) out.insert(id);
  return out;
}

/// Those that were in use when the last process ended; its first event says when they are now.
void SchemaBook::recall(const std::string& object) {
  auto& known = of_object_[object];
  if (!known.empty()) return;
  for (const std::string& id : kept_in_use(object)) {
    Verdict& verdict = pages_[id];
    if (!verdict.page) {
      const auto text = ledger_.schema(id);
      auto page = text ? compile(id, *text) : Result<std::unique_ptr<Page>>(rejected("not kept"));
      if (!page) {
        pages_.erase(id);
        continue;
      }
      verdict.page = std::move(page).value();
      known.push_back(verdict.page.get());
      latest_[object] = verdict.page.get();
    }
    verdict.page->in_use = true;
  }
}

/// Written when that changes, not with each event. Streams of one org share the row.
void SchemaBook::set_in_use(Page& page, bool in_use) {
  if (page.in_use == in_use) return;
  page.in_use = in_use;
  auto ids = kept_in_use(page.object);
  if (in_use) {
    ids.insert(page.id);
  } else {
    ids.erase(page.id);
  }
  const auto kept = ledger::AuditBook(ledger_).keep(in_use_key(org_, page.object),
                                                    fmt::format("{}", fmt::join(ids, "\n")));
  if (!kept) log::warning(kept.error().message, {{"org", org_}, {"object", page.object}});
}

/// One line per schema, not per event: an org in deployment sends events by the old one and the new
/// one in turn, and both stay known.
void SchemaBook::tell_change(Page& page) {
  of_object_[page.object].push_back(&page);
  const Page*& latest = latest_[page.object];
  if (latest != nullptr) {
    ledger_.schema_changed(org_, page.object);
    log::info("another schema: events are decoded by it",
              {{"org", org_},
               {"object", page.object},
               {"schema", page.id},
               {"change", in_words(schema_change(latest->plan, page.plan))}});
  }
  latest = &page;
}

bool SchemaBook::falls_short(Page& page, EpochMs commit_ts) {
  page.used_at = std::max(page.used_at, commit_ts);
  set_in_use(page, true);
  for (Page* other : of_object_[page.object]) {
    if (other == &page) continue;
    if (other->used_at == 0 && other->in_use) other->used_at = commit_ts;  // recalled
    if (other->used_at + kInUse < commit_ts) {
      set_in_use(*other, false);
      continue;
    }
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
  page->id = schema_id;
  page->decoder =
      std::make_unique<avro::EventDecoder>(page->plan, ledger_.names(org_, page->object));
  return page;
}

}  // namespace headwater
