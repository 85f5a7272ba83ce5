#include "daemon/ledger/journal.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "daemon/ledger/keys.hpp"

namespace headwater::ledger {
namespace {

constexpr std::uint8_t kFormat = 1;
/// A segment is closed at this size, so that the accounts of a full journal stay a few thousand
/// rows.
constexpr std::uint64_t kSegmentBytes = 4ULL << 20;
/// Dropped at once: few, large range tombstones (facebook/rocksdb#3959).
constexpr std::uint64_t kTrimBytes = 64ULL << 20;
constexpr std::uint64_t kStartJumpMax = 1'000'000;

std::uint64_t segment_bytes(std::uint64_t bytes_max) {
  return std::clamp<std::uint64_t>(bytes_max / 32, 1, kSegmentBytes);
}
std::uint64_t trim_bytes(std::uint64_t bytes_max) {
  return std::clamp<std::uint64_t>(bytes_max / 8, 1, kTrimBytes);
}

}  // namespace

Journal::Journal(Store& store, const Clock& clock, const LedgerOptions& options)
    : store_(store),
      clock_(clock),
      bytes_max_(options.journal_bytes_max),
      keep_ms_(options.journal_keep.count()),
      random_(options.seed != 0 ? options.seed : std::random_device{}()) {}

void Journal::put_segment(std::string& out, const Segment& segment) {
  put_varint(out, segment.first.value);
  put_varint(out, segment.last.value);
  put_varint(out, segment.entries);
  put_varint(out, segment.bytes);
  put_signed(out, segment.newest_ms);
}

Journal::Segment Journal::read_segment(ByteReader& reader) {
  Segment segment;
  segment.first = Rev{reader.varint()};
  segment.last = Rev{reader.varint()};
  segment.entries = reader.varint();
  segment.bytes = reader.varint();
  segment.newest_ms = reader.signed_varint();
  return segment;
}

Result<void> Journal::load(Rev birth) {
  const auto damaged = [] {
    return fatal(
        "ledger: the accounts of the journal are damaged or of a newer format; start the version "
        "that wrote them, or restore a backup");
  };
  auto scan = store_.scan(Family::Meta, kSegmentPrefix);
  for (; scan->valid() && scan->key().starts_with(kSegmentPrefix); scan->next()) {
    ByteReader reader(scan->value());
    segments_.push_back(read_segment(reader));
    if (!reader.ok()) return damaged();
  }
  if (auto ok = scan->status(); !ok) return ok;
  segments_.emplace_back();
  std::string bytes;
  auto found = store_.get(Family::Meta, kTailKey, bytes);
  if (!found) return found.error();
  if (*found) {
    ByteReader reader(bytes);
    if (reader.byte() != kFormat) return damaged();
    last_ = Rev{reader.varint()};
    trimmed_ = reader.varint();
    segments_.back() = read_segment(reader);
    if (!reader.ok()) return damaged();
  }
  for (const Segment& segment : segments_) {
    entries_ += segment.entries;
    bytes_ += segment.bytes;
  }
  scan = store_.scan(Family::Meta, kStartPrefix);
  for (; scan->valid() && scan->key().starts_with(kStartPrefix); scan->next()) {
    ByteReader reader(scan->value());
    gaps_.push_back({Rev{reader.varint()}, rev_of_key(scan->key())});
    if (!reader.ok()) return damaged();
  }
  if (auto ok = scan->status(); !ok) return ok;
  head_ = last_.value;
  next_ = first_of_start(birth);
  return {};
}

/// Two copies of one directory start at two moments, and so at two revs which neither reaches from
/// the other. Also while revs run ahead of the clock, after it went back: they stay ahead by as
/// much as they were.
Rev Journal::first_of_start(Rev birth) {
  const auto now = static_cast<std::uint64_t>(std::max<std::int64_t>(clock_.now_us(), 1));
  const auto jump = 1 + random_() % kStartJumpMax;
  // A birth that wrote nothing yet may lie in another copy of the directory as well: it too is left
  // behind by a jump.
  const std::uint64_t floor = std::max(last_, birth).value;
  if (floor < now) return Rev{floor == 0 ? now : std::max(floor + jump, now)};
  const bool begun = segments_.back().entries > 0 || segments_.size() == 1;
  const EpochMs newest_ms = segments_[segments_.size() - (begun ? 1 : 2)].newest_ms;  // of last_
  const auto newest = static_cast<std::uint64_t>(std::max<EpochMs>(newest_ms, 0)) * 1000;
  const std::uint64_t ahead = newest == 0 || newest > last_.value ? 0 : last_.value - newest;
  return Rev{std::max(floor + jump, now + ahead)};
}

Rev Journal::next() {
  const Rev rev = next_;
  next_.value = rev.value + 1;
  return rev;
}

void Journal::raise(Rev above) {
  if (next_ > above) return;
  // Any rev left out from here on is a gap like that of a start.
  next_ = Rev{above.value + 1};
  started_ = false;
}

void Journal::put(StoreBatch& batch, Rev rev, std::string_view entry) {
  batch.put(Family::Journal, rev_key(rev), entry);
  const std::lock_guard lock(mutex_);
  if (!started_) {
    std::string before;
    put_varint(before, last_.value);
    batch.put(Family::Meta, rev_key(kStartPrefix, rev), before);
    gaps_.push_back({last_, rev});
    started_ = true;
  }
  Segment& open = segments_.back();
  if (open.entries == 0) open.first = rev;
  open.last = rev;
  ++open.entries;
  open.bytes += entry.size() + 8;
  open.newest_ms = clock_.now_ms();
  ++entries_;
  bytes_ += entry.size() + 8;
  last_ = rev;
  dirty_ = true;
  if (open.bytes >= segment_bytes(bytes_max_)) {
    closed_.push_back(open);
    segments_.emplace_back();
  }
}

void Journal::stage(StoreBatch& batch) {
  if (!dirty_) return;
  std::string bytes;
  for (const Segment& segment : closed_) {
    bytes.clear();
    put_segment(bytes, segment);
    batch.put(Family::Meta, rev_key(kSegmentPrefix, segment.last), bytes);
  }
  closed_.clear();
  bytes.clear();
  put_byte(bytes, kFormat);
  put_varint(bytes, last_.value);
  put_varint(bytes, trimmed_.load());
  put_segment(bytes, segments_.back());
  batch.put(Family::Meta, kTailKey, bytes);
  dirty_ = false;
}

void Journal::publish() {
  if (head_.load(std::memory_order_relaxed) == last_.value) return;
  {
    const std::lock_guard lock(mutex_);
    head_.store(last_.value, std::memory_order_release);
  }
  grew_.notify_all();
}

bool Journal::gave(Rev rev) const {
  if (rev > last_) return false;
  const std::lock_guard lock(mutex_);
  return std::ranges::none_of(gaps_,
                              [&](const Gap& gap) { return rev > gap.before && rev < gap.after; });
}

bool Journal::wait_for(Rev seen,
                       std::chrono::steady_clock::time_point until,
                       std::stop_token stop,
                       const std::function<bool()>& unless) const {
  std::unique_lock lock(mutex_);
  // Asked under the lock that wake() takes: what comes after it wakes us.
  if (unless && unless()) return head() > seen;
  const std::uint64_t wakes = wakes_;
  grew_.wait_until(lock, stop, until, [&] { return head() > seen || wakes_ != wakes; });
  return head() > seen;
}

void Journal::wake() const {
  {
    const std::lock_guard lock(mutex_);
    ++wakes_;
  }
  grew_.notify_all();
}

Rev Journal::owed_from() const {
  Rev least{~0ULL};
  for (const auto& [sink, cursor] : holds_) least = std::min(least, cursor);
  return least;
}

bool Journal::over_bound() const {
  const std::lock_guard lock(mutex_);
  return bytes_ >= bytes_max_;
}

JournalFacts Journal::facts() const {
  const std::lock_guard lock(mutex_);
  JournalFacts facts;
  facts.head = head();
  facts.entries = entries_;
  facts.bytes = bytes_;
  facts.bytes_max = bytes_max_;
  const Segment& first = segments_.front();
  facts.first =
      first.entries != 0 || trimmed_to().value == 0 ? first.first : Rev{trimmed_to().value + 1};
  facts.oldest_ts = first.newest_ms;
  // Full only if dropping what nobody owes would not help: the oldest entries are owed.
  facts.full = bytes_ >= bytes_max_ && owed_from() < first.last;
  return facts;
}

std::uint64_t Journal::entries_after(Rev rev) const {
  const std::lock_guard lock(mutex_);
  const Rev upto = head();
  const Rev from = std::max(rev, trimmed_to());
  if (from >= upto) return 0;
  // Revs are given without a gap but for the jumps.
  std::uint64_t count = upto.value - from.value;
  for (const Gap& gap : gaps_) {
    if (gap.after > upto || gap.after <= from) continue;
    count -= gap.after.value - std::max(gap.before, from).value - 1;
  }
  return count;
}

Result<void> Journal::read(
    Rev after, std::size_t entries_max, std::size_t bytes_max, NameTables& names, EntryBatch& out) {
  const Rev upto = head();
  const Rev trimmed = trimmed_to();
  if (after < trimmed) {
    return transient(fmt::format("ledger: the journal no longer holds what follows rev {} (it "
                                 "starts after {}); the sink is opened again and materialized",
                                 after.value,
                                 trimmed.value),
                     "trimmed");
  }
  if (after >= upto) return {};
  // Never from the first key: it may lie under range tombstones, which are slow to pass.
  auto scan = store_.scan(Family::Journal, rev_key(Rev{std::max(after, trimmed).value + 1}));
  // A trim may have come between the look above and the scan, which then begins behind the gap. It
  // says so before it erases.
  if (after < trimmed_to())
    return transient("ledger: the journal was trimmed while it was read; again", "trimmed");
  std::size_t entries = 0;
  std::size_t bytes = 0;
  for (; scan->valid() && entries < entries_max; scan->next()) {
    const Rev rev = rev_of_key(scan->key());
    if (rev > upto) break;
    if (entries > 0 && bytes + scan->value().size() > bytes_max) break;
    if (auto ok = out.add(rev, scan->value(), names); !ok) return fatal(ok.error().message);
    bytes += scan->value().size();
    ++entries;
  }
  return scan->status();
}

void Journal::hold(std::string_view sink, std::optional<Rev> cursor) {
  const std::lock_guard lock(mutex_);
  if (cursor) {
    holds_.insert_or_assign(std::string(sink), *cursor);
  } else if (const auto at = holds_.find(sink); at != holds_.end()) {
    holds_.erase(at);
  }
}

bool Journal::stage_trim(StoreBatch& batch, EpochMs now) {
  const std::lock_guard lock(mutex_);
  const Rev owed_from_rev = owed_from();
  std::size_t count = 0;
  std::uint64_t bytes = 0;
  bool at_bound = false;
  while (count + 1 < segments_.size()) {  // the open one stays
    const Segment& segment = segments_[count];
    if (segment.last > owed_from_rev) break;
    const bool kept = segment.newest_ms + keep_ms_ > now;
    const bool over = bytes_ - bytes >= bytes_max_ - bytes_max_ / 8;
    if (kept && !over) break;
    // At the bound itself any bit helps: nothing more comes in until something is dropped.
    at_bound = at_bound || (over && (kept || bytes_ >= bytes_max_));
    bytes += segment.bytes;
    ++count;
  }
  if (count == 0 || (bytes < trim_bytes(bytes_max_) && !at_bound)) return false;
  const Rev first = segments_.front().first;
  const Rev upto = segments_[count - 1].last;
  batch.erase_range(Family::Journal, rev_key(first), rev_key(Rev{upto.value + 1}));
  for (std::size_t i = 0; i < count; ++i) {
    batch.erase(Family::Meta, rev_key(kSegmentPrefix, segments_.front().last));
    entries_ -= segments_.front().entries;
    bytes_ -= segments_.front().bytes;
    segments_.pop_front();
  }
  trimmed_ = upto.value;
  dirty_ = true;
  return true;
}

}  // namespace headwater::ledger
