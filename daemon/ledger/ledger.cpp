#include "daemon/ledger/ledger.hpp"

#include <fmt/format.h>

#include "daemon/ledger/hole_rows.hpp"
#include "daemon/ledger/keys.hpp"
#include "daemon/ledger/ledger_impl.hpp"
#include "daemon/ledger/platform_events.hpp"

namespace headwater::ledger {
namespace {

/// Open rows that a fresh target is told of; more of them is an outage, not a list to read.
constexpr std::size_t kOpenRowsMax = 100'000;

/// Query numbers reserved by one synced write.
constexpr std::uint64_t kQueriesReserved = 1024;

std::string claim_key(std::string_view sink, std::string_view org) {
  return fmt::format("{}{}:{}", kClaimPrefix, sink, org);
}

}  // namespace

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

Rev Ledger::birth() const { return impl_->birth(); }

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
  return impl_->write([&] { return impl_->reprojection_.set_facts(impl_->writer_, facts); });
}

Result<void> Ledger::set_mapping(std::shared_ptr<const crm::Mapping> mapping) {
  return impl_->write(
      [&] { return impl_->reprojection_.set_mapping(impl_->writer_, std::move(mapping)); });
}

Result<bool> Ledger::reproject() {
  return impl_->write([&] { return impl_->reprojection_.go_on(impl_->writer_); });
}

bool Ledger::reprojecting() const { return impl_->reprojection_.running(); }

std::optional<crm::OrgFacts> Ledger::org_facts(std::string_view org) const {
  return impl_->orgs_.facts(org);
}

std::vector<std::string> Ledger::unknown_record_types(std::string_view org) const {
  return impl_->orgs_.unknown_record_types(org);
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

void Ledger::schema_changed(std::string_view org, std::string_view object) {
  const std::lock_guard lock(impl_->schemas_mutex_);
  ++impl_->schema_changes_[make_key(org, object)];
}

std::uint64_t Ledger::schema_changes(std::string_view org, std::string_view object) const {
  const std::lock_guard lock(impl_->schemas_mutex_);
  const auto at = impl_->schema_changes_.find(make_key(org, object));
  return at == impl_->schema_changes_.end() ? 0 : at->second;
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
  return impl_->positions_.get(stream);
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

Result<void> Ledger::close_hole(const Hole& hole, const Closing& closing) {
  return impl_->write([&]() -> Result<void> {
    auto closed = impl_->holes_.close(impl_->writer_.batch(), hole, closing);
    if (!closed) return closed;
    return impl_->commit();
  });
}

std::vector<Hole> Ledger::closed_holes(std::size_t most) const {
  return impl_->holes_.closed(most);
}

Result<void> Ledger::quarantine(std::span<const QuarantineRow> rows) {
  return impl_->write([&]() -> Result<void> {
    for (const QuarantineRow& row : rows) {
      if (auto ok = impl_->holes_.quarantine(impl_->writer_.batch(), row); !ok) return ok;
    }
    return impl_->commit();
  });
}

Result<bool> Ledger::close_quarantined(const QuarantineRow& row, const Closing& closing) {
  return impl_->write([&]() -> Result<bool> {
    auto closed = impl_->holes_.rows().close(impl_->writer_.batch(), row, closing);
    if (!closed || !*closed) return closed;
    if (auto ok = impl_->commit(); !ok) return ok.error();
    return true;
  });
}

Result<std::size_t> Ledger::release(const RecordKey& record,
                                    std::string_view stage,
                                    Rev accepted,
                                    const Closing& closing) {
  return impl_->write([&]() -> Result<std::size_t> {
    auto& rows = impl_->holes_.rows();
    auto released = rows.release(impl_->writer_.batch(), record, stage, accepted, closing);
    if (!released || *released == 0) return released;
    if (auto ok = impl_->commit(); !ok) return ok.error();
    return released;
  });
}

Result<bool> Ledger::retry_failed(const QuarantineRow& row, const Error& error) {
  return impl_->write([&]() -> Result<bool> {
    auto counted = impl_->holes_.rows().retry_failed(impl_->writer_.batch(), row, error);
    if (!counted || !*counted) return counted;
    if (auto ok = impl_->commit(); !ok) return ok.error();
    return true;
  });
}

Rev Ledger::head() const { return impl_->journal_.head(); }
JournalFacts Ledger::journal() const { return impl_->journal_.facts(); }

std::uint64_t Ledger::entries_after(Rev rev) const { return impl_->journal_.entries_after(rev); }

bool Ledger::wait_for(Rev seen,
                      std::chrono::steady_clock::time_point until,
                      std::stop_token stop,
                      const std::function<bool()>& unless) const {
  return impl_->journal_.wait_for(seen, until, std::move(stop), unless);
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
  std::optional<JournalEvents> events;
  if (has_platform_events(*impl_->store_, org)) events.emplace(impl_->journal_, *this, org, after);
  return impl_->reader_.read(
      org, after, upto, entries_max, bytes_max, events ? &*events : nullptr, out);
}

Result<bool> Ledger::get(const RecordKey& key, EntryBatch& out) {
  return impl_->reader_.get(key, out);
}

Result<void> Ledger::sample(std::string_view org,
                            std::string_view object,
                            std::size_t most,
                            EntryBatch& out) {
  return impl_->reader_.sample(org, object, most, out);
}

Result<CursorVerdict> Ledger::found_cursor(
    std::string_view sink, std::string_view org, std::string_view ledger_id, Rev rev, Rev highest) {
  const std::string claim = claim_key(sink, org);
  return impl_->write([&] { return impl_->found_cursor(claim, ledger_id, rev, highest); });
}

Result<Rev> Ledger::skip_history(std::string_view sink,
                                 std::string_view org,
                                 std::string_view ledger_id,
                                 Rev rev,
                                 EpochMs commit_ts) {
  const std::string claim = claim_key(sink, org);
  return impl_->write(
      [&] { return impl_->skip_history(claim, sink, org, ledger_id, rev, commit_ts); });
}

Result<ToldBefore> Ledger::told_before(std::string_view sink, std::string_view org) const {
  const auto claim = impl_->read_claim(claim_key(sink, org));
  if (!claim) return claim.error();
  return claim->told;
}

void Ledger::hold_journal(std::string_view sink, std::optional<Rev> cursor) {
  impl_->journal_.hold(sink, cursor);
}

Result<void> Ledger::trim() {
  return impl_->write([&] { return impl_->trim(); });
}

void Ledger::read_open_rows(std::string_view org, EntryBatch& out) const {
  const auto add = [&](EntryKind kind, Rev rev, std::string_view key, std::string_view row) {
    EntryView entry;
    entry.kind = kind;
    entry.op = Op::Read;
    entry.meta.rev = rev;
    entry.org = out.keep(org);
    entry.rkey = out.keep(key);
    entry.row = out.keep(row);
    entry.ts_ms = impl_->clock_.now_ms();
    out.add(entry);
  };
  for (const Hole& hole : impl_->holes_.list(kOpenRowsMax)) {
    if (hole.org != org || hole.of_record()) continue;  // those of records make no entry
    add(EntryKind::Hole, hole.rev, shown_key(hole), hole_json(hole));
  }
  for (const QuarantineRow& row : impl_->holes_.rows().open(kOpenRowsMax)) {
    if (row.org == org)
      add(EntryKind::Quarantine, row.rev, row.key, quarantine_json(row, Payload::Counted));
  }
}

std::vector<Hole> Ledger::holes(std::size_t most) const { return impl_->holes_.list(most); }
std::size_t Ledger::holes_open() const { return impl_->holes_.open_count(); }

std::vector<Hole> Ledger::due_refetches(std::string_view org, EpochMs now, std::size_t most) const {
  return impl_->holes_.due(org, now, most);
}

std::vector<Hole> Ledger::due_fates(std::string_view org, EpochMs now, std::size_t most) const {
  return impl_->holes_.due_fates(org, now, most);
}

Result<void> Ledger::doubt_children(std::span<const Hole> deletions) {
  return impl_->write([&] { return impl_->writer_.doubt_children(deletions); });
}

Result<Applied> Ledger::tell_fates(const FateBatch& fates) {
  return impl_->write([&] { return impl_->writer_.tell_fates(fates); });
}

Result<std::vector<std::string>> Ledger::children_of(std::string_view org,
                                                     const RecordId& id,
                                                     std::string_view after,
                                                     std::size_t most) const {
  return impl_->back_refs_.children_of(org, id.view(), after, most);
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
  return impl_->holes_.rows().open(most);
}
std::vector<QuarantineRow> Ledger::quarantine_closed(std::size_t most) const {
  return impl_->holes_.rows().closed(most);
}
std::optional<QuarantineRow> Ledger::quarantine_row(Rev number) const {
  return impl_->holes_.rows().find(number);
}
std::size_t Ledger::quarantine_open() const { return impl_->holes_.rows().open_count(); }
std::vector<RecordCounts> Ledger::counts() const { return impl_->objects_.counts(); }
void Ledger::flush() noexcept { impl_->store_->flush(); }

NameTable& Ledger::names(std::string_view org, std::string_view object) {
  return impl_->names_.of(org, object);
}

}  // namespace headwater::ledger
