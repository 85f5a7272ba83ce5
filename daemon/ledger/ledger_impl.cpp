#include "daemon/ledger/ledger_impl.hpp"

#include <fmt/format.h>

#include "daemon/ledger/keys.hpp"
#include "daemon/ledger/ulid.hpp"

namespace headwater::ledger {
namespace {

/// Of the whole store: raised when an older build could no longer read it.
constexpr std::uint8_t kFormat = 1;
/// How far above a cursor a birth stands. The cursor is a lower bound: a target may hold what its
/// writer told after it, and after one more start, which jumps by up to a million. An image below
/// those would never replace them. Not farther: revs that run ahead of the clock take from the next
/// start what the clock gives it, to stand above all that was told before.
constexpr std::uint64_t kBirthDistance = 2'000'000;

}  // namespace

// ---- opening

Result<void> Ledger::Impl::open(std::shared_ptr<const crm::Mapping> mapping) {
  std::string bytes;
  auto found = store_->get(Family::Meta, kLedgerKey, bytes);
  if (!found) return found.error();
  if (*found) {
    ByteReader reader(bytes);
    if (const auto format = reader.byte(); format != kFormat) {
      return fatal(
          fmt::format("ledger: its format is {}, this build reads {}; start the version "
                      "that wrote it",
                      format,
                      kFormat));
    }
    id_ = reader.text();
    birth_ = Rev{reader.varint()};
    if (!reader.ok()) return fatal("ledger: its identity row is damaged; restore a backup");
  }
  if (auto ok = journal_.load(); !ok) return ok;
  // A birth that wrote nothing yet is known by its own row alone.
  if (birth_.value != 0) journal_.raise(Rev{birth_.value - 1});
  if (auto ok = orgs_.load(); !ok) return ok;
  if (auto ok = names_.load(); !ok) return ok;
  if (auto ok = objects_.load(); !ok) return ok;
  if (auto ok = holes_.load(); !ok) return ok;
  if (auto ok = jobs_.load(); !ok) return ok;
  if (!*found) {
    id_ = make_ulid(clock_.now_ms(), random_);
    birth_ = journal_.peek();
    stage_identity();
    stage_mapping(*mapping);
    BackRefs::stage_complete(writer_.batch());
    if (auto ok = commit(); !ok) return ok;
  }
  if (auto ok = back_refs_.bring(writer_.batch(), [this] { return commit(); }); !ok) return ok;
  return bring_mapping(std::move(mapping));
}

std::shared_ptr<const crm::Mapping> Ledger::Impl::read_mapping(const std::string& source) const {
  if (!options_.read_mapping) return nullptr;
  auto mapping = options_.read_mapping(source);
  return mapping ? *mapping : nullptr;
}

Result<void> Ledger::Impl::bring_mapping(std::shared_ptr<const crm::Mapping> mapping) {
  auto kept = kept_mapping(*mapping);
  if (!kept) return kept.error();
  auto pending = Reprojector::load(*store_);
  if (!pending) return pending.error();
  if (*pending && (*pending)->kind == Job::Kind::Stamp) {
    // Told anew once no stretch is in doubt; at once if the mapping changed: then all is told
    // anyway.
    stamp_owed_ = kept->same;
  } else if (*pending && (*pending)->kind == Job::Kind::Facts) {
    const auto by = kept->same ? mapping : kept->mapping;
    if (auto ok = reprojector_.run(std::move(**pending), by, by ? by : mapping); !ok) return ok;
    pending = std::optional<Job>();
  } else if (*pending && (*pending)->target != mapping->source()) {
    if (auto ok = finish_mapping_job(std::move(**pending), kept->mapping); !ok) return ok;
    pending = std::optional<Job>();
    kept = kept_mapping(*mapping);
    if (!kept) return kept.error();
  }
  if (!kept->same) {
    Job job;
    job.target = mapping->source();
    if (*pending) job = std::move(**pending);  // goes on where it stopped
    Reprojector::stage(writer_.batch(), job);
    if (auto ok = commit(); !ok) return ok;
    const auto brought = [&] { stage_mapping(*mapping); };
    if (auto ok = reprojector_.run(std::move(job), kept->mapping, mapping, brought); !ok) return ok;
  }
  objects_.set_mapping(mapping);
  reader_.set_mapping(mapping);
  return stamp_if_clear();
}

Result<Ledger::Impl::KeptMapping> Ledger::Impl::kept_mapping(const crm::Mapping& given) const {
  std::string bytes;
  auto found = store_->get(Family::Meta, kMappingKey, bytes);
  if (!found) return found.error();
  ByteReader reader(bytes);
  const bool readable = *found && reader.byte() == kFormat;
  const std::string digest(reader.text());
  const std::string source(reader.text());
  if (!readable || !reader.ok()) {
    return fatal(
        "ledger: the row of its mapping is damaged or of a newer format; restore a backup");
  }
  KeptMapping kept;
  kept.same = digest == given.digest();
  if (!digest.empty()) kept.mapping = read_mapping(source);
  return kept;
}

/// Stopped on the way to a mapping that is gone again: that is finished first, so that one mapping
/// says what all sinks hold. If its text cannot be read any more, nobody knows what they hold: the
/// next projection then tells what changed as reads.
Result<void> Ledger::Impl::finish_mapping_job(Job job, std::shared_ptr<const crm::Mapping> kept) {
  const auto target = read_mapping(job.target);
  if (target) {
    return reprojector_.run(
        std::move(job), std::move(kept), target, [&] { stage_mapping(*target); });
  }
  Reprojector::stage_done(writer_.batch());
  stage_mapping("", "");
  return commit();
}

void Ledger::Impl::stage_identity() {
  std::string bytes;
  put_byte(bytes, kFormat);
  put_text(bytes, id_);
  put_varint(bytes, birth_.value);
  writer_.batch().put(Family::Meta, kLedgerKey, bytes);
}

void Ledger::Impl::stage_mapping(std::string_view digest, std::string_view source) {
  std::string bytes;
  put_byte(bytes, kFormat);
  put_text(bytes, digest);
  put_text(bytes, source);
  writer_.batch().put(Family::Meta, kMappingKey, bytes);
}

// ---- births

Result<CursorVerdict> Ledger::Impl::found_cursor(std::string_view ledger_id, Rev rev, Rev highest) {
  const bool ours = ledger_id == id_;
  // A rev under our name that we never gave: we are an old copy of the ledger that did.
  const bool outrun = ours && !journal_.gave(rev);
  // Images that no state of ours replaces. One that we gave is no such thing: whoever wrote between
  // would have been born above it.
  const bool outranked = (!ours && rev >= birth_) || (highest >= birth_ && !journal_.gave(highest));
  if (outrun || outranked) {
    const Rev above{std::max(std::max(rev, highest).value + kBirthDistance, journal_.last().value)};
    if (ours || journal_.ever_wrote()) {
      if (auto ok = be_born(above); !ok) return ok.error();
      return CursorVerdict::Materialize;
    }
    journal_.raise(above);
    birth_ = journal_.peek();
    stage_identity();
    if (auto ok = commit(); !ok) return ok.error();
    return CursorVerdict::Materialize;
  }
  // A target that never heard of us, and a journal that still begins at the beginning: all of it,
  // history too.
  const bool fresh = ledger_id.empty() && rev.value == 0;
  if (!ours && !fresh) return CursorVerdict::Materialize;
  return rev < journal_.trimmed_to() ? CursorVerdict::Materialize : CursorVerdict::Follow;
}

Result<void> Ledger::Impl::be_born(Rev above) {
  journal_.raise(above);
  birth_ = journal_.peek();
  {
    const std::lock_guard lock(id_mutex_);
    id_ = make_ulid(clock_.now_ms(), random_);
  }
  stage_identity();
  Job job;
  job.kind = Job::Kind::Stamp;
  Reprojector::stage(writer_.batch(), job);
  if (auto ok = commit(); !ok) return ok;
  stamp_owed_ = true;
  return stamp_if_clear();
}

Result<void> Ledger::Impl::stamp_if_clear() {
  if (!stamp_owed_) return {};
  for (const std::string& org : orgs_.names()) {
    if (holes_.stretch_open(org)) return {};  // not caught up: asked again by trim()
  }
  auto job = Reprojector::load(*store_);
  if (!job) return job.error();
  if (*job) {
    if (auto ok = reprojector_.run(std::move(**job), objects_.mapping(), objects_.mapping()); !ok) {
      return ok;
    }
  }
  stamp_owed_ = false;
  return {};
}

// ---- orgs

Result<void> Ledger::Impl::set_org_facts(const crm::OrgFacts& facts) {
  Org& org = orgs_.of(facts.name);
  std::string now;
  std::string then;
  put_facts(now, facts);
  put_facts(then, *org.facts);
  if (org.facts_known && now == then) return {};
  const crm::OrgFacts before = *org.facts;
  orgs_.set_facts(org, facts, writer_.batch());
  objects_.facts_changed();
  reader_.facts_changed();
  if (now == then) return commit();
  if (stamp_owed_) {
    // There is one job at a time. The stamping to come projects by the new facts and tells every
    // record anyway.
    return commit();
  }
  Job job;
  job.kind = Job::Kind::Facts;
  job.org = facts.name;
  job.before = before;
  Reprojector::stage(writer_.batch(), job);
  if (auto ok = commit(); !ok) return ok;
  return reprojector_.run(std::move(job), objects_.mapping(), objects_.mapping());
}

Result<void> Ledger::Impl::trim() {
  if (auto ok = stamp_if_clear(); !ok) return ok;
  if (!journal_.stage_trim(writer_.batch(), clock_.now_ms())) return {};
  return commit();
}

}  // namespace headwater::ledger
