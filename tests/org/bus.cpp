#include "tests/org/bus.hpp"

#include <algorithm>
#include <random>

#include "schemas/core/bytes.hpp"

namespace headwater::org {
namespace {

constexpr std::size_t kReplaySize = 10;

}  // namespace

void put_replay(std::string& out, std::uint64_t replay) {
  out.clear();
  put_be64(out, replay);
  out.append(2, '\0');
}

std::optional<std::uint64_t> parse_replay(std::string_view bytes) {
  if (bytes.size() != kReplaySize || bytes.substr(8) != std::string_view("\0\0", 2)) {
    return std::nullopt;
  }
  return ByteReader(bytes).be64();
}

Bus::Bus(Millis retention) : retention_(retention) {
  std::random_device entropy;
  replay_ = 0x100000 + (std::uint64_t{entropy()} << 4);
  gaps_ = entropy();
}

std::uint64_t Bus::next_replay() {
  gaps_ = gaps_ * 6364136223846793005U + 1442695040888963407U;
  const auto gap =
      (gaps_ >> 60) == 0 ? (gaps_ >> 40 & 0x3ff) : 0;  // now and then, other orgs' events
  replay_ += 1 + gap;
  return replay_;
}

std::vector<std::uint64_t> Bus::publish(std::span<NewEvent> events) {
  std::function<void()> listener;
  std::vector<std::uint64_t> replays;
  replays.reserve(events.size());
  {
    const std::lock_guard lock(mutex_);
    const auto now = clock_.now_ms();
    for (auto& event : events) {
      const auto schema = schema_ids_.insert(std::move(event.schema_id)).first;
      payload_bytes_ += event.payload.size();
      replays.push_back(next_replay());
      events_.push_back({replays.back(),
                         now,
                         event.object,
                         &*schema,
                         std::move(event.payload),
                         std::move(event.uuid)});
    }
    published_ += events.size();
    if (!held_) listener = show();
    expire();
  }
  if (listener) listener();
  return replays;
}

std::function<void()> Bus::show() {
  if (visible_ < events_.size()) {
    visible_ = events_.size();
    last_event_ = events_.back().replay;
    tip_ = 0;
  }
  return listener_;
}

std::string Bus::newest_position() const {
  const std::lock_guard lock(mutex_);
  std::string out;
  put_replay(out, tip_ != 0 ? tip_ : last_event_);
  return out;
}

void Bus::on_published(std::function<void()> listener) {
  const std::lock_guard lock(mutex_);
  listener_ = std::move(listener);
}

void Bus::hold() {
  const std::lock_guard lock(mutex_);
  held_ = true;
  if (tip_ == 0)
    tip_ = next_replay();  // so that none is made beyond events that readers do not see yet
}

void Bus::release() {
  std::function<void()> listener;
  {
    const std::lock_guard lock(mutex_);
    held_ = false;
    listener = show();
  }
  if (listener) listener();
}

Bus::Cursor Bus::latest() const {
  const std::lock_guard lock(mutex_);
  return end();
}

Bus::Cursor Bus::earliest() {
  const std::lock_guard lock(mutex_);
  expire();
  return first_;
}

std::optional<Bus::Cursor> Bus::after(std::string_view replay_id, const ObjectDef* topic) {
  const auto replay = parse_replay(replay_id);
  if (!replay) return std::nullopt;
  const std::lock_guard lock(mutex_);
  expire();
  if (const auto mark = marks_.find({*replay, topic}); mark != marks_.end()) return mark->second;
  const auto found = std::lower_bound(
      events_.begin(), events_.end(), *replay, [](const Stored& event, std::uint64_t wanted) {
        return event.replay < wanted;
      });
  if (found == events_.end() || found->replay != *replay) return std::nullopt;
  if (topic != nullptr && found->object != topic) return std::nullopt;
  return first_ + static_cast<Cursor>(found - events_.begin()) + 1;
}

void Bus::skip_to_topic(Cursor& cursor, const ObjectDef* topic) const {
  cursor = std::max(cursor, first_);
  if (topic == nullptr) return;
  while (cursor < end() && events_[cursor - first_].object != topic) ++cursor;
}

std::size_t Bus::read(Cursor& cursor,
                      const ObjectDef* topic,
                      std::size_t limit,
                      const std::function<bool(const BusEvent&)>& take) {
  const std::lock_guard lock(mutex_);
  std::size_t taken = 0;
  while (taken < limit) {
    skip_to_topic(cursor, topic);
    if (cursor >= end()) break;
    const auto& event = events_[cursor - first_];
    ++cursor;
    ++taken;
    if (!take({event.payload, *event.schema_id, event.uuid, event.replay})) break;
  }
  return taken;
}

bool Bus::has_more(Cursor& cursor, const ObjectDef* topic) {
  const std::lock_guard lock(mutex_);
  skip_to_topic(cursor, topic);
  return cursor < end();
}

std::optional<std::string> Bus::tip(Cursor& cursor, const ObjectDef* topic) {
  const std::lock_guard lock(mutex_);
  skip_to_topic(cursor, topic);
  if (cursor < end()) return std::nullopt;
  if (tip_ == 0) tip_ = next_replay();
  const auto replay = tip_;
  marks_.insert_or_assign(Mark{replay, topic}, end());
  std::string out;
  put_replay(out, replay);
  return out;
}

void Bus::expire() {
  if (held_) return;
  const auto oldest = clock_.now_ms() - retention_.count();
  if (events_.empty() || events_.front().at >= oldest) return;
  while (!events_.empty() && events_.front().at < oldest) {
    events_.pop_front();
    ++first_;
    --visible_;
  }
  std::erase_if(marks_, [this](const auto& mark) { return mark.second < first_; });
}

void Bus::drop_all() {
  const std::lock_guard lock(mutex_);
  first_ = end();
  events_.erase(events_.begin(), events_.begin() + static_cast<std::ptrdiff_t>(visible_));
  visible_ = 0;
  marks_.clear();
  tip_ = 0;
}

std::uint64_t Bus::published() const {
  const std::lock_guard lock(mutex_);
  return published_;
}

std::uint64_t Bus::payload_bytes() const {
  const std::lock_guard lock(mutex_);
  return payload_bytes_;
}

}  // namespace headwater::org
