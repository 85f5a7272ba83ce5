#include <fmt/format.h>

#include <algorithm>
#include <memory_resource>
#include <unordered_map>

#include "connectors/kafka/shorten.hpp"
#include "connectors/kafka/sink.hpp"
#include "schemas/model/render.hpp"
#include "schemas/model/render_event.hpp"

namespace headwater::kafka {
namespace {

/// What a message holds besides its value, roughly: key, headers, Kafka's own framing.
constexpr std::size_t kAroundValue = 2'048;

}  // namespace

KafkaSink::Lane::Entity& KafkaSink::entity_of(Lane& lane, std::string_view entity) {
  const auto found = lane.entities.find(entity);
  if (found != lane.entities.end()) return found->second;
  Lane::Entity& added = lane.entities[std::string(entity)];
  added.changes = &lane.producer->topic(topics_.changes(entity).name);
  added.records = &lane.producer->topic(topics_.records(entity).name);
  if (!config_.transactions) added.records->gaps = &gaps_;  // else the broker fences late ones
  return added;
}

/// What render_fixed_…_headers depend on, but for the epoch: that is one for as long as the lane
/// lives.
KafkaSink::Lane::Shapes& KafkaSink::shapes_of(Lane& lane,
                                              Lane::Entity& entity,
                                              const EntryView& entry,
                                              const Org& org) {
  Lane::Shapes& shapes = entity.shapes[entry.op];
  const std::string_view verb = event_verb(entry);
  if (shapes.org == &org && shapes.verb == verb && shapes.bu == entry.bu) return shapes;
  HeaderPool& pool = lane.producer->header_pool();
  shapes.org = &org;
  shapes.verb = verb;
  shapes.bu = entry.bu;
  headers_.clear();
  render_fixed_change_headers(headers_, entry, org.record.epoch);
  shapes.changes = &pool.shape(headers_);
  headers_.clear();
  render_fixed_record_headers(headers_, entry, org.record.epoch);
  shapes.records = &pool.shape(headers_);
  return shapes;
}

void KafkaSink::mark_last_of_keys(Entries entries) {
  last_of_key_.assign(entries.size(), 0);
  std::pmr::monotonic_buffer_resource memory{entries.size() * 64 + 64};
  // A record whose object moved to another entity is told gone in the topic that it leaves: the
  // last entry there is not the last one of the record.
  std::pmr::unordered_map<std::string_view, std::string_view> seen{&memory};  // rkey -> entity
  seen.reserve(entries.size());
  for (std::size_t i = entries.size(); i-- > 0;) {
    if (entries[i].kind != EntryKind::Record) continue;
    const auto [at, first] = seen.try_emplace(entries[i].rkey, entries[i].entity);
    last_of_key_[i] = first || at->second != entries[i].entity;
    at->second = entries[i].entity;
  }
}

/// Sends all entries, or those of one org with a rev above `after`. The number sent.
Result<std::size_t> KafkaSink::send_entries(
    Lane& lane, Entries entries, const Org* only, Rev after, Deadline until) {
  mark_last_of_keys(entries);
  org_id_of_.clear();
  const Org* org = only;
  std::size_t sent = 0;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const EntryView& entry = entries[i];
    if (only != nullptr) {
      if (entry.org != only->name || entry.meta.rev <= after) continue;
    } else if (org == nullptr || org->name != entry.org) {
      org = org_of(entry.org);
      if (org == nullptr) {
        return fatal(fmt::format(
            "kafka: entry {} is of org {}, which was not opened", entry.rkey, entry.org));
      }
    }
    refused_rev_ = entry.meta.rev.value;
    if (auto done = send_entry(lane, entry, *org, last_of_key_[i] != 0, until); !done) {
      return std::move(done).error();
    }
    ++sent;
  }
  return sent;
}

Result<void> KafkaSink::send_entry(
    Lane& lane, const EntryView& entry, const Org& org, bool last, Deadline until) {
  image_.reset();
  const bool is_event = entry.kind == EntryKind::Event;
  const bool told = entry.meta.rev < (is_event ? org.events_from : org.history_from);
  if (entry.kind == EntryKind::Hole || (told && entry.kind != EntryKind::Record)) return {};
  if (entry.kind == EntryKind::Quarantine) return send_quarantine(lane, entry, org, until);
  if (is_event) return send_event(lane, entry, org, until);
  // A purge removes every trace that compaction can remove; the history runs out by itself.
  if (!entry.purge && !told) {
    if (auto done = send_change(lane, entry, org, until); !done) return done;
  }
  return last ? send_record(lane, entry, org, until) : Result<void>{};
}

Result<void> KafkaSink::send_change(Lane& lane,
                                    const EntryView& entry,
                                    const Org& org,
                                    Deadline until) {
  if (known_.has_change(entry.rkey, entry.meta.rev.value)) {
    ++skipped_;
    return {};
  }
  value_.clear();
  const std::string_view after = envelopes_.append(value_, entry, {options_.version, id_of(org)});
  const auto after_at = static_cast<std::size_t>(after.data() - value_.data());
  const bool shortened = value_.size() > value_bytes_max();
  if (shortened) shorten_envelope(entry);
  const ValueStore::Value value = lane.producer->values().keep(value_);
  if (!shortened) image_ = {value.text.substr(after_at, after.size()), value.chunk};

  Lane::Entity& entity = entity_of(lane, entry.entity);
  HeaderPool::Shape& shape = *shapes_of(lane, entity, entry, org).changes;
  headers_.clear();
  render_varying_change_headers(headers_, entry);
  HeaderPool::Set& headers = lane.producer->header_pool().take(shape, headers_);
  return lane.producer->produce(*entity.changes, entry.rkey, value, headers, until);
}

const std::string& KafkaSink::id_of(const Org& org) {
  if (org_id_of_ != org.name) {
    org_id_of_ = org.name;
    org_id_ = options_.org_id ? options_.org_id(org.name) : std::string();
  }
  return org_id_;
}

/// Keyed by org and event: one that is too long is refused, there is nothing to leave out.
Result<void> KafkaSink::send_event(Lane& lane,
                                   const EntryView& entry,
                                   const Org& org,
                                   Deadline until) {
  if (known_.has_change(entry.rkey, entry.meta.rev.value)) {
    ++skipped_;
    return {};
  }
  value_.clear();
  append_event_envelope(value_, entry, {options_.version, id_of(org)});
  const ValueStore::Value value = lane.producer->values().keep(value_);

  auto known = lane.events.find(entry.object);
  if (known == lane.events.end()) {
    known = lane.events.emplace(entry.object, Lane::Event{}).first;
    known->second.topic = &lane.producer->topic(topics_.events(entry.object).name);
  }
  HeaderPool& pool = lane.producer->header_pool();
  // Another ledger may have told greater revs there, behind which readers drop this one.
  const bool behind = rewriting_ || entry.meta.rev < org.history_from;
  HeaderPool::Shape*& shape = known->second.shapes[{&org, behind}];
  if (shape == nullptr) {
    headers_.clear();
    render_fixed_event_headers(headers_, entry, org.record.epoch);
    if (behind) headers_.add(kRetriedHeader, "true");
    shape = &pool.shape(headers_);
  }
  headers_.clear();
  render_varying_event_headers(headers_, entry);
  HeaderPool::Set& headers = pool.take(*shape, headers_);
  return lane.producer->produce(*known->second.topic, entry.rkey, value, headers, until);
}

std::size_t KafkaSink::value_bytes_max() const { return config_.message_bytes_max - kAroundValue; }

/// First without `before`, then without large texts. What is too long even so goes out as it is, to
/// be refused.
void KafkaSink::shorten_envelope(const EntryView& entry) {
  std::vector<std::string> truncated;
  if (entry.has_before) truncated.emplace_back("before");
  const std::size_t before = truncated.size();
  ShortenedEntry shorter(entry);
  do {
    truncated.resize(before);
    truncated.insert(truncated.end(), shorter.replaced().begin(), shorter.replaced().end());
    value_.clear();
    envelopes_.append(value_, shorter.entry(), {options_.version, org_id_, truncated});
  } while (value_.size() > value_bytes_max() && shorter.save(value_.size() - value_bytes_max()));
}

void KafkaSink::shorten_record(const EntryView& entry) {
  ShortenedEntry shorter(entry);
  while (value_.size() > value_bytes_max() && shorter.save(value_.size() - value_bytes_max())) {
    value_.clear();
    append_record_json(value_, shorter.entry());
  }
}

/// The bytes for the records topic: mostly those that the envelope just sent holds already.
ValueStore::Value KafkaSink::image_of(Lane& lane, const EntryView& entry) {
  if (image_) {
    ValueStore::hold(*image_->chunk);
    return *image_;
  }
  value_.clear();
  append_record_json(value_, entry);
  if (value_.size() > value_bytes_max()) shorten_record(entry);
  return lane.producer->values().keep(value_);
}

/// What it takes is a matter of size, and the topics' limits can be read: nothing is written.
Result<std::optional<bool>> KafkaSink::would_take(const EntryView& held, const Error& refusal) {
  if (refusal.code != "MSG_SIZE_TOO_LARGE" || reader_ == nullptr) return std::optional<bool>();
  const std::string topics[] = {topics_.changes(held.entity).name,
                                topics_.records(held.entity).name};
  const auto limits = reader_->message_bytes_max(topics, config_.timeout);
  if (!limits) return limits.error();
  if (limits->size() != std::size(topics)) return std::optional<bool>();
  value_.clear();
  envelopes_.append(value_, held, {options_.version, {}});
  const std::size_t size = std::min(value_.size(), value_bytes_max()) + kAroundValue;
  return std::optional<bool>(std::ranges::all_of(*limits, [&](const auto& limit) {
    return size <= std::min(limit.second, config_.message_bytes_max);
  }));
}

Result<void> KafkaSink::send_record(Lane& lane,
                                    const EntryView& entry,
                                    const Org& org,
                                    Deadline until) {
  if (known_.has_record(entry.rkey, entry.meta.rev.value)) {
    ++skipped_;
    return {};
  }
  std::optional<ValueStore::Value> value;
  if (!entry.purge && !entry.meta.deleted && entry.op != Op::Delete) value = image_of(lane, entry);
  Lane::Entity& entity = entity_of(lane, entry.entity);
  HeaderPool::Shape& shape = *shapes_of(lane, entity, entry, org).records;
  headers_.clear();
  render_varying_record_headers(headers_, entry);
  HeaderPool::Set& headers = lane.producer->header_pool().take(shape, headers_);
  return lane.producer->produce(*entity.records, entry.rkey, value, headers, until);
}

Result<void> KafkaSink::send_quarantine(Lane& lane,
                                        const EntryView& entry,
                                        const Org& org,
                                        Deadline until) {
  headers_.clear();
  render_quarantine_headers(headers_, entry, org.record.epoch);
  const std::string_view subject = headers_.find("subject");
  const std::string_view key = subject.empty() ? entry.rkey : subject;
  if (known_.has_change(key, entry.meta.rev.value)) {
    ++skipped_;
    return {};
  }
  if (lane.quarantine == nullptr)
    lane.quarantine = &lane.producer->topic(topics_.quarantine().name);
  return lane.producer->produce(*lane.quarantine, key, entry.row, headers_, until);
}

}  // namespace headwater::kafka
