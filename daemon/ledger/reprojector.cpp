#include "daemon/ledger/reprojector.hpp"

#include <fmt/format.h>

#include "daemon/ledger/keys.hpp"

namespace headwater::ledger {
namespace {
constexpr std::uint8_t kFormat = 1;
constexpr std::size_t kRecordsPerBatch = 500;
}  // namespace

Result<std::optional<Job>> Reprojector::load(Store& store) {
  std::string bytes;
  auto found = store.get(Family::Meta, kJobKey, bytes);
  if (!found) return found.error();
  if (!*found) return std::optional<Job>();
  Job job;
  ByteReader reader(bytes);
  bool ok = reader.byte() == kFormat;
  job.kind = static_cast<Job::Kind>(reader.byte());
  job.org = reader.text();
  job.done = reader.text();
  job.target = reader.text();
  ok = ok && read_facts(reader, job.before);
  if (!ok) {
    return fatal(
        "ledger: the row of a re-projection is damaged or of a newer format; start the "
        "version that wrote it, or restore a backup");
  }
  return std::optional<Job>(std::move(job));
}

void Reprojector::stage(StoreBatch& batch, const Job& job) {
  std::string bytes;
  put_byte(bytes, kFormat);
  put_byte(bytes, static_cast<std::uint8_t>(job.kind));
  put_text(bytes, job.org);
  put_text(bytes, job.done);
  put_text(bytes, job.target);
  put_facts(bytes, job.before);
  batch.put(Family::Meta, kJobKey, bytes);
}

void Reprojector::stage_done(StoreBatch& batch) { batch.erase(Family::Meta, kJobKey); }

Result<void> Reprojector::run(Job job,
                              std::shared_ptr<const crm::Mapping> before,
                              std::shared_ptr<const crm::Mapping> after,
                              const std::function<void()>& last) {
  job_ = std::move(job);
  mapping_before_ = std::move(before);
  mapping_after_ = std::move(after);
  projectors_.clear();
  writer_.forget_states();
  const std::string prefix = job_.org.empty() ? std::string() : job_.org + ":";
  bool more = true;
  while (more) {
    std::size_t records = 0;
    auto scan = parts_.store.scan(Family::Records,
                                  job_.done.empty() ? prefix : job_.done + std::string(1, '\0'));
    for (; scan->valid() && records < kRecordsPerBatch; scan->next(), ++records) {
      if (!scan->key().starts_with(prefix)) break;
      if (auto ok = handle(scan->key(), scan->value()); !ok) return ok;
      job_.done = scan->key();
    }
    if (auto ok = scan->status(); !ok) return ok;
    more = records == kRecordsPerBatch;
    if (!more) break;
    stage(writer_.batch(), job_);
    if (auto ok = writer_.commit(writer_.batch(), true); !ok) return ok;
  }
  stage_done(writer_.batch());
  if (last) last();
  return writer_.commit(writer_.batch(), true);
}

Reprojector::Pair& Reprojector::projectors(std::string_view rkey) {
  const auto first = rkey.find(':');
  const auto second = rkey.find(':', first + 1);
  const std::string_view org = rkey.substr(0, first);
  const std::string_view object = rkey.substr(first + 1, second - first - 1);
  Pair& pair = projectors_[std::string(rkey.substr(0, second))];
  if (pair.after) return pair;
  NameTable& names = parts_.names.of(org, object);
  const auto facts = parts_.orgs.projection_facts(org);
  pair.after = std::make_unique<ObjectProjector>(mapping_after_, facts, object, names);
  if (mapping_before_ && job_.kind != Job::Kind::Stamp) {
    const auto old_facts =
        job_.kind == Job::Kind::Facts ? std::make_shared<const crm::OrgFacts>(job_.before) : facts;
    pair.before = std::make_unique<ObjectProjector>(mapping_before_, old_facts, object, names);
  }
  return pair;
}

Result<void> Reprojector::handle(std::string_view rkey, std::string_view bytes) {
  arena_.release();
  if (!codec_.decode(bytes, state_)) {
    return fatal(fmt::format(
        "ledger: the state of {} is damaged or of a newer format; restore a backup", rkey));
  }
  if (state_.meta.rev.value == 0) return {};
  Pair& pair = projectors(rkey);
  const std::string_view id = rkey.substr(rkey.rfind(':') + 1);
  const std::string_view org = rkey.substr(0, rkey.find(':'));
  pair.after->project(state_, pair.after->facts_of(state_, id), after_);
  if (pair.before) pair.before->project(state_, pair.before->facts_of(state_, id), before_);
  Change change;
  change.rkey = rkey;
  change.id = id;
  change.before = pair.before ? &before_ : nullptr;
  change.after = &after_;
  change.version = state_.meta.version;
  change.commit_ts = state_.meta.commit_ts;
  change.force = job_.kind == Job::Kind::Stamp;
  if (change.force) {
    change.origin = state_.origin;
    change.origin.snapshot = SnapshotMark::True;
    change.origin.change_id =
        keep(arena_, fmt::format("{}/state-{}/0/{}", org, state_.meta.rev.value, id));
  } else {
    change.origin.type = ChangeType::Remap;
    change.origin.change_id =
        keep(arena_, fmt::format("{}/remap-{}/0/{}", org, mapping_after_->mapping_rev(), id));
  }
  if (!publisher_.publish(writer_.batch(), *pair.after, state_, change, arena_)) return {};
  bytes_.clear();
  codec_.encode(state_, bytes_);
  writer_.batch().put(Family::Records, rkey, bytes_);
  return {};
}

}  // namespace headwater::ledger
