#include "daemon/ledger/ledger.hpp"

#include <fmt/format.h>

#include <mutex>

#include "daemon/ledger/directory_lock.hpp"
#include "daemon/ledger/keys.hpp"
#include "daemon/ledger/reprojector.hpp"
#include "daemon/ledger/state_reader.hpp"
#include "daemon/ledger/ulid.hpp"
#include "daemon/ledger/writer.hpp"

namespace headwater::ledger {
namespace {

/// Of the whole store: raised when an older build could no longer read it.
constexpr std::uint8_t kFormat = 1;
/// Query numbers reserved by one synced write.
constexpr std::uint64_t kQueriesReserved = 1024;

}  // namespace

/// Puts the parts together: the write lock, opening, births. What a part does is told in its own
/// header.
class Ledger::Impl {
 public:
  Impl(std::unique_ptr<DirectoryLock> lock,
       std::unique_ptr<Store> store,
       LedgerOptions options,
       const Clock& clock)
      : directory_(std::move(lock)),
        store_(std::move(store)),
        options_(std::move(options)),
        clock_(clock),
        journal_(*store_, clock, options_),
        orgs_(*store_),
        names_(*store_),
        objects_(*store_, names_, orgs_),
        holes_(*store_, journal_, clock),
        reader_(*store_, names_, orgs_),
        writer_(parts(), options_.sweep_share_max),
        reprojector_(parts(), writer_) {}

  Result<void> open(std::shared_ptr<const crm::Mapping> mapping);
  Result<void> bring_mapping(std::shared_ptr<const crm::Mapping> mapping);
  Result<void> finish_mapping_job(Job job, std::shared_ptr<const crm::Mapping> kept);
  Result<CursorVerdict> found_cursor(std::string_view ledger_id, Rev rev);
  Result<void> be_born(Rev above);
  Result<void> stamp_if_clear();
  Result<void> set_org_facts(const crm::OrgFacts& facts);
  Result<void> trim();
  Parts parts() { return {*store_, journal_, orgs_, names_, objects_, holes_, clock_}; }
  void stage_identity();
  void stage_mapping(std::string_view digest, std::string_view source);
  void stage_mapping(const crm::Mapping& mapping) {
    stage_mapping(mapping.digest(), mapping.source());
  }
  /// The mapping that the states' images were made by.
  struct KeptMapping {
    bool same = false;                            ///< as the given one
    std::shared_ptr<const crm::Mapping> mapping;  ///< nullptr: its text cannot be read
  };
  Result<KeptMapping> kept_mapping(const crm::Mapping& given) const;
  std::shared_ptr<const crm::Mapping> read_mapping(const std::string& source) const;
  Result<void> commit() { return writer_.commit(writer_.batch(), true); }
  std::string id() const {
    const std::lock_guard lock(id_mutex_);
    return id_;
  }
  /// Does one writer's work under the write lock. After a failed write nobody knows what is on the
  /// disk, and what was staged is in pieces: nothing more is written then, and every writer is told
  /// so.
  template <typename Work>
  auto write(Work work) -> decltype(work()) {
    const std::lock_guard lock(write_mutex_);
    if (broken_) return *broken_;
    auto result = work();
    if (!result) broken_ = result.error();
    return result;
  }

  std::unique_ptr<DirectoryLock> directory_;
  std::unique_ptr<Store> store_;
  const LedgerOptions options_;
  const Clock& clock_;
  std::mutex write_mutex_;  // ruling 1
  Journal journal_;
  Orgs orgs_;
  NameStore names_;
  Objects objects_;
  Holes holes_;
  StateReader reader_;
  Writer writer_;
  Reprojector reprojector_;

 private:
  mutable std::mutex id_mutex_;
  std::string id_;
  Rev birth_;  // the first rev of this birth: sinks below it hold nothing that outranks us
  bool stamp_owed_ = false;
  std::optional<Error> broken_;
};

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
  if (!*found) {
    id_ = make_ulid(clock_.now_ms());
    birth_ = journal_.peek();
    stage_identity();
    stage_mapping(*mapping);
    if (auto ok = commit(); !ok) return ok;
  }
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
    if (auto ok = reprojector_.run(std::move(job), kept->mapping, mapping); !ok) return ok;
    stage_mapping(*mapping);
    if (auto ok = commit(); !ok) return ok;
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
    if (auto ok = reprojector_.run(std::move(job), std::move(kept), target); !ok) return ok;
    stage_mapping(*target);
    return commit();
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

Result<CursorVerdict> Ledger::Impl::found_cursor(std::string_view ledger_id, Rev rev) {
  if (ledger_id.empty()) return CursorVerdict::Materialize;
  if (ledger_id == id_) {
    if (rev > journal_.last() || journal_.in_gap(rev)) {
      // We never gave that rev: we are an old copy of the ledger that did.
      if (auto ok = be_born(std::max(rev, journal_.last())); !ok) return ok.error();
      return CursorVerdict::Materialize;
    }
    return rev < journal_.trimmed_to() ? CursorVerdict::Materialize : CursorVerdict::Follow;
  }
  if (rev < birth_) return CursorVerdict::Materialize;
  if (journal_.ever_wrote()) {
    if (auto ok = be_born(std::max(rev, journal_.last())); !ok) return ok.error();
    return CursorVerdict::Materialize;
  }
  journal_.raise(rev);
  birth_ = journal_.peek();
  stage_identity();
  if (auto ok = commit(); !ok) return ok.error();
  return CursorVerdict::Materialize;
}

Result<void> Ledger::Impl::be_born(Rev above) {
  journal_.raise(above);
  birth_ = journal_.peek();
  {
    const std::lock_guard lock(id_mutex_);
    id_ = make_ulid(clock_.now_ms());
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

// ---- the facade

Ledger::Ledger(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Ledger::~Ledger() = default;

Result<std::unique_ptr<Ledger>> Ledger::open(const std::string& directory,
                                             LedgerOptions options,
                                             std::shared_ptr<const crm::Mapping> mapping,
                                             const Clock& clock) {
  auto lock = DirectoryLock::take(directory);
  if (!lock) return lock.error();
  auto store = open_rocks_store(directory + "/ledger");
  if (!store) return store.error();
  auto impl =
      std::make_unique<Impl>(std::move(*lock), std::move(*store), std::move(options), clock);
  if (auto ok = impl->open(std::move(mapping)); !ok) return ok.error();
  return std::unique_ptr<Ledger>(new Ledger(std::move(impl)));
}

Result<std::unique_ptr<Ledger>> Ledger::open(std::unique_ptr<Store> store,
                                             LedgerOptions options,
                                             std::shared_ptr<const crm::Mapping> mapping,
                                             const Clock& clock) {
  auto impl = std::make_unique<Impl>(nullptr, std::move(store), std::move(options), clock);
  if (auto ok = impl->open(std::move(mapping)); !ok) return ok.error();
  return std::unique_ptr<Ledger>(new Ledger(std::move(impl)));
}

std::string Ledger::id() const { return impl_->id(); }

Result<void> Ledger::bind_org(std::string_view org, std::string_view org_id) {
  const std::string kept = this->org_id(org);
  if (kept == org_id) return {};
  if (!kept.empty()) {
    return fatal(
        fmt::format("ledger: org {} is bound to org id {}, but the login says {}; use another name "
                    "for the other org, or another state directory",
                    org,
                    kept,
                    org_id),
        "wrong_org");
  }
  return impl_->write([&] {
    impl_->orgs_.set_id(impl_->orgs_.of(org), org_id);
    return impl_->commit();
  });
}

std::string Ledger::org_id(std::string_view org) const { return impl_->orgs_.id(org); }

Result<void> Ledger::set_org_facts(const crm::OrgFacts& facts) {
  return impl_->write([&] { return impl_->set_org_facts(facts); });
}

std::optional<crm::OrgFacts> Ledger::org_facts(std::string_view org) const {
  return impl_->orgs_.facts(org);
}

std::optional<std::string> Ledger::schema(std::string_view schema_id) const {
  std::string json;
  const auto found =
      impl_->store_->get(Family::Meta, std::string(kSchemaPrefix).append(schema_id), json);
  if (!found || !*found) return std::nullopt;
  return json;
}

Result<void> Ledger::keep_schema(std::string_view schema_id, std::string_view json) {
  return impl_->write([&] {
    impl_->writer_.batch().put(Family::Meta, std::string(kSchemaPrefix).append(schema_id), json);
    return impl_->commit();
  });
}

Result<Applied> Ledger::apply(const IngestBatch& batch) {
  return impl_->write([&]() -> Result<Applied> {
    auto applied = impl_->writer_.apply(batch);
    if (applied && impl_->journal_.over_bound()) {
      if (auto ok = impl_->trim(); !ok) return ok.error();
    }
    return applied;
  });
}

Result<Applied> Ledger::apply_rows(const RowBatch& batch) {
  return impl_->write([&] { return impl_->writer_.apply_rows(batch); });
}

Result<void> Ledger::save_position(const StreamKey& stream, const ReplayId& position) {
  IngestBatch batch;
  batch.stream = stream;
  batch.position = position;
  const auto applied = impl_->write([&] { return impl_->writer_.apply(batch); });
  if (!applied) return applied.error();
  return {};
}

std::optional<StreamPosition> Ledger::position(const StreamKey& stream) const {
  return read_position(*impl_->store_,
                       std::string(kStreamPrefix) + make_key(stream.org, stream.topic));
}

Result<Version> Ledger::note_version(std::string_view org) {
  return impl_->write([&]() -> Result<Version> {
    Org& kept = impl_->orgs_.of(org);
    if (kept.queries == kept.queries_kept) {
      kept.queries_kept += kQueriesReserved;
      kept.dirty = true;
      if (auto ok = impl_->commit(); !ok) return ok.error();
    }
    Version version;
    version.epoch = kept.epochs.newest();
    version.commit_number = kept.epochs.high_number();
    version.sequence = Version::kRowSequence + ++kept.queries;
    return version;
  });
}

Result<void> Ledger::open_hole(const Hole& hole) {
  return impl_->write([&]() -> Result<void> {
    auto opened = impl_->holes_.open(impl_->writer_.batch(), hole);
    if (!opened) return opened.error();
    return impl_->commit();
  });
}

Result<void> Ledger::close_hole(const Hole& hole, std::string_view evidence) {
  return impl_->write([&]() -> Result<void> {
    auto closed = impl_->holes_.close(impl_->writer_.batch(), hole, evidence);
    if (!closed) return closed;
    return impl_->commit();
  });
}

Result<void> Ledger::quarantine(std::span<const QuarantineRow> rows) {
  return impl_->write([&]() -> Result<void> {
    for (const QuarantineRow& row : rows) {
      if (auto ok = impl_->holes_.quarantine(impl_->writer_.batch(), row); !ok) return ok;
    }
    return impl_->commit();
  });
}

Rev Ledger::head() const { return impl_->journal_.head(); }
JournalFacts Ledger::journal() const { return impl_->journal_.facts(); }

std::uint64_t Ledger::entries_after(Rev rev) const { return impl_->journal_.entries_after(rev); }

bool Ledger::wait_for(Rev seen,
                      std::chrono::steady_clock::time_point until,
                      std::stop_token stop) const {
  return impl_->journal_.wait_for(seen, until, std::move(stop));
}

void Ledger::wake() const { impl_->journal_.wake(); }

Result<void> Ledger::read(Rev after,
                          std::size_t entries_max,
                          std::size_t bytes_max,
                          EntryBatch& out) {
  return impl_->journal_.read(after, entries_max, bytes_max, *this, out);
}

Result<void> Ledger::read_states(std::string_view org,
                                 Rev after,
                                 Rev upto,
                                 std::size_t entries_max,
                                 std::size_t bytes_max,
                                 EntryBatch& out) {
  return impl_->reader_.read(org, after, upto, entries_max, bytes_max, out);
}

Result<bool> Ledger::get(const RecordKey& key, EntryBatch& out) {
  return impl_->reader_.get(key, out);
}

Result<CursorVerdict> Ledger::found_cursor(std::string_view, std::string_view ledger_id, Rev rev) {
  return impl_->write([&] { return impl_->found_cursor(ledger_id, rev); });
}

void Ledger::hold_journal(std::string_view sink, std::optional<Rev> cursor) {
  impl_->journal_.hold(sink, cursor);
}

Result<void> Ledger::trim() {
  return impl_->write([&] { return impl_->trim(); });
}

std::vector<Hole> Ledger::holes(std::size_t most) const { return impl_->holes_.list(most); }
std::size_t Ledger::holes_open() const { return impl_->holes_.open_count(); }

std::vector<Hole> Ledger::due_refetches(std::string_view org, EpochMs now, std::size_t most) const {
  return impl_->holes_.due(org, now, most);
}

Result<void> Ledger::postpone(std::span<const Hole> holes, EpochMs next_try) {
  return impl_->write([&]() -> Result<void> {
    for (const Hole& hole : holes) {
      if (auto ok = impl_->holes_.postpone(hole, next_try); !ok) return ok;
    }
    return impl_->commit();
  });
}

std::vector<QuarantineRow> Ledger::quarantined(std::size_t most) const {
  return impl_->holes_.quarantined(most);
}
std::size_t Ledger::quarantine_open() const { return impl_->holes_.quarantine_count(); }
std::vector<RecordCounts> Ledger::counts() const { return impl_->objects_.counts(); }
void Ledger::flush() noexcept { impl_->store_->flush(); }

NameTable& Ledger::names(std::string_view org, std::string_view object) {
  return impl_->names_.of(org, object);
}

}  // namespace headwater::ledger
