#include "daemon/pipeline/refusals.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "daemon/ledger/audit_book.hpp"
#include "daemon/observe/log.hpp"

namespace headwater {
namespace {

/// Records that a target which refused an entry is asked to take again, of so many looked at.
constexpr std::size_t kProbes = 3, kProbesLookedAt = 32;

RecordKey key_of(const EntryView& entry) {
  auto key = RecordKey::parse(entry.rkey);
  HEADWATER_ASSERT(key.ok());  // the journal holds no record entry without one
  return std::move(key).value();
}

}  // namespace

void Refusals::load() {
  refused_.clear();
  for (const auto& row : ledger_.quarantined(ledger_.quarantine_open())) {
    if (row.stage != stage_ || row.id.empty()) continue;
    Rev& newest = refused_[fmt::format("{}:{}:{}", row.org, row.object, row.id)];
    newest = std::max(newest, row.entry_rev);
  }
}

bool Refusals::concern(Entries entries) const {
  return !refused_.empty() && std::any_of(entries.begin(), entries.end(), [&](const EntryView& e) {
    return refused_.contains(e.rkey);
  });
}

Result<void> Refusals::judge(Sink& sink,
                             const EntryView& refused,
                             const Error& error,
                             const CursorMove& stay) {
  const auto verdict = probe(sink, refused, error, stay);
  if (!verdict) return verdict.error();
  if (*verdict == Verdict::Refuses) {
    return blocked(fmt::format(
        "{}; {} records that the target holds already are refused as well, so it is the target and "
        "not the change: mend what refuses them; nothing goes to quarantine, tried again every 60 "
        "s",
        error.message,
        refused.object));
  }
  if (*verdict == Verdict::Unknown && in_a_row_ >= kUnprovenMax) {
    return blocked(fmt::format(
        "{}; {} changes in a row were refused, so it is the target and not the changes: mend what "
        "refuses them; nothing more goes to quarantine, tried again every 60 s",
        error.message,
        kUnprovenMax));
  }
  if (*verdict == Verdict::Takes && in_a_row_ >= kPoisonPerTry) {
    in_a_row_ = 0;
    return blocked(fmt::format(
        "{}; {} changes in a row were refused and are in quarantine, though {} records that the "
        "target holds already are taken: look at them with `headwater quarantine list`; more are "
        "tried in 60 s",
        error.message,
        kPoisonPerTry,
        refused.object));
  }
  return {};
}

/// Does the target take what it holds already? Of the same object, because one table or topic may
/// be broken among sound ones.
Result<Refusals::Verdict> Refusals::probe(Sink& sink,
                                          const EntryView& refused,
                                          const Error& error,
                                          const CursorMove& stay) {
  if (refused.kind != EntryKind::Record) return Verdict::Unknown;
  EntryBatch held;
  auto read = ledger_.sample(refused.org, refused.object, kProbesLookedAt, held);
  if (!read) return read.error();
  std::size_t asked = 0;
  for (const EntryView& entry : held.entries()) {
    if (entry.meta.rev > stay.rev || entry.rkey == refused.rkey || refused_.contains(entry.rkey))
      continue;
    const auto taken = ask(sink, entry, error, stay);
    if (!taken) return taken.error();
    if (*taken != Verdict::Refuses) return taken;
    if (++asked == kProbes) break;
  }
  return asked > 0 ? Verdict::Refuses : Verdict::Unknown;
}

Result<Refusals::Verdict> Refusals::ask(Sink& sink,
                                        const EntryView& held,
                                        const Error& error,
                                        const CursorMove& stay) {
  if (sink.needs_history()) {
    const auto taken = sink.would_take(held, error);
    if (!taken) return taken.error();
    if (!*taken) return Verdict::Unknown;
    return **taken ? Verdict::Takes : Verdict::Refuses;
  }
  const auto written = sink.write(Batch{{&held, 1}, {&stay, 1}, Mode::Rewrite, true});
  if (written) return Verdict::Takes;
  if (written.error().kind != ErrorKind::Rejected) return written.error();
  return Verdict::Refuses;
}

/// True if the entry is no change but an image told again, of a record whose row is open: that is
/// another try of the row.
Result<bool> Refusals::count_again(const EntryView& entry, const Error& error) {
  const auto refused = refused_.find(entry.rkey);
  if (entry.op != Op::Read || entry.origin.type != ChangeType::Reconcile ||
      refused == refused_.end())
    return false;
  for (const auto& row : ledger_.quarantined(ledger_.quarantine_open())) {
    if (row.stage != stage_ || row.org != entry.org || row.object != entry.object ||
        row.id != entry.id)
      continue;
    if (auto counted = ledger_.retry_failed(row, error); !counted) return counted.error();
    refused->second = entry.meta.rev;
    return true;
  }
  return false;
}

Result<void> Refusals::quarantine(const EntryView& entry, const Error& error) {
  answer(entry.rkey, rejected("refused again: " + error.message, error.code));
  const auto counted = count_again(entry, error);
  if (!counted) return counted.error();
  if (*counted) return {};
  ledger::QuarantineRow row;
  row.org = entry.org;
  row.object = entry.object;
  row.id = entry.id;
  row.stage = stage_;
  row.reason_code = error.code.empty() ? "refused" : error.code;
  row.reason = error.message;
  row.schema_id = entry.origin.schema_id;
  row.replay_id = entry.origin.replay_id;
  row.entry_rev = entry.meta.rev;
  if (entry.kind == EntryKind::Record || entry.kind == EntryKind::Event)
    put_entry(row.payload, entry);
  row.first_seen = row.last_seen = clock_.now_ms();
  if (auto kept = ledger_.quarantine({&row, 1}); !kept) return kept;
  ++in_a_row_;
  refused_kind_ = entry.kind;
  if (entry.kind == EntryKind::Record)
    refused_.insert_or_assign(std::string(entry.rkey), entry.meta.rev);
  log::error("sink refuses an entry for good: kept in quarantine, the rest goes on",
             {{"sink", sink_},
              {"key", entry.rkey},
              {"rev", entry.meta.rev.value},
              {"reason", error.message}});
  return {};
}

Result<void> Refusals::accepted(Entries entries, bool history) {
  // A mirror's row that is taken says nothing of records, nor do platform events.
  const auto is_like = [this](const EntryView& e) { return e.kind == refused_kind_; };
  if (std::any_of(entries.begin(), entries.end(), is_like)) in_a_row_ = 0;
  if (!concern(entries)) return {};
  for (const EntryView& entry : entries) {
    const auto refused = refused_.find(entry.rkey);
    if (refused == refused_.end() || entry.meta.rev < refused->second) continue;
    const auto awaited = awaited_.find(entry.rkey);
    const bool retried = awaited != awaited_.end();
    ledger::Closing closing;
    closing.how = retried ? ledger::Closing::How::Retried : ledger::Closing::How::Released;
    closing.by = retried ? awaited->second.by : stage_;
    closing.evidence =
        fmt::format("{} accepted rev {} of the record{}",
                    sink_,
                    entry.meta.rev.value,
                    history ? "; its history lacks the change that was refused" : "");
    auto released = release(entry, closing);
    if (!released) return released.error();
    answer(entry.rkey, closing.evidence);
    log::info("what the sink refused of a record is made good by a later change",
              {{"sink", sink_}, {"key", entry.rkey}, {"rows", *released}});
  }
  return {};
}

std::optional<Error> Refusals::try_again(Sink& sink,
                                         const RetryRequest& request,
                                         const CursorMove& stay) {
  const ledger::QuarantineRow& row = request.row;
  std::optional<Error> trouble;
  if (row.id.empty() && !row.payload.empty()) {
    request.done(write_event(sink, request, stay, trouble));
  } else if (!sink.needs_history()) {
    request.done(write_again(sink, request, stay, trouble));
  } else if (auto told = tell_again(request, stay, trouble); !told) {
    request.done(told.error());
  }
  return trouble;
}

void Refusals::failed(const Error& error) {
  for (const auto& [rkey, request] : std::exchange(awaited_, {}))
    request.done(transient(fmt::format(
        "the record is on its way to {}: {}; the row closes by itself once it is accepted",
        sink_,
        error.message)));
}

/// The row's record as the ledger has it, if the sink has come past that.
Result<EntryView> Refusals::newest(const ledger::QuarantineRow& row,
                                   const CursorMove& stay,
                                   EntryBatch& state,
                                   std::optional<Error>& trouble) const {
  const auto id = RecordId::parse(row.id);
  if (!id) return rejected("the row is of no record: all that can be done is to discard it");
  const auto found = ledger_.get({row.org, row.object, *id}, state);
  if (!found) return *(trouble = found.error());
  if (!*found) return rejected("the ledger has no such record: discard the row");
  const EntryView& entry = state.entries().front();
  if (entry.meta.rev <= stay.rev) return entry;
  // Not ahead of its time: the journal is about to bring it.
  return transient(
      fmt::format("rev {} of the record is on its way to {}, which stands at {}: the row closes "
                  "by itself once it is accepted",
                  entry.meta.rev.value,
                  sink_,
                  stay.rev.value));
}

Result<std::string> Refusals::write_again(Sink& sink,
                                          const RetryRequest& request,
                                          const CursorMove& stay,
                                          std::optional<Error>& trouble) {
  EntryBatch state;
  const auto entry = newest(request.row, stay, state, trouble);
  if (!entry) return entry.error();
  const auto written = sink.write(Batch{{&*entry, 1}, {&stay, 1}, Mode::Rewrite, true});
  if (!written) return refused_again(request.row, written.error(), trouble);
  ledger::Closing closing;
  closing.how = ledger::Closing::How::Retried;
  closing.by = request.by;
  closing.evidence = fmt::format(
      "{} accepted rev {} of the record when it was written again", sink_, entry->meta.rev.value);
  const auto closed = release(*entry, closing);
  if (!closed) return *(trouble = closed.error());
  return closing.evidence;
}

Result<void> Refusals::tell_again(const RetryRequest& request,
                                  const CursorMove& stay,
                                  std::optional<Error>& trouble) {
  EntryBatch state;
  const auto entry = newest(request.row, stay, state, trouble);
  if (!entry) return entry.error();
  const RecordKey keys[] = {key_of(*entry)};
  if (const auto told = ledger::AuditBook(ledger_).restate(keys); !told)
    return *(trouble = told.error());
  const std::string rkey(entry->rkey);
  Rev& refused = refused_[rkey];
  refused = std::max(refused, request.row.entry_rev);
  awaited_.insert_or_assign(rkey, request);
  return {};
}

void Refusals::answer(std::string_view rkey, const Result<std::string>& what) {
  const auto awaited = awaited_.find(rkey);
  if (awaited == awaited_.end()) return;
  awaited->second.done(what);
  awaited_.erase(awaited);
}

/// A platform event is in no state: the entry itself was kept. It comes behind those that were
/// written since.
Result<std::string> Refusals::write_event(Sink& sink,
                                          const RetryRequest& request,
                                          const CursorMove& stay,
                                          std::optional<Error>& trouble) {
  const ledger::QuarantineRow& row = request.row;
  EntryBatch kept;
  if (auto read = kept.add(row.entry_rev, row.payload, ledger_); !read) return read.error();
  const auto written = sink.write(Batch{kept.entries(), {&stay, 1}, Mode::Rewrite, true});
  if (!written) return refused_again(row, written.error(), trouble);
  ledger::Closing closing;
  closing.how = ledger::Closing::How::Retried;
  closing.by = request.by;
  closing.evidence = fmt::format("{} accepted the event when it was written again", sink_);
  if (const auto closed = ledger_.close_quarantined(row, closing); !closed)
    return *(trouble = closed.error());
  return closing.evidence;
}

Error Refusals::refused_again(const ledger::QuarantineRow& row,
                              const Error& error,
                              std::optional<Error>& trouble) {
  if (error.kind != ErrorKind::Rejected) {
    trouble = error;
    return Error{error.kind, error.message + "; not counted as a try, the row stays", error.code};
  }
  if (const auto counted = ledger_.retry_failed(row, error); !counted)
    return *(trouble = counted.error());
  return rejected("refused again: " + error.message, error.code);
}

Result<std::size_t> Refusals::release(const EntryView& entry, const ledger::Closing& closing) {
  auto released = ledger_.release(key_of(entry), stage_, Rev{entry.meta.rev.value + 1}, closing);
  if (released) refused_.erase(std::string(entry.rkey));
  return released;
}

}  // namespace headwater
