#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <thread>

#include "connectors/claim.hpp"
#include "connectors/kafka/sink.hpp"

namespace headwater::kafka {
namespace {

/// A controller that serves creation answers at once; one that does not never will.
constexpr Millis kCreateTimeout{5'000};
/// How long after open a dead predecessor's request may still reach the broker.
constexpr std::int64_t kLateCheckAfterMs = 30'000;

bool exists(const PartitionCounts& counts, const TopicSpec& topic) {
  return counts.contains(topic.name);
}

/// Such that no two claims are alike. Within 2^53, as it travels in JSON.
std::uint64_t draw_claim() {
  std::random_device device;
  return 1 + ((static_cast<std::uint64_t>(device()) << 32U | device()) >> 12U);
}

/// A topic whose partitions end there.
bool held_nothing(const std::vector<std::int64_t>& offsets) {
  return std::ranges::all_of(offsets, [](std::int64_t end) { return end == 0; });
}

}  // namespace

Result<std::vector<Cursor>> KafkaSink::open(std::span<const std::string> orgs) {
  if (fenced_) return *fenced_;
  org_names_.assign(orgs.begin(), orgs.end());
  if (auto done = connect(); !done) return fail(std::move(done).error());
  std::vector<Cursor> out;
  for (const std::string& name : org_names_) {
    Org& org = orgs_.at(name);
    org.held = true;
    const CursorRecord& record = org.record;
    out.push_back(
        {name, record.ledger, record.rev, record.epoch, record.highest, record.commit_ts});
  }
  return out;
}

Result<void> KafkaSink::connect() {
  lanes_.clear();
  warnings_.clear();
  known_.clear();
  tail_.clear();
  tail_last_ = 0;
  late_check_at_.reset();
  gaps_.clear();
  for (const std::string& name : org_names_) {
    Org& org = orgs_[name];
    org.name = name;
    org.key = cursor_key(options_.name, name);
    org.owed.reset();
  }
  auto reader = Client::create(config_, {});
  if (!reader) return std::move(reader).error();
  reader_ = std::move(reader).value();
  if (auto done = prepare_topics(); !done) return done;

  if (config_.transactions) {
    // Looked at before init_transactions, which would fence a rival that rightly holds the org.
    auto committed = Client::create(config_, {Client::Role::CommittedReader, {}, nullptr, nullptr});
    if (!committed) return std::move(committed).error();
    committed_ = std::move(committed).value();
    if (auto done = read_cursors(*committed_); !done) return done;
    if (auto done = check_holders(); !done) return done;
    if (auto done = open_lanes(); !done) return done;
    if (auto done = read_cursors(*committed_); !done) return done;  // what init has settled
  } else {
    if (auto done = read_cursors(*reader_); !done) return done;
    if (auto done = open_lanes(); !done) return done;
  }
  if (auto done = check_holders(); !done) return done;
  if (auto done = find_hidden(); !done) return done;
  if (auto done = list_ends(); !done) return done;
  if (auto done = claim(); !done) return done;
  if (config_.transactions && names_all_ends()) return {};

  if (auto done = list_ends(); !done) return done;
  plan_tail();
  late_keys_ = {};
  if (auto done = read_back(0); !done) return done;
  tail_last_ = known_.last();
  if (config_.transactions) return {};
  if (auto done = write_newest_again(late_keys_); !done) return done;
  opened_ends_ = ends_;
  late_check_at_ = clock_.monotonic_ms() + kLateCheckAfterMs;
  return {};
}

// ---- topics

Result<void> KafkaSink::prepare_topics() {
  auto counts = reader_->list_topics(config_.timeout);
  if (!counts) return std::move(counts).error();
  counts_.clear();
  entities_ready_.clear();
  events_ready_.clear();
  adopt(*counts);

  std::vector<TopicSpec> wanted{topics_.cursors(), topics_.quarantine()};
  for (const std::string& entity : options_.entities) {
    wanted.push_back(topics_.changes(entity));
    wanted.push_back(topics_.records(entity));
  }
  auto missing = create_missing(std::move(wanted));
  if (!missing) return std::move(missing).error();
  // Others are asked for again when an entry needs them.
  if (counts_.contains(topics_.cursors().name)) return {};
  return missing_topic(topics_.cursors(), config_.brokers, missing->asked);
}

/// Whoever may not see a topic is not told of it. Were one that we delivered to taken for lost, all
/// records would be sent again.
Result<void> KafkaSink::find_hidden() {
  for (const std::string& name : org_names_) {
    for (const auto& [topic, offsets] : orgs_.at(name).record.ends) {
      if (held_nothing(offsets) || counts_.contains(topic)) continue;
      const auto hidden = reader_->is_hidden(topic, config_.timeout);
      if (!hidden) return hidden.error();
      if (*hidden) return hidden_topic(topic);
    }
  }
  return {};
}

Result<KafkaSink::Missing> KafkaSink::create_missing(std::vector<TopicSpec> wanted) {
  std::erase_if(wanted, [this](const TopicSpec& topic) { return exists(counts_, topic); });
  if (wanted.empty()) return Missing{};
  Creation asked = reader_->create_topics(wanted, std::min(config_.timeout, kCreateTimeout));
  // A created topic shows in a broker's metadata a little later.
  const Deadline until = deadline();
  for (;;) {
    auto counts = reader_->list_topics(config_.timeout);
    if (!counts) return std::move(counts).error();
    adopt(*counts);
    std::erase_if(wanted, [this](const TopicSpec& topic) { return exists(counts_, topic); });
    const auto unseen = std::ranges::count_if(
        wanted, [&](const TopicSpec& topic) { return !asked.existing.contains(topic.name); });
    if (static_cast<std::size_t>(unseen) <= asked.refused.size() ||
        std::chrono::steady_clock::now() > until)
      break;
    std::this_thread::sleep_for(Millis(20));
  }
  for (const TopicSpec& topic : wanted) {
    if (asked.existing.contains(topic.name)) {
      warnings_.push_back(missing_topic(topic, config_.brokers, asked).message);
      continue;
    }
    const auto why =
        std::find_if(asked.refused.begin(), asked.refused.end(), [&](const std::string& text) {
          return text.compare(0, topic.name.size() + 1, topic.name + ':') == 0;
        });
    warnings_.push_back(fmt::format(
        "kafka: topic {} does not exist and could not be created ({}); run: {}",
        topic.name,
        why == asked.refused.end() ? "not seen yet" : why->substr(topic.name.size() + 2),
        create_command(topic, config_.brokers)));
  }
  return Missing{std::move(wanted), std::move(asked)};
}

void KafkaSink::adopt(const PartitionCounts& counts) {
  const std::string changes = config_.topic_prefix + "changes.";
  const std::string records = config_.topic_prefix + "records.";
  const std::string events = config_.topic_prefix + "events.";
  for (const auto& [name, count] : counts) {
    const bool ours = name.starts_with(changes) || name.starts_with(records) ||
                      name.starts_with(events) || name == topics_.cursors().name ||
                      name == topics_.quarantine().name;
    if (!ours) continue;
    counts_[name] = count;
    ends_[name].resize(static_cast<std::size_t>(count));
  }
}

Result<void> KafkaSink::list_ends() {
  auto ends = reader_->offsets(counts_, Client::Edge::End, config_.timeout);
  if (!ends) return std::move(ends).error();
  // In place: producers hold pointers to the lists.
  for (auto& [topic, offsets] : *ends) ends_[topic] = std::move(offsets);
  return {};
}

// ---- cursors

Result<void> KafkaSink::read_cursors(Client& reader) {
  const std::string topic = topics_.cursors().name;
  auto ends = reader_->offsets({{topic, counts_.at(topic)}}, Client::Edge::End, config_.timeout);
  if (!ends) return std::move(ends).error();
  for (const std::string& name : org_names_) orgs_.at(name).record = {};
  std::vector<Range> ranges;
  for (std::size_t i = 0; i < ends->at(topic).size(); ++i) {
    ranges.push_back({topic, static_cast<std::int32_t>(i), 0, ends->at(topic)[i]});
  }
  cursors_seen_ = ends->at(topic)[0];
  cursors_seen_at_ = clock_.monotonic_ms();
  return read_ranges(reader, ranges, config_.timeout, [this](const ReadMessage& message) {
    for (const std::string& name : org_names_) {
      Org& org = orgs_.at(name);
      if (message.key != org.key) continue;
      // One that cannot be read counts as none: everything is then read back and sent again.
      auto record = message.value ? parse_cursor_json(*message.value).value_or(CursorRecord{})
                                  : CursorRecord{};
      if (!lost_claim(org.record, record)) org.record = std::move(record);
    }
  });
}

Result<void> KafkaSink::check_holders() {
  for (const std::string& name : org_names_) {
    const Org& org = orgs_.at(name);
    if (org.record.holder.empty() || org.record.holder == holder_.holder) continue;
    const EpochMs age = clock_.now_ms() - org.record.updated_at;
    if (org.held || age < config_.claim_wait.count()) return held_by(org, org.record);
  }
  return {};
}

Error KafkaSink::held_by(const Org& org, const CursorRecord& record) const {
  if (org.held) {
    return taken_over(
        fmt::format("kafka: {} in {} was taken over by {}; this sink stays stopped until a restart",
                    org.key,
                    topics_.cursors().name,
                    record.holder));
  }
  const EpochMs age = clock_.now_ms() - record.updated_at;
  return claim_refused(
      fmt::format("kafka: {} in {} is held by {}, which wrote it {} ms ago; stop that daemon, or "
                  "wait until it has been silent for {} ms",
                  org.key,
                  topics_.cursors().name,
                  record.holder,
                  age,
                  config_.claim_wait.count()),
      config_.claim_wait - Millis(age));
}

Result<void> KafkaSink::open_lanes() {
  const std::string cursors = topics_.cursors().name;
  const auto add = [&](const std::string& lane_name,
                       const std::string& transactional_id) -> Result<void> {
    auto producer = Producer::create(config_, transactional_id, ends_);
    if (!producer) return std::move(producer).error();
    Lane& lane = lanes_[lane_name];
    lane.producer = std::move(producer).value();
    lane.cursors = &lane.producer->topic(cursors);
    lane.cursors->offsets = &cursor_offsets_;
    return transactional_id.empty() ? Result<void>{} : lane.producer->init_transactions(deadline());
  };
  if (!config_.transactions) return add({}, {});
  for (const std::string& name : org_names_) {
    if (auto done = add(name, config_.topic_prefix + "headwater." + name); !done) return done;
  }
  return {};
}

/// True if a topic holds less than our cursor record has seen in it, or is cut differently, or a
/// delivery showed it: it was truncated or made anew, so the cursor's rev says nothing.
bool KafkaSink::truncated(const Org& org) {
  const auto lost = [&](std::string_view topic, std::string_view what) {
    warnings_.push_back(fmt::format(
        "kafka: topic {} {}: it was truncated or made anew; all records of {} are sent again",
        topic,
        what,
        org.name));
    return true;
  };
  // By now it may be longer than it was.
  if (!made_anew_.empty()) return lost(made_anew_, "began anew while we wrote to it");
  for (const auto& [topic, offsets] : org.record.ends) {
    const auto now = ends_.find(topic);
    const bool gone = !counts_.contains(topic) || now == ends_.end();
    if (gone && held_nothing(offsets)) continue;
    std::string what;
    if (gone) {
      what = "is gone";
    } else if (now->second.size() != offsets.size()) {
      what = fmt::format("has {} partitions, had {}", now->second.size(), offsets.size());
    } else {
      for (std::size_t i = 0; i < offsets.size() && what.empty(); ++i) {
        if (now->second[i] >= offsets[i]) continue;
        what = fmt::format("ends at {} in partition {}, had {}", now->second[i], i, offsets[i]);
      }
    }
    if (!what.empty()) return lost(topic, what);
  }
  return false;
}

Result<void> KafkaSink::claim() {
  const std::int64_t looked = cursors_seen_;
  const Deadline until = deadline();
  for (const std::string& name : org_names_) {
    Org& org = orgs_.at(name);
    cursor_offsets_.clear();
    // A claim changes neither ledger nor rev. After a truncation that rev is no longer true of the
    // topics: forgotten here, so that a crash while they are filled again does not bring it back.
    if (truncated(org)) {
      org.record.rev = Rev{};
      org.record.commit_ts = 0;
      org.record.ends.clear();
    }
    org.foreign = !org.record.ledger.empty() && org.record.ledger != holder_.ledger;
    org.committed = 0;
    org.record.epoch += 1;
    org.record.claim = draw_claim();
    org.record.holder = holder_.holder;
    Lane& lane = config_.transactions ? lanes_.at(name) : lanes_.begin()->second;
    if (config_.transactions) {
      if (auto begun = lane.producer->begin(); !begun) return begun;
    }
    if (auto sent = send_cursor(lane, org, until); !sent) return sent;
    auto done = config_.transactions ? lane.producer->commit(until) : lane.producer->wait(until);
    if (!done) return done;
    if (cursor_offsets_.size() != 1 || cursor_offsets_.front() < 0)
      return transient("kafka: claim: the broker did not tell where our record stands");
    const std::int64_t ours = cursor_offsets_.front();
    // Org by org: daemons that claim at once in the same order cannot each win one.
    if (auto won = check_claim(org, looked, ours); !won) return won;
    // What others wrote after the first of our claims is looked at while we write.
    if (cursors_seen_ == looked) cursors_seen_ = ours + 1;
  }
  cursor_offsets_.clear();
  made_anew_.clear();
  return {};
}

/// Kafka takes every claim, so the log's order decides: refused if another claim that we had not
/// seen when we looked stands before ours. A record of an older epoch between the two is its loss:
/// it will see ours. One of our own name is a clone, or the last word of our last life: seen now,
/// it is taken over like any other of ours.
Result<void> KafkaSink::check_claim(const Org& org, std::int64_t looked, std::int64_t ours) {
  if (config_.transactions || looked >= ours) return {};  // the broker itself lets one through
  const Range between{topics_.cursors().name, 0, looked, ours};
  std::optional<CursorRecord> winner;
  auto done =
      read_ranges(*reader_, {&between, 1}, config_.timeout, [&](const ReadMessage& message) {
        if (message.key != org.key || !message.value) return;
        auto record = parse_cursor_json(*message.value);
        if (!record || record->claim == org.record.claim || record->epoch < org.record.epoch)
          return;
        if (!winner || !lost_claim(*winner, *record)) winner = std::move(record);
      });
  if (!done) return done;
  if (!winner) return done;
  if (winner->holder != holder_.holder) return held_by(org, *winner);
  return transient(
      fmt::format("kafka: {} in {} was claimed in our name at the same instant; looking again",
                  org.key,
                  topics_.cursors().name));
}

// ---- read-back

/// With transactions the cursors say what stands there. Not so where topics lost some of it, and
/// others not: what is told again from the start must not come twice on those.
bool KafkaSink::names_all_ends() const {
  return std::ranges::none_of(
      org_names_, [this](const std::string& name) { return orgs_.at(name).record.ends.empty(); });
}

void KafkaSink::plan_tail() {
  tail_.clear();
  for (const auto& [topic, count] : counts_) {
    if (topic == topics_.cursors().name) continue;
    for (std::int32_t partition = 0; partition < count; ++partition) {
      const auto at = static_cast<std::size_t>(partition);
      std::int64_t from = ends_.at(topic)[at];
      for (const std::string& name : org_names_) {
        const auto& named = orgs_.at(name).record.ends;
        const auto found = named.find(topic);
        from = std::min(from, found == named.end() ? 0 : found->second[at]);
      }
      tail_.push_back({topic, partition, from, ends_.at(topic)[at]});
    }
  }
}

Result<void> KafkaSink::read_back(std::uint64_t floor) {
  if (floor == 0) {
    known_.clear();
  } else {
    known_.clear_pairs();
  }
  const std::string records = config_.topic_prefix + "records.";
  Client& reader = config_.transactions ? *committed_ : *reader_;
  auto done = read_ranges(reader, tail_, config_.timeout, [&](const ReadMessage& message) {
    Org* org = org_of(message.org);
    if (org == nullptr) return;
    org->record.highest = std::max(org->record.highest, Rev{message.rev});
    // Below the cursor, after what it names, and of an epoch before the last one: it came late.
    // (Above the cursor everything that is not the newest is sent again anyway.)
    if (floor == 0 && message.rev <= org->record.rev.value && message.topic.starts_with(records) &&
        message.epoch + 1 < org->record.epoch) {
      late_keys_.add(message);
    }
    if (message.rev <= std::max(floor, org->record.rev.value)) return;
    if (!message.topic.starts_with(records)) {
      known_.add_change(message.key, message.rev);
    } else if (floor == 0 && !org->foreign) {
      // Another ledger's revs have no order with ours.
      known_.add_record(message.key, message.rev);
    }
  });
  known_.finish();
  return done;
}

}  // namespace headwater::kafka
