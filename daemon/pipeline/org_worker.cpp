#include "daemon/pipeline/org_worker.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "connectors/salesforce/describe.hpp"
#include "connectors/salesforce/row.hpp"
#include "daemon/observe/log.hpp"

namespace headwater {
namespace {

using observe::PartState;

/// Ids in one refetch: well below the API's 2,000, so that a page of long texts stays small in
/// memory.
constexpr std::size_t kRefetchMax = 500;
/// How long a description is trusted; an unknown or hidden field (INVALID_FIELD) drops it at once.
constexpr std::int64_t kDescribeMs = 3'600'000;
/// How often holes are looked at when none is due.
constexpr std::int64_t kPollMs = 200;
/// A refetch that failed is tried again after this, doubled with each failure up to kPostponeMax.
constexpr EpochMs kPostpone = 5'000;
constexpr EpochMs kPostponeMax = 15 * 60'000;
/// Rows in the lane are applied within moments; should they get lost on the way, their holes are
/// due again after this.
constexpr EpochMs kInFlight = 60'000;

}  // namespace

OrgWorker::OrgWorker(Parts parts)
    : parts_(std::move(parts)),
      backoff_(
          std::chrono::seconds{1}, std::chrono::seconds{60}, std::hash<std::string>{}(parts_.org)),
      refetched_(parts_.metrics.counter(
          "headwater_refetched_records_total", "Records read again by id", {{"org", parts_.org}})),
      failed_(parts_.metrics.counter("headwater_refetch_failures_total",
                                     "Refetches that failed and were postponed",
                                     {{"org", parts_.org}})) {}

Step OrgWorker::step() {
  parts_.health.beat();
  const std::int64_t now = parts_.clock.monotonic_ms();
  if (now < retry_at_) return Step::wait(retry_at_);
  if (!up_) return bring_up();
  // A full lane makes us wait: rows that were read are not thrown away.
  if (!deliver()) return Step::wait(now + kPollMs);
  return refetch();
}

Step OrgWorker::bring_up() {
  auto id = parts_.api.org_id();
  if (!id) return pause(id.error());
  if (!parts_.org_id.empty() && *id != parts_.org_id) {
    return pause(
        fatal(fmt::format("org {}: the login leads to org {}, the configuration says {}; refused, "
                          "nothing was changed",
                          parts_.org,
                          *id,
                          parts_.org_id)));
  }
  if (auto bound = parts_.ledger.bind_org(parts_.org, *id); !bound) return pause(bound.error());
  if (auto learned = learn_facts(); !learned) return pause(learned.error());
  up_ = true;
  parts_.ready.store(true);
  parts_.wake();
  backoff_.reset();
  parts_.health.set(PartState::Ok);
  log::info("org is known", {{"org", parts_.org}, {"org_id", *id}});
  return Step::again();
}

Result<void> OrgWorker::learn_facts() {
  auto objects = parts_.api.describe_global();
  if (!objects) return objects.error();
  crm::OrgFacts facts;
  if (auto known = parts_.ledger.org_facts(parts_.org)) facts = std::move(*known);
  facts.name = parts_.org;
  facts.currency = parts_.currency;
  facts.region = parts_.region;
  for (const auto& object : *objects) {
    if (!object.key_prefix.empty()) facts.object_by_prefix[object.key_prefix] = object.name;
  }
  return parts_.ledger.set_org_facts(facts);
}

Step OrgWorker::refetch() {
  const EpochMs now = parts_.clock.now_ms();
  const auto due = parts_.ledger.due_refetches(parts_.org, now, kRefetchMax);
  if (due.empty()) {
    if (parts_.health.state() != PartState::Ok) parts_.health.set(PartState::Ok);
    return Step::wait(parts_.clock.monotonic_ms() + kPollMs);
  }
  std::map<std::string, std::vector<ledger::Hole>> by_object;
  for (const auto& hole : due) by_object[hole.object].push_back(hole);
  for (const auto& [object, holes] : by_object) {
    if (!deliver()) break;
    const auto done = refetch_object(object, holes);
    if (done) {
      backoff_.reset();
      continue;
    }
    failed_.add(static_cast<double>(holes.size()));
    const auto attempts = std::min<std::uint32_t>(holes.front().attempts, 10);
    const EpochMs next = now + std::min(kPostponeMax, kPostpone << attempts);
    if (auto postponed = parts_.ledger.postpone(holes, next); !postponed)
      return pause(postponed.error());
    if (done.error().kind == ErrorKind::Rejected) {
      objects_.erase(object);  // describe again: a field went or was hidden
      log::warning(done.error().message, {{"org", parts_.org}, {"object", object}});
      continue;
    }
    return pause(done.error());
  }
  return Step::again();
}

Result<void> OrgWorker::refetch_object(const std::string& object,
                                       const std::vector<ledger::Hole>& holes) {
  auto described = describe(object);
  if (!described) return described.error();
  auto noted = parts_.ledger.note_version(parts_.org);
  if (!noted) return noted.error();
  std::vector<RecordId> ids;
  for (const auto& hole : holes) {
    if (auto id = RecordId::parse(hole.id)) ids.push_back(*id);
  }
  auto records = parts_.api.fetch(object, ids, (*described)->fields);
  if (!records) return records.error();
  OwnedRows rows = rows_of(**described, *records);
  rows.batch.org = parts_.org;
  rows.batch.object = object;
  rows.batch.noted = *noted;
  rows.batch.type = ChangeType::Refetch;
  refetched_.add(static_cast<double>(rows.rows.size()));
  if (rows.rows.size() < records->size()) {
    failed_.add(static_cast<double>(records->size() - rows.rows.size()));
    objects_.erase(object);  // a field's type may have changed
  }
  // Not due again while they wait in the lane; applied, they close their holes.
  if (auto postponed = parts_.ledger.postpone(holes, parts_.clock.now_ms() + kInFlight); !postponed)
    return postponed;
  unsent_ = std::move(rows);
  deliver();
  return {};
}

/// True if nothing waits for room in the lane any more.
bool OrgWorker::deliver() {
  if (!unsent_) return true;
  const bool sent = parts_.rows.try_push(*unsent_);
  if (sent) unsent_.reset();
  parts_.wake();
  return sent;
}

Result<OrgWorker::Object*> OrgWorker::describe(const std::string& object) {
  const std::int64_t now = parts_.clock.monotonic_ms();
  NameTable& names = parts_.ledger.names(parts_.org, object);
  const std::size_t names_before = names.size();
  const auto known = objects_.find(object);
  // A name that events brought since may be a field that the description lacks: a row without it
  // would be taken for whole.
  if (known != objects_.end() && now - known->second.described_at < kDescribeMs &&
      names_before == known->second.names) {
    return &known->second;
  }
  auto description = parts_.api.describe(object);
  if (!description) return description.error();
  Object& entry = objects_[object];
  entry.description = std::move(description).value();
  entry.fields = salesforce::fetch_fields(entry.description);
  entry.described_at = now;
  entry.names = names_before;
  for (const auto& field : entry.description.fields) {
    if (names.find(field.path)) continue;
    names.intern(field.path);
    ++entry.names;
  }
  return &entry;
}

/// A record that cannot be read is left out: its hole stays open and is tried again, and the others
/// do not wait for it.
OwnedRows OrgWorker::rows_of(const Object& object,
                             const std::vector<salesforce::FetchedRecord>& records) {
  OwnedRows out;
  NameTable& names = parts_.ledger.names(parts_.org, object.description.name);
  const salesforce::RowDecoder decoder(object.description);
  salesforce::RecordRow decoded;
  for (const auto& record : records) {
    ledger::Row row;
    row.id = record.id;
    row.present = record.json.has_value();
    auto& members = out.members.emplace_back();
    if (row.present) {
      if (auto read = decoder.decode(*record.json, decoded); !read) {
        log::warning(
            read.error().message,
            {{"org", parts_.org}, {"object", object.description.name}, {"id", record.id.view()}});
        continue;
      }
      row.stamp = decoded.stamp;
      for (const auto& field : decoded.fields) {
        ValueView value = field.value;
        if (value.holds_text()) value.text = out.texts.emplace_back(value.text);
        members.push_back({names.intern(field.path), value});
      }
      std::sort(members.begin(), members.end(), [](const Member& a, const Member& b) {
        return a.name < b.name;
      });
      row.fields = members;
    }
    out.rows.push_back(row);
  }
  return out;
}

Step OrgWorker::pause(const Error& error) {
  parts_.health.fail(error);
  if (error.kind == ErrorKind::Fatal) return Step::done();
  retry_at_ = parts_.clock.monotonic_ms() +
              (error.kind == ErrorKind::Blocked ? kBlockedRetry : backoff_.next()).count();
  return Step::wait(retry_at_);
}

}  // namespace headwater
