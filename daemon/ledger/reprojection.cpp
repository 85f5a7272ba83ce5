#include "daemon/ledger/reprojection.hpp"

#include "daemon/ledger/keys.hpp"
#include "daemon/ledger/writer.hpp"

namespace headwater::ledger {
namespace {

constexpr std::uint8_t kFormat = 1;  // of the mapping's row

void stage_mapping_row(StoreBatch& batch, std::string_view digest, std::string_view source) {
  std::string bytes;
  put_byte(bytes, kFormat);
  put_text(bytes, digest);
  put_text(bytes, source);
  batch.put(Family::Meta, kMappingKey, bytes);
}

}  // namespace

Reprojection::Reprojection(const Parts& parts, StateReader& reader, const LedgerOptions& options)
    : parts_(parts),
      reader_(reader),
      options_(options),
      remap_(parts, kJobKey),
      stamp_(parts, kStampKey) {}

void Reprojection::stage_mapping(StoreBatch& batch, const crm::Mapping& mapping) {
  stage_mapping_row(batch, mapping.digest(), mapping.source());
}

std::shared_ptr<const crm::Mapping> Reprojection::read_mapping(const std::string& source) const {
  if (!options_.read_mapping) return nullptr;
  auto mapping = options_.read_mapping(source);
  return mapping ? *mapping : nullptr;
}

Result<Reprojection::Kept> Reprojection::kept_mapping(const crm::Mapping& given) const {
  std::string bytes;
  auto found = parts_.store.get(Family::Meta, kMappingKey, bytes);
  if (!found) return found.error();
  ByteReader reader(bytes);
  const bool readable = *found && reader.byte() == kFormat;
  const std::string digest(reader.text());
  const std::string source(reader.text());
  if (!readable || !reader.ok()) {
    return fatal(
        "ledger: the row of its mapping is damaged or of a newer format; restore a backup");
  }
  Kept kept;
  kept.same = digest == given.digest();
  if (!digest.empty()) kept.mapping = read_mapping(source);
  return kept;
}

Result<void> Reprojection::open(Writer& writer,
                                std::shared_ptr<const crm::Mapping> mapping,
                                Rev birth) {
  auto kept = kept_mapping(*mapping);
  if (!kept) return kept.error();
  auto pending = remap_.load();
  if (!pending) return pending.error();
  auto stamp = stamp_.load();
  if (!stamp) return stamp.error();
  StoreBatch& batch = writer.batch();
  use(mapping);
  if (*pending && (*pending)->kind == Job::Kind::Stamp) {
    // Of a build that had one row for all jobs.
    stamp->swap(*pending);
    pending->reset();
    (*stamp)->begin = Rev{birth.value - 1};
    remap_.stage_done(batch);
  }
  if (*stamp) stamp_.begin(batch, std::move(**stamp), nullptr, mapping);
  if (*pending) {
    resume(batch, std::move(**pending), *kept, mapping);
  } else if (!kept->same) {
    bring_mapping(batch, kept->mapping, mapping);
  }
  if (!remap_.running() && !stamp_.running()) return {};
  if (auto ok = writer.commit(batch, true); !ok) return ok;
  auto more = go_on(writer);
  return more ? Result<void>() : more.error();
}

/// A mapping that is gone again is finished first, so that one mapping says what all sinks hold. If
/// it or the one before cannot be read any more, nobody knows what they hold: the given mapping
/// then tells what changed as reads.
void Reprojection::resume(StoreBatch& batch,
                          Job job,
                          const Kept& kept,
                          const std::shared_ptr<const crm::Mapping>& mapping) {
  const bool facts = job.kind == Job::Kind::Facts;
  std::shared_ptr<const crm::Mapping> after = mapping;
  if (facts ? !kept.same : job.target != mapping->source()) {
    after = facts ? kept.mapping : read_mapping(job.target);
  }
  if (!after) {
    stage_mapping_row(batch, "", "");
    return bring_mapping(batch, nullptr, mapping);
  }
  if (after != mapping) {
    use(after);
    wanted_mapping_ = mapping;
  }
  if (facts) {
    remap_.begin(batch, std::move(job), after, after);
  } else {
    remap_.begin(
        batch, std::move(job), kept.same ? mapping : kept.mapping, after, [after](StoreBatch& end) {
          stage_mapping(end, *after);
        });
  }
}

void Reprojection::bring_mapping(StoreBatch& batch,
                                 std::shared_ptr<const crm::Mapping> before,
                                 std::shared_ptr<const crm::Mapping> after) {
  Job job;
  job.target = after->source();
  job.begin = parts_.journal.last();
  remap_.begin(batch, std::move(job), std::move(before), after, [after](StoreBatch& end) {
    stage_mapping(end, *after);
  });
}

void Reprojection::use(std::shared_ptr<const crm::Mapping> mapping) {
  parts_.objects.set_mapping(mapping);
  reader_.set_mapping(mapping);
  stamp_.use(std::move(mapping));
}

void Reprojection::use(const crm::OrgFacts& facts, StoreBatch& batch) {
  parts_.orgs.set_facts(parts_.orgs.of(facts.name), facts, batch);
  parts_.objects.facts_changed();
  reader_.facts_changed();
  stamp_.use(parts_.objects.mapping());
}

Result<void> Reprojection::set_mapping(Writer& writer,
                                       std::shared_ptr<const crm::Mapping> mapping) {
  wanted_mapping_ = std::move(mapping);
  if (remap_.running()) return {};
  auto begun = begin_next(writer);
  if (begun && *begun) begun = go_on(writer);
  return begun ? Result<void>() : begun.error();
}

Result<bool> Reprojection::has_records(const std::string& org) const {
  const std::string prefix = org + ":";
  auto scan = parts_.store.scan(Family::Records, prefix);
  if (auto ok = scan->status(); !ok) return ok.error();
  return scan->valid() && scan->key().starts_with(prefix);
}

Result<void> Reprojection::set_facts(Writer& writer, const crm::OrgFacts& facts) {
  Org& org = parts_.orgs.of(facts.name);
  std::string now, then;
  put_facts(now, facts);
  put_facts(then, *org.facts);
  wanted_facts_.erase(facts.name);
  parts_.orgs.await_facts(org, std::nullopt);
  if (org.facts_known && now == then) return {};
  auto some = has_records(facts.name);
  if (!some) return some.error();
  if (now == then || !*some) {
    use(facts, writer.batch());
    return writer.commit(writer.batch(), true);
  }
  wanted_facts_.emplace(facts.name, facts);
  parts_.orgs.await_facts(org, facts);
  if (remap_.running()) return {};
  auto begun = begin_next(writer);
  if (begun && *begun) begun = go_on(writer);
  return begun ? Result<void>() : begun.error();
}

/// Begins what was wanted meanwhile, the mapping first. True: something is owed.
Result<bool> Reprojection::begin_next(Writer& writer) {
  StoreBatch& batch = writer.batch();
  if (auto mapping = std::exchange(wanted_mapping_, nullptr);
      mapping && mapping->digest() != parts_.objects.mapping()->digest()) {
    bring_mapping(batch, parts_.objects.mapping(), mapping);
    use(std::move(mapping));
  } else if (!wanted_facts_.empty()) {
    const auto wanted = wanted_facts_.extract(wanted_facts_.begin());
    Job job;
    job.kind = Job::Kind::Facts;
    job.org = wanted.key();
    job.before = *parts_.orgs.of(wanted.key()).facts;
    job.begin = parts_.journal.last();
    use(wanted.mapped(), batch);
    const auto& current = parts_.objects.mapping();
    remap_.begin(batch, std::move(job), current, current);
  }
  if (remap_.running()) {
    if (auto ok = writer.commit(batch, true); !ok) return ok.error();
  }
  return note_running();
}

bool Reprojection::note_running() {
  running_ = remap_.running() || (stamp_.running() && streams_caught_up());
  return running();
}

void Reprojection::owe_stamp(StoreBatch& batch, Rev birth) {
  Job job;
  job.kind = Job::Kind::Stamp;
  job.begin = Rev{birth.value - 1};
  stamp_.begin(batch, std::move(job), nullptr, parts_.objects.mapping());
  running_ = true;
}

bool Reprojection::tell_owed(StoreBatch& batch,
                             std::string_view rkey,
                             RecordState& state,
                             std::pmr::memory_resource& arena) {
  // A remap gives the record a rev of this birth, which is not its stamp.
  const bool stamp = stamp_.owes(rkey, state);
  bool told = remap_.owes(rkey, state) && remap_.tell(batch, rkey, state, arena);
  if (stamp) told = stamp_.tell(batch, rkey, state, arena) || told;
  return told;
}

bool Reprojection::streams_caught_up() const {
  for (const std::string& org : parts_.orgs.names()) {
    if (parts_.holes.record_stretch_open(org)) return false;
  }
  return true;
}

Result<bool> Reprojection::go_on(Writer& writer) {
  if (!note_running() || parts_.journal.facts().full) return false;
  if (remap_.running()) {
    if (auto ok = remap_.slice(writer, options_.reproject_records, &stamp_); !ok) return ok.error();
    return remap_.running() ? Result<bool>(true) : begin_next(writer);
  }
  if (auto ok = stamp_.slice(writer, options_.reproject_records, nullptr); !ok) return ok.error();
  return begin_next(writer);
}

}  // namespace headwater::ledger
