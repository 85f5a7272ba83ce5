#include "tests/sim/source.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace headwater::sim {
namespace {

using salesforce::Fetched;
using salesforce::Start;

constexpr std::size_t kCreditMax = 100;
constexpr std::size_t kResponseEventsMax = 24;
constexpr double kRefusedAgain = 25;  // times the chance that the bus forgets

}  // namespace

Result<void> SimSource::subscribe(Start start, const ReplayId& position, std::size_t credit) {
  world_.point("subscribe");
  open_ = refused_ = false;
  // Where the bus forgets, a position may be lost for longer, and more with it.
  const double again = owed_ ? kRefusedAgain * world_.faults.expire : 0;
  if (world_.roll(std::max(world_.faults.refused, again))) {
    return world_.random.chance(0.8) ? transient("subscribe: unavailable", "service.unavailable")
                                     : blocked("subscribe: no licence", "service.tenant.license");
  }
  switch (start) {
    case Start::Latest:
      next_ = org_.visible();
      if (!subscriptions_.anchored) subscriptions_.owed_from = next_;
      break;
    case Start::Earliest:
      if (owed_ && world_.roll(again)) org_.expire(org_.visible());
      next_ = org_.first_kept();
      if (owed_) forget(*owed_, next_);
      if (subscriptions_.anchored) break;
      // Without a position the bus has nothing to refuse: a daemon can tell by the age of its first
      // start alone that events are gone (ingest_test), and the bus keeps them for three days,
      // longer than any run. What it drops sooner is owed only to who has a position.
      subscriptions_.owed_from = std::max(subscriptions_.owed_from, next_);
      break;
    case Start::After: {
      // Before any event there is a position too: the one that an empty bus tells.
      const auto index = org_.index_of(position.bytes());
      const std::size_t after = index ? *index + 1 : 0;
      refused_ = (!index && position.bytes() != "tip") || after < org_.first_kept();
      owed_.reset();
      subscriptions_.applied_to = std::max(subscriptions_.applied_to, after);
      if (refused_) forget(*(owed_ = subscriptions_.applied_to), org_.first_kept());
      next_ = after;
      if (!refused_ && world_.roll(world_.faults.redeliver)) {
        // Again comes what was sent before: nothing from ahead of a start at the latest event.
        const std::size_t first = std::max(org_.first_kept(), subscriptions_.owed_from);
        next_ = std::max(std::min(first, next_), next_ - std::min(next_, world_.random.below(12)));
      }
    }
  }
  open_ = true;
  credit_ = 0;
  request(credit);
  return {};
}

/// What the bus forgot before it was read is lost for whoever relies on it.
void SimSource::forget(std::size_t from, std::size_t to) {
  for (std::size_t i = from; i < to; ++i) {
    const BusEvent& event = org_.bus()[i];
    for (const SimRecord* record : event.records) {
      const EpochMs at = record->at(event.seq)->commit_ms;
      auto& [first, last] = subscriptions_.lost.try_emplace(record->rkey(), at, at).first->second;
      first = std::min(first, at);
      last = std::max(last, at);
    }
  }
}

void SimSource::request(std::size_t events) {
  if (journal_full_()) throw Violation("credit: events were asked for while the journal was full");
  credit_ += events;
  if (credit_ > kCreditMax) throw Violation(fmt::format("credit: {} events outstanding", credit_));
}

void SimSource::next(std::int64_t, Fetched& out) {
  out = {};
  if (!open_) throw Violation("stream: read though it is not open");
  if (refused_) {
    open_ = false;
    out.what = Fetched::What::Ended;
    out.end = transient("the position is older than what is kept",
                        "subscription.fetch.replayid.corrupted");
    return;
  }
  if (world_.roll(world_.faults.cut)) {
    open_ = false;
    out.what = Fetched::What::Ended;
    out.end = transient("reset by peer");
    return;
  }
  world_.meanwhile();
  if (next_ < org_.visible() && credit_ > 0) return deliver(out);
  if (next_ < org_.visible() || !world_.random.chance(0.3)) return;  // nothing to say
  // A keepalive: all up to here was sent.
  out.what = Fetched::What::Response;
  latest_ = next_ == 0 ? "tip" : org_.bus()[next_ - 1].replay_id;
  out.latest_replay_id = latest_;
}

void SimSource::deliver(Fetched& out) {
  const std::size_t most = std::min({org_.visible() - next_, credit_, kResponseEventsMax});
  const std::size_t count = 1 + world_.random.below(most);
  out.what = Fetched::What::Response;
  for (std::size_t i = 0; i < count; ++i) {
    const BusEvent& event = org_.bus()[next_ + i];
    out.events.push_back({event.payload, event.schema_id, event.replay_id, event.uuid});
  }
  next_ += count;
  credit_ -= count;
  // In a response with events this runs ahead of them: it is no position.
  latest_ = org_.bus()[org_.visible() - 1].replay_id;
  out.latest_replay_id = latest_;
  out.pending = static_cast<std::int32_t>(credit_);
}

Result<std::string> SimSource::fetch_schema(std::string_view schema_id) {
  world_.point("schema.fetch");
  world_.meanwhile();
  if (world_.roll(world_.faults.schema_down)) {
    return transient("GetSchema: unavailable", "schema.api.unavailable");
  }
  const auto dash = schema_id.rfind('-');
  const SimObject* object = org_.object(schema_id.substr(0, dash));
  if (object == nullptr) return rejected(fmt::format("GetSchema: no schema {}", schema_id));
  return org_.schema_text(*object, schema_id.ends_with('2') ? 2 : 1);
}

// ---- REST

std::optional<Error> SimApi::fault() {
  world_.point("api.call");
  world_.meanwhile();
  if (!world_.roll(world_.faults.api)) return std::nullopt;
  return world_.random.chance(0.8) ? transient("rest: HTTP 503")
                                   : rejected("rest: INVALID_FIELD", "INVALID_FIELD");
}

Result<std::string> SimApi::org_id() {
  if (auto error = fault()) return *error;
  return std::string("00D5f000000AbCdEAK");
}

Result<std::vector<salesforce::ObjectInfo>> SimApi::describe_global() {
  if (auto error = fault()) return *error;
  return std::vector<salesforce::ObjectInfo>{{"Account", "001", true, true},
                                             {"Contact", "003", true, true}};
}

Result<std::vector<salesforce::RecordTypeInfo>> SimApi::record_types() {
  return std::vector<salesforce::RecordTypeInfo>{};
}

Result<std::vector<std::string>> SimApi::channel_members(std::string_view) {
  if (auto error = fault()) return *error;
  std::vector<std::string> out;
  for (const SimObject& object : org_.objects()) {
    if (object.selected) out.push_back(object.name + "ChangeEvent");
  }
  return out;
}

Result<salesforce::ObjectDescription> SimApi::describe(std::string_view object) {
  if (auto error = fault()) return *error;
  const SimObject* found = org_.object(object);
  if (found == nullptr) return rejected("rest: no such object", "NOT_FOUND");
  return org_.describe(*found);
}

Result<std::vector<salesforce::FetchedRecord>> SimApi::fetch(std::string_view object,
                                                             std::span<const RecordId> ids,
                                                             std::span<const std::string> fields) {
  if (auto error = fault()) return *error;
  if (auto refusal = org_.refuse_fields(object, fields)) return *refusal;
  std::vector<salesforce::FetchedRecord> out;
  for (const RecordId& id : ids) {
    const SimRecord* record = org_.find(fmt::format("{}:{}:{}", kOrg, object, id.view()));
    const bool binned = record != nullptr && record->now().deleted && !world_.faults.no_bin;
    out.push_back({id, org_.json(object, id.view()), binned});
  }
  world_.meanwhile();  // the answer is on its way, and already old
  if (world_.roll(world_.faults.api)) return transient("rest: the answer was cut off");
  return out;
}

}  // namespace headwater::sim
