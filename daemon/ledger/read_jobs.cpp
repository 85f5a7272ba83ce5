#include "daemon/ledger/read_jobs.hpp"

#include <algorithm>
#include <array>

#include "daemon/ledger/keys.hpp"

namespace headwater::ledger {
namespace {

/// Of a job 1 had no `since`, no proof and no types, of a last reading no types.
constexpr std::uint8_t kFormat = 2;

std::string number_key(std::uint64_t number) {
  std::string out(kReadJobPrefix);
  put_be64(out, number);
  return out;
}

// Members of one type in their order on disk.
template <typename Job>
auto texts_of(Job& job) {
  return std::array{&job.org,
                    &job.object,
                    &job.where,
                    &job.by,
                    &job.fields,
                    &job.left_out,
                    &job.last_id,
                    &job.bulk_id,
                    &job.locator,
                    &job.settled_to,
                    &job.error};
}
template <typename Job>
auto counts_of(Job& job) {
  return std::array{&job.bulk_rows,
                    &job.run,
                    &job.chunks,
                    &job.rows,
                    &job.expected,
                    &job.entries,
                    &job.deleted,
                    &job.unseen};
}
template <typename Job>
auto times_of(Job& job) {
  return std::array{&job.created_at, &job.started_at, &job.ended_at, &job.next_try};
}

void put_job(std::string& out, const ReadJob& job) {
  put_byte(out, kFormat);
  for (const auto code : {static_cast<int>(job.why),
                          static_cast<int>(job.state),
                          static_cast<int>(job.api),
                          static_cast<int>(job.settling),
                          int{job.paused} | int{job.confirmed} << 1 | int{job.braked} << 2})
    put_byte(out, static_cast<std::uint8_t>(code));
  for (const auto* text : texts_of(job)) put_text(out, *text);
  for (const auto* count : counts_of(job)) put_varint(out, *count);
  for (const auto* time : times_of(job)) put_signed(out, *time);
  put_varint(out, job.failures);
  put_version(out, job.noted);
  put_varint(out, job.holes.size());
  for (const AnsweredHole& hole : job.holes) {
    put_varint(out, hole.number.value);
    put_version(out, hole.version);
    put_signed(out, hole.to_ts);
  }
  put_signed(out, job.since);
  put_text(out, job.proof);
  put_text(out, job.types);
}

std::optional<ReadJob> read_job(std::string_view bytes) {
  ReadJob job;
  ByteReader reader(bytes);
  const auto format = reader.byte();
  if (format < 1 || format > kFormat) return std::nullopt;
  job.why = static_cast<ReadJob::Why>(reader.byte());
  job.state = static_cast<ReadJob::State>(reader.byte());
  job.api = static_cast<ReadJob::Api>(reader.byte());
  job.settling = static_cast<ReadJob::Settling>(reader.byte());
  const auto flags = reader.byte();
  job.paused = (flags & 1) != 0;
  job.confirmed = (flags & 2) != 0;
  job.braked = (flags & 4) != 0;
  for (auto* text : texts_of(job)) *text = reader.text();
  for (auto* count : counts_of(job)) *count = reader.varint();
  for (auto* time : times_of(job)) *time = reader.signed_varint();
  job.failures = static_cast<std::uint32_t>(reader.varint());
  job.noted = read_version(reader);
  const auto holes = reader.varint();
  for (std::uint64_t i = 0; reader.ok() && i < holes; ++i) {
    AnsweredHole& hole = job.holes.emplace_back();
    hole.number = Rev{reader.varint()};
    hole.version = read_version(reader);
    hole.to_ts = reader.signed_varint();
  }
  if (format >= 2) {
    job.since = reader.signed_varint();
    job.proof = reader.text();
    job.types = reader.text();
  }
  if (!reader.ok()) return std::nullopt;
  return job;
}

void put_snapped(std::string& out, const Snapped& snapped) {
  put_byte(out, kFormat);
  put_version(out, snapped.noted);
  put_signed(out, snapped.at);
  put_varint(out, snapped.job);
  put_text(out, snapped.fields);
  put_text(out, snapped.types);
}

std::optional<Snapped> read_snapped(std::string_view bytes) {
  Snapped snapped;
  ByteReader reader(bytes);
  const auto format = reader.byte();
  if (format < 1 || format > kFormat) return std::nullopt;
  snapped.noted = read_version(reader);
  snapped.at = reader.signed_varint();
  snapped.job = reader.varint();
  snapped.fields = reader.text();
  if (format >= 2) snapped.types = reader.text();
  if (!reader.ok()) return std::nullopt;
  return snapped;
}

std::vector<std::string_view> items_of(std::string_view joined) {
  std::vector<std::string_view> out;
  while (!joined.empty()) {
    const auto comma = std::min(joined.find(','), joined.size());
    out.push_back(joined.substr(0, comma));
    joined.remove_prefix(std::min(comma + 1, joined.size()));
  }
  return out;
}

/// The job's fields but for those that could not be queried, and their types: a field that was left
/// out is new once it can be had.
std::pair<std::string, std::string> fields_read(const ReadJob& job) {
  const auto fields = items_of(job.fields), types = items_of(job.types);
  const auto left_out = items_of(job.left_out);
  std::pair<std::string, std::string> out;
  const auto add = [](std::string& list, std::string_view item) {
    if (!list.empty()) list += ',';
    list += item;
  };
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (std::ranges::find(left_out, fields[i]) != left_out.end()) continue;
    add(out.first, fields[i]);
    if (i < types.size()) add(out.second, types[i]);
  }
  return out;
}

Error damaged(std::string_view what) {
  return fatal(std::string("ledger: the row of ") + std::string(what) +
               " is damaged or of a newer format; start the version that wrote it");
}

}  // namespace

std::string_view to_string(ReadJob::Why why) {
  switch (why) {
    case ReadJob::Why::Snapshot:
      return "snapshot";
    case ReadJob::Why::Resync:
      return "resync";
    case ReadJob::Why::Repair:
      return "repair";
  }
  return "?";
}

std::string_view to_string(ReadJob::State state) {
  switch (state) {
    case ReadJob::State::Queued:
      return "queued";
    case ReadJob::State::Reading:
      return "reading";
    case ReadJob::State::Settling:
      return "settling";
    case ReadJob::State::Done:
      return "done";
    case ReadJob::State::Cancelled:
      return "cancelled";
    case ReadJob::State::Failed:
      return "failed";
  }
  return "?";
}

std::string_view shown_state(const ReadJob& job) {
  return job.open() && job.paused ? "paused" : to_string(job.state);
}

Result<void> ReadJobs::load() {
  auto scan = store_.scan(Family::Meta, kReadJobPrefix);
  for (; scan->valid() && scan->key().starts_with(kReadJobPrefix); scan->next()) {
    auto job = read_job(scan->value());
    if (!job) return damaged("a read job");
    job->number = rev_of_key(scan->key()).value;
    last_number_ = std::max(last_number_, job->number);
    jobs_[job->number].job = std::move(*job);
  }
  if (auto ok = scan->status(); !ok) return ok;
  scan = store_.scan(Family::Meta, kSnappedPrefix);
  for (; scan->valid() && scan->key().starts_with(kSnappedPrefix); scan->next()) {
    auto snapped = read_snapped(scan->value());
    if (!snapped) return damaged("an object's last snapshot");
    snapped_.emplace(scan->key().substr(kSnappedPrefix.size()), std::move(*snapped));
  }
  return scan->status();
}

const ReadJob& ReadJobs::add(ReadJob job) {
  const std::lock_guard lock(mutex_);
  job.number = ++last_number_;
  job.created_at = clock_.now_ms();
  Held& held = jobs_[job.number];
  held.job = std::move(job);
  held.dirty = true;
  forget_surplus(held.job);
  return held.job;
}

/// Holes that one of them answered are answered by the newer ones, or have the object read again.
void ReadJobs::forget_surplus(const ReadJob& added) {
  std::vector<std::uint64_t> ended;
  for (const auto& [number, held] : jobs_) {
    const bool same = held.job.org == added.org && held.job.object == added.object;
    if (same && !held.job.open()) ended.push_back(number);
  }
  const std::size_t kept = std::min(ended.size(), kEndedJobsOfObjectMax);
  ended.resize(ended.size() - kept);
  for (const std::uint64_t number : ended) {
    jobs_.erase(number);
    forgotten_.push_back(number);
  }
}

const ReadJob* ReadJobs::find(std::uint64_t number) const {
  const auto at = jobs_.find(number);
  return at == jobs_.end() ? nullptr : &at->second.job;
}

bool ReadJobs::change(std::uint64_t number, const std::function<void(ReadJob&)>& change) {
  const std::lock_guard lock(mutex_);
  const auto at = jobs_.find(number);
  if (at == jobs_.end()) return false;
  const auto run = at->second.job.run;
  change(at->second.job);
  if (at->second.job.run != run) at->second.early.clear();
  at->second.dirty = true;
  return true;
}

void ReadJobs::advance(const JobProgress& progress, std::uint64_t entries, std::uint64_t deleted) {
  const std::lock_guard lock(mutex_);
  const auto at = jobs_.find(progress.job);
  if (at == jobs_.end()) return;
  Held& held = at->second;
  ReadJob& job = held.job;
  if (job.state != ReadJob::State::Reading || progress.run != job.run ||
      progress.chunk <= job.chunks)
    return;
  held.early.insert_or_assign(progress.chunk, Held::Early{progress, entries, deleted});
  for (auto next = held.early.begin(); next != held.early.end() && next->first == job.chunks + 1;
       next = held.early.erase(next)) {
    const auto& [step, made, gone] = next->second;
    ++job.chunks;
    job.rows += step.rows;
    job.entries += made;
    job.deleted += gone;
    job.last_id = step.last_id;
    job.locator = step.locator;
    job.bulk_rows = step.bulk_rows;
    job.failures = 0;
    job.error.clear();
    if (step.read_all) {
      job.state = ReadJob::State::Settling;
      job.settling = job.whole()      ? ReadJob::Settling::Counting
                     : job.since != 0 ? ReadJob::Settling::Log
                                      : ReadJob::Settling::Waiting;
    }
    held.dirty = true;
  }
}

void ReadJobs::found_gone(std::string_view org, std::string_view object) {
  const std::lock_guard lock(mutex_);
  for (auto& [number, held] : jobs_) {
    ReadJob& job = held.job;
    if (job.state != ReadJob::State::Settling || job.org != org || job.object != object) continue;
    ++job.deleted;
    held.dirty = true;
  }
}

void ReadJobs::snapped(const ReadJob& job) {
  const std::lock_guard lock(mutex_);
  const std::string key = make_key(job.org, job.object);
  const auto [fields, types] = fields_read(job);
  snapped_.insert_or_assign(key, Snapped{job.noted, clock_.now_ms(), job.number, fields, types});
  snapped_dirty_.push_back(key);
}

void ReadJobs::stage(StoreBatch& batch) {
  const std::lock_guard lock(mutex_);
  std::string bytes;
  for (const std::uint64_t number : forgotten_) batch.erase(Family::Meta, number_key(number));
  forgotten_.clear();
  const EpochMs now = clock_.now_ms();
  for (auto at = jobs_.begin(); at != jobs_.end();) {
    const ReadJob& job = at->second.job;
    // The newest stays: its number is the last that was given.
    if (!job.open() && job.number != last_number_ && now - job.ended_at > kEndedJobKeptMs) {
      batch.erase(Family::Meta, number_key(job.number));
      at = jobs_.erase(at);
      continue;
    }
    if (at->second.dirty) {
      bytes.clear();
      put_job(bytes, job);
      batch.put(Family::Meta, number_key(job.number), bytes);
      at->second.dirty = false;
    }
    ++at;
  }
  for (const std::string& key : snapped_dirty_) {
    bytes.clear();
    put_snapped(bytes, snapped_.find(key)->second);
    batch.put(Family::Meta, std::string(kSnappedPrefix) + key, bytes);
  }
  snapped_dirty_.clear();
}

bool ReadJobs::brake_released(std::string_view org, std::string_view object) const {
  return std::any_of(jobs_.begin(), jobs_.end(), [&](const auto& held) {
    const ReadJob& job = held.second.job;
    return job.confirmed && job.open() && job.org == org && job.object == object;
  });
}

std::vector<ReadJob> ReadJobs::list() const {
  const std::lock_guard lock(mutex_);
  std::vector<ReadJob> out;
  for (const auto& [number, held] : jobs_) out.push_back(held.job);
  return out;
}

std::optional<ReadJob> ReadJobs::get(std::uint64_t number) const {
  const std::lock_guard lock(mutex_);
  const auto at = jobs_.find(number);
  if (at == jobs_.end()) return std::nullopt;
  return at->second.job;
}

std::vector<std::string> ReadJobs::snapped_objects(std::string_view org) const {
  const std::lock_guard lock(mutex_);
  const std::string prefix = make_key(org, "");
  std::vector<std::string> out;
  for (auto at = snapped_.lower_bound(prefix);
       at != snapped_.end() && at->first.starts_with(prefix);
       ++at)
    out.push_back(at->first.substr(prefix.size()));
  return out;
}

std::optional<Snapped> ReadJobs::last_snapped(std::string_view org, std::string_view object) const {
  const std::lock_guard lock(mutex_);
  const auto at = snapped_.find(make_key(org, object));
  if (at == snapped_.end()) return std::nullopt;
  return at->second;
}

}  // namespace headwater::ledger
