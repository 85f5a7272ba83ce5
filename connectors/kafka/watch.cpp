#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <unordered_set>

#include "connectors/claim.hpp"
#include "connectors/kafka/sink.hpp"

namespace headwater::kafka {
namespace {

/// At most this long after a foreign record in the cursors topic, the next write sees it.
constexpr std::int64_t kRivalCheckMs = 1'000;
/// Bound of the one late check, in messages over all partitions.
constexpr std::int64_t kLateCheckMessages = 500'000;

}  // namespace

Result<void> KafkaSink::watch() {
  if (config_.transactions) return {};  // the broker itself refuses a fenced producer
  if (clock_.monotonic_ms() - cursors_seen_at_ >= kRivalCheckMs) {
    if (auto done = check_rivals(*reader_); !done) return done;
    if (auto done = look_into_gaps(); !done) return done;
  }
  if (late_check_at_ && clock_.monotonic_ms() >= *late_check_at_) return count_late_repeats();
  return {};
}

/// Reads what is new in the cursors topic. Fatal if a later epoch wrote under our keys; a record of
/// an older epoch, or a claim that lost to ours, is outdone by writing ours again.
Result<void> KafkaSink::check_rivals(Client& reader) {
  const std::string topic = topics_.cursors().name;
  auto ends = reader_->offsets({{topic, counts_.at(topic)}}, Client::Edge::End, config_.timeout);
  if (!ends) return std::move(ends).error();
  const Range fresh{topic, 0, cursors_seen_, ends->at(topic)[0]};
  std::string rival;
  std::set<Org*> covered;  // orgs whose record is no longer the last one
  auto done = read_ranges(reader, {&fresh, 1}, config_.timeout, [&](const ReadMessage& message) {
    for (const std::string& name : org_names_) {
      Org& org = orgs_.at(name);
      if (message.key != org.key || !message.value) continue;
      const auto record = parse_cursor_json(*message.value);
      if (!record) continue;
      if (record->epoch > org.record.epoch) {
        rival = record->holder;
      } else if (record->epoch < org.record.epoch || lost_claim(org.record, *record)) {
        covered.insert(&org);
      } else {
        covered.erase(&org);
      }
    }
  });
  if (!done) return done;
  cursors_seen_ = fresh.to;
  cursors_seen_at_ = clock_.monotonic_ms();
  if (rival.empty()) return put_on_top(covered);
  return taken_over(fmt::format(
      "kafka: {} has taken over our cursor in {}; this sink stays stopped until a restart",
      rival,
      topic));
}

/// A predecessor that we have fenced wrote its cursor late, by a last request or after a pause, or
/// a rival's claim came after ours: it will see ours and stop, and the next open must find ours.
Result<void> KafkaSink::put_on_top(const std::set<Org*>& covered) {
  if (covered.empty() || lanes_.empty()) return {};
  const Deadline until = deadline();
  Lane& lane = lanes_.begin()->second;
  for (Org* org : covered) {
    if (auto done = send_cursor(lane, *org, until); !done) return done;
  }
  return lane.producer->wait(until);
}

/// Our own cursor records should stand one after the other. A gap holds somebody else's.
Result<void> KafkaSink::note_cursor_offsets() {
  std::sort(cursor_offsets_.begin(), cursor_offsets_.end());
  std::int64_t next = cursors_seen_;
  bool gap = false;
  for (const std::int64_t offset : cursor_offsets_) {
    gap = gap || offset != next;
    next = offset + 1;
  }
  const bool any = !cursor_offsets_.empty();
  cursor_offsets_.clear();
  if (gap) return check_rivals(*reader_);
  cursors_seen_ = next;
  if (any) cursors_seen_at_ = clock_.monotonic_ms();
  return {};
}

/// Reads once more what was written since open. A pair that stands there twice is a request of a
/// dead predecessor that the broker took after we had read back.
Result<void> KafkaSink::count_late_repeats() {
  late_check_at_.reset();
  auto ends = reader_->offsets(counts_, Client::Edge::End, config_.timeout);
  if (!ends) return std::move(ends).error();
  std::vector<Range> ranges;
  for (const auto& [topic, offsets] : opened_ends_) {
    if (topic.starts_with(config_.topic_prefix + "records.")) {
      // Behind our last message no delivery of ours shows a gap.
      for (std::size_t i = 0; i < offsets.size(); ++i) {
        const std::int64_t from = ends_.at(topic)[i], to = ends->at(topic)[i];
        if (from < to) add_gap(gaps_, {topic, static_cast<std::int32_t>(i), from, to});
      }
    }
    if (!topic.starts_with(config_.topic_prefix + "changes.") &&
        !topic.starts_with(config_.topic_prefix + "events."))
      continue;
    for (std::size_t i = 0; i < offsets.size(); ++i) {
      const std::int64_t to = ends->at(topic)[i];
      if (offsets[i] < to) ranges.push_back({topic, static_cast<std::int32_t>(i), offsets[i], to});
    }
  }
  opened_ends_.clear();
  if (auto done = look_into_gaps(); !done) return done;
  if (ranges.empty()) return {};
  const auto each =
      std::max<std::int64_t>(kLateCheckMessages / static_cast<std::int64_t>(ranges.size()), 1);
  for (Range& range : ranges) range.to = std::min(range.to, range.from + each);
  std::unordered_set<std::uint64_t> seen;
  return read_ranges(*reader_, ranges, config_.timeout, [&](const ReadMessage& message) {
    if (org_of(message.org) == nullptr) return;
    const auto pair =
        std::hash<std::string_view>{}(message.key) ^ (message.rev * 0x9e3779b97f4a7c15ULL);
    if (!seen.insert(pair).second) ++late_repeats_;
  });
}

/// The broker says fenced: by a rival, or only because our transaction had timed out while we
/// slept. Only a rival's committed claim makes it final.
Error KafkaSink::fenced_by_whom(Error error) {
  auto committed = Client::create(config_, {Client::Role::CommittedReader, {}, nullptr, nullptr});
  if (!committed) return std::move(committed).error();
  if (auto looked = check_rivals(**committed); !looked) return std::move(looked).error();
  error.kind = ErrorKind::Transient;
  error.message += "; no other holder is seen, so our own transaction had expired";
  return error;
}

}  // namespace headwater::kafka
