#include "connectors/postgres/sink.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>

#include "connectors/claim.hpp"
#include "connectors/postgres/connection.hpp"
#include "connectors/postgres/errors.hpp"
#include "connectors/postgres/migrate.hpp"
#include "connectors/postgres/render.hpp"
#include "connectors/postgres/session.hpp"
#include "connectors/postgres/statements.hpp"
#include "connectors/postgres/values.hpp"

namespace headwater::postgres {
namespace {

constexpr std::string_view kTrue{"\1", 1}, kFalse{"\0", 1};

/// Everything that a batch may send.
struct Statements {
  Statements(std::string_view schema, std::span<const TablePlan> plans) {
    for (std::size_t i = 0; i < plans.size(); ++i) {
      const std::string number = std::to_string(i);
      upserts.push_back(
          {"upsert" + number, upsert_sql(schema, plans[i]), "upsert " + plans[i].table});
      purges.push_back({"purge" + number, purge_sql(schema, plans[i]), "purge " + plans[i].table});
    }
    cursor = {"cursor", cursor_sql(schema), "move cursor"};
    edges = {"edges", edges_sql(schema), "upsert edge"};
    edge_sources = {"edge_sources", edge_sources_sql(schema), "delete from edge"};
    platform = {"platform", platform_sql(schema), "insert into platform_event"};
    for (Mirror* mirror : {&hole, &quarantine}) {
      const std::string table = mirror == &hole ? "hole" : "quarantine";
      mirror->open = {table + "_open", mirror_sql(schema, table), "upsert " + table};
      mirror->close = {table + "_close", mirror_close_sql(schema, table), "delete from " + table};
      mirror->clear = {table + "_clear", mirror_clear_sql(schema, table), "clear " + table};
    }
  }

  struct Mirror {
    Statement open, close, clear;
  };
  Statement begin{"begin", "begin", "begin"}, commit{"commit", "commit", "commit"};
  Statement cursor, edges, edge_sources, platform;
  std::vector<Statement> upserts, purges;
  Mirror hole, quarantine;
};

/// What we know of an org's row in crm.cursor. Exact, because nobody else moves it while our epoch
/// holds.
struct OrgState {
  Cursor cursor;
  bool mirrors_replaced = false;  ///< by a materialization since open()
};

/// Where the cursors go, as parameters.
struct CursorParameters {
  ArrayBuffer org{Element::Text}, epoch{Element::Int8}, rev{Element::Int8},
      commit_ts{Element::Timestamptz};
  void clear() {
    for (ArrayBuffer* buffer : {&org, &epoch, &rev, &commit_ts}) buffer->clear();
  }
};

std::uint64_t to_number(const std::optional<std::string>& text) {
  std::uint64_t value = 0;
  if (text) std::from_chars(text->data(), text->data() + text->size(), value);
  return value;
}

}  // namespace

class PostgresSink::Impl {
 public:
  Impl(PostgresConfig config, Holder holder, std::string name, std::vector<TablePlan> plans)
      : config_(std::move(config)),
        holder_(std::move(holder)),
        name_(std::move(name)),
        renderer_(std::move(plans)),
        statements_(config_.schema, renderer_.plans()) {
    if (config_.plain_text) {
      warnings_.emplace_back(
          "postgres: plain text over the network is possible, as insecure: true allows");
    }
  }

  Result<std::vector<Cursor>> open(std::span<const std::string> orgs);
  Result<void> write(const Batch& batch);
  void close() noexcept { connection_.reset(); }
  const PostgresConfig& config() const { return config_; }
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  Result<void> claim(const std::string& org);
  Result<void> empty_columns(const std::vector<Place>& columns);
  Result<void> leave_places(const std::vector<std::string>& retired, const std::string& org);
  Error refused(const std::string& org);
  OrgState* find_org(std::string_view org);
  Result<void> take(const Batch& batch);
  void build_steps(const Batch& batch);
  void add_cursor_step(const Batch& batch);
  void add_mirror_steps(const Statements::Mirror& statements, MirrorRows& rows, bool clear);
  void add_step(const Statement& statement, RowSet& rows);
  void moved(const Batch& batch);
  Error failed(const Error& error, const Step* step);
  Error fenced();
  Error overtaken(std::string_view doing, std::string_view rival);

  PostgresConfig config_;
  Holder holder_;
  std::string name_;
  Renderer renderer_;
  Statements statements_;
  std::optional<Connection> connection_;
  std::vector<OrgState> orgs_;
  bool places_left_ = false;  ///< what another mapping wrote was taken away, once
  bool was_ours_ = false;     // every org, at an open before
  std::optional<Error> fenced_;
  std::vector<std::string> warnings_;

  // Of the write in hand; kept for their memory.
  std::vector<const EntryView*> taken_;
  std::vector<Step> steps_;
  CursorParameters cursors_;
  ArrayBuffer cleared_orgs_{Element::Text};
};

Result<std::vector<Cursor>> PostgresSink::Impl::open(std::span<const std::string> orgs) {
  if (fenced_) return *fenced_;
  close();
  orgs_.clear();
  warnings_.resize(config_.plain_text ? 1 : 0);
  const auto give_up = [&](Error error) {
    close();
    // No entry is at fault here: what the server refuses is a person's to mend.
    if (error.kind == ErrorKind::Rejected) error.kind = ErrorKind::Blocked;
    return error;
  };
  auto session = open_session(config_);
  if (!session) return give_up(session.error());
  connection_ = std::move(*session);
  auto left = migrate(*connection_, config_.schema, renderer_.plans(), config_.fillfactor);
  if (!left) {
    return give_up(in_words(fmt::format("prepare schema {}", config_.schema), left.error()));
  }
  // All claims or none: an org that is refused must not take the others from whoever holds them.
  auto claimed = connection_->run("begin");
  for (const std::string& org : orgs) {
    if (claimed) claimed = claim(org);
    if (claimed && !places_left_) claimed = leave_places(left->tables, org);
  }
  if (claimed) claimed = connection_->run("commit");
  if (!claimed) {
    return give_up(claimed.error().message.starts_with("postgres:")
                       ? claimed.error()
                       : in_words("claim the cursor", claimed.error()));
  }
  if (!places_left_) {
    if (auto emptied = empty_columns(left->columns); !emptied)
      return give_up(in_words("empty what the mapping fills no more", emptied.error()));
  }
  places_left_ = true;
  std::vector<Cursor> cursors;
  for (const OrgState& state : orgs_) cursors.push_back(state.cursor);
  was_ours_ = true;
  return cursors;
}

Result<void> PostgresSink::Impl::claim(const std::string& org) {
  const std::array parameters{
      name_, org, holder_.holder, std::to_string(config_.claim_wait.count())};
  auto rows = connection_->query(claim_sql(config_.schema), parameters);
  if (!rows) return std::move(rows).error();
  if (rows->empty()) return refused(org);
  const auto& row = rows->front();
  orgs_.push_back({Cursor{org,
                          row[0].value_or(""),
                          Rev{to_number(row[2])},
                          to_number(row[1]),
                          Rev{to_number(row[3])}}});
  return {};
}

/// Another mapping may have been in force when the tables were written last. What it put elsewhere
/// is told anew by the ledger, where it belongs now.
Result<void> PostgresSink::Impl::leave_places(const std::vector<std::string>& retired,
                                              const std::string& org) {
  for (const auto& sql : leave_sql(config_.schema, renderer_.plans(), retired, org)) {
    if (auto left = connection_->run(sql); !left) return left;
  }
  return {};
}

/// What no field of the mapping fills any more would stand there as it was for ever. A field that
/// only lost its column changes no record: its values go where those without a column stand, and
/// come back from there. Readers go on meanwhile; nobody writes these columns.
Result<void> PostgresSink::Impl::empty_columns(const std::vector<Place>& columns) {
  for (const Place& it : columns) {
    for (const OrgState& state : orgs_) {
      const auto sql = empty_column_sql(config_.schema, it, state.cursor.org);
      const auto holds = connection_->query(sql.holds);
      if (!holds) return holds.error();
      if (holds->front().front() != "t") continue;
      if (auto done = connection_->run(sql.empty); !done) return done;
      warnings_.push_back(
          fmt::format("postgres: no field of the mapping fills column {}.{} any more: what it held "
                      "of org {} stands in "
                      "`fields`, as far as the mapping has it; drop the column by hand, with its "
                      "views, if nobody reads it",
                      it.table,
                      it.column,
                      state.cursor.org));
    }
  }
  return {};
}

Error PostgresSink::Impl::refused(const std::string& org) {
  const std::array parameters{name_, org};
  auto rows = connection_->query(holder_sql(config_.schema), parameters);
  if (!rows) return std::move(rows).error();
  if (rows->empty())
    return transient(fmt::format("postgres: claim the cursor of org {}: it is being removed", org));
  const std::string rival = rows->front()[0].value_or("");
  if (was_ours_) {
    // Ours was the target, so this is no claim that waits for its turn.
    return overtaken("claim", rival);
  }
  const std::uint64_t age = to_number(rows->front()[1]);
  return claim_refused(
      fmt::format("postgres: claim the cursor of sink {}, org {}: {} holds it and touched it {} ms "
                  "ago; stop that "
                  "daemon, or give one of the two another schema or sink name; it is free after {} "
                  "ms",
                  name_,
                  org,
                  rival,
                  age,
                  config_.claim_wait.count()),
      config_.claim_wait - Millis(age));
}

OrgState* PostgresSink::Impl::find_org(std::string_view org) {
  const auto found = std::ranges::find(
      orgs_, org, [](const OrgState& s) { return std::string_view(s.cursor.org); });
  return found == orgs_.end() ? nullptr : &*found;
}

/// Fills taken_ with what the cursors have not passed yet. A materialization is never cut: states
/// below a cursor may be what it is there to restore, and rows are guarded by rev.
Result<void> PostgresSink::Impl::take(const Batch& batch) {
  HEADWATER_ASSERT(batch.entries.empty() || !batch.cursors.empty());  // an unfenced write
  taken_.clear();
  const OrgState* state = nullptr;
  for (const EntryView& entry : batch.entries) {
    if (state == nullptr || state->cursor.org != entry.org) state = find_org(entry.org);
    if (state == nullptr)
      return fatal(fmt::format("postgres: write {}: its org was never claimed", entry.rkey));
    const Cursor& cursor = state->cursor;
    if (batch.mode == Mode::Follow) {
      if (!cursor.ledger.empty() && cursor.ledger != holder_.ledger) {
        return fatal(
            fmt::format("postgres: write {}: the cursor is another ledger's ({}); it must be "
                        "materialized first",
                        entry.rkey,
                        cursor.ledger));
      }
      if (entry.meta.rev <= cursor.rev) continue;
    }
    taken_.push_back(&entry);
  }
  return {};
}

void PostgresSink::Impl::add_step(const Statement& statement, RowSet& rows) {
  if (rows.empty()) return;
  Step& step = steps_.emplace_back(Step{&statement, {}, rows.rows()});
  for (ArrayBuffer& column : rows.columns) step.parameters.push_back(column.finish());
}

void PostgresSink::Impl::add_cursor_step(const Batch& batch) {
  cursors_.clear();
  for (const CursorMove& move : batch.cursors) {
    const OrgState* state = find_org(move.org);
    HEADWATER_ASSERT(state != nullptr);
    cursors_.org.add_text(move.org);
    cursors_.epoch.add_int8(static_cast<std::int64_t>(state->cursor.epoch));
    cursors_.rev.add_int8(static_cast<std::int64_t>(move.rev.value));
    // A time that no event can have must not keep the cursor where it is.
    add_timestamp_or_null(cursors_.commit_ts, move.commit_ts);
  }
  steps_.push_back({&statements_.cursor,
                    {cursors_.org.finish(),
                     cursors_.epoch.finish(),
                     cursors_.rev.finish(),
                     cursors_.commit_ts.finish(),
                     name_,
                     holder_.holder,
                     holder_.ledger,
                     batch.mode == Mode::Materialize ? kTrue : kFalse},
                    batch.cursors.size()});
}

void PostgresSink::Impl::add_mirror_steps(const Statements::Mirror& statements,
                                          MirrorRows& rows,
                                          bool clear) {
  if (clear) steps_.push_back({&statements.clear, {cleared_orgs_.finish()}, cleared_orgs_.size()});
  add_step(statements.open, rows.open);
  add_step(statements.close, rows.closed);
}

void PostgresSink::Impl::build_steps(const Batch& batch) {
  steps_.clear();
  steps_.push_back({&statements_.begin, {}, 0});
  add_cursor_step(batch);
  for (std::size_t i = 0; i < renderer_.plans().size(); ++i) {
    add_step(statements_.upserts[i], renderer_.upserts(i));
    add_step(statements_.purges[i], renderer_.purges(i));
  }
  // New edges first: one that stays is updated in place, and only what is left with an older rev
  // goes.
  add_step(statements_.edges, renderer_.edges());
  add_step(statements_.edge_sources, renderer_.edge_sources());
  add_step(statements_.platform, renderer_.platform());
  cleared_orgs_.clear();
  if (batch.mode == Mode::Materialize) {
    for (const CursorMove& move : batch.cursors) {
      if (!find_org(move.org)->mirrors_replaced) cleared_orgs_.add_text(move.org);
    }
  }
  const bool clear = cleared_orgs_.size() > 0;
  add_mirror_steps(statements_.hole, renderer_.holes(), clear);
  add_mirror_steps(statements_.quarantine, renderer_.quarantine(), clear);
  steps_.push_back({&statements_.commit, {}, 0});
}

/// What the server's row says after the commit; the same cases as in cursor_sql().
void PostgresSink::Impl::moved(const Batch& batch) {
  for (const CursorMove& move : batch.cursors) {
    OrgState& state = *find_org(move.org);
    Cursor& cursor = state.cursor;
    if (batch.mode == Mode::Materialize) {
      state.mirrors_replaced = true;
    } else if (!cursor.ledger.empty() && cursor.ledger != holder_.ledger) {
      continue;
    }
    cursor.ledger = holder_.ledger;
    cursor.rev = move.rev;
  }
}

Result<void> PostgresSink::Impl::write(const Batch& batch) {
  if (fenced_) return *fenced_;
  if (!connection_) return transient("postgres: write: the connection is closed; open it again");
  if (auto taken = take(batch); !taken) return taken;
  if (auto rendered = renderer_.render(taken_, batch.whole_relations || batch.mode != Mode::Follow);
      !rendered)
    return rendered;
  if (batch.cursors.empty()) return {};
  build_steps(batch);
  const Step* failed_step = nullptr;
  if (auto done = connection_->pipeline(steps_, failed_step); !done)
    return failed(done.error(), failed_step);
  moved(batch);
  return {};
}

Error PostgresSink::Impl::failed(const Error& error, const Step* step) {
  if (error.code == kFenced) return fenced();
  if (error.kind != ErrorKind::Rejected || !connection_->usable()) close();
  if (step == nullptr) return in_words(fmt::format("write {} changes", taken_.size()), error);
  return in_words(step->rows == 0 ? step->statement->what
                                  : fmt::format("{}, {} rows", step->statement->what, step->rows),
                  error);
}

/// Finds out who has taken the cursor, then never writes again. Unless nobody has: a cursor that is
/// gone, or that stands at an epoch from before ours, is a target that lost what it had.
Error PostgresSink::Impl::fenced() {
  for (const OrgState& state : orgs_) {
    const std::array parameters{name_, state.cursor.org};
    auto rows = connection_->query(holder_sql(config_.schema), parameters);
    if (!rows) return failed(rows.error(), nullptr);
    const bool went_back = rows->empty() || to_number(rows->front()[2]) < state.cursor.epoch;
    if (went_back) {
      close();
      return transient(
          fmt::format("postgres: write: the cursor of sink {}, org {} {}; nothing was written; the "
                      "sink is opened again and told every record's state",
                      name_,
                      state.cursor.org,
                      rows->empty() ? "is gone from the table cursor"
                                    : "is an older one: the target was put back"));
    }
    const std::string rival = rows->front()[0].value_or("");
    if (rival == holder_.holder && to_number(rows->front()[2]) == state.cursor.epoch) continue;
    return overtaken("write", rival);
  }
  close();
  return transient("postgres: write: the cursor was not ours for a moment; opening again");
}

/// The end of this sink, for as long as the process lives.
Error PostgresSink::Impl::overtaken(std::string_view doing, std::string_view rival) {
  close();
  fenced_ = taken_over(fmt::format(
      "postgres: {}: fenced: {} has claimed the cursor of sink {}; nothing was written; this sink "
      "stops until the daemon is started again, so stop the other one first",
      doing,
      rival,
      name_));
  return *fenced_;
}

PostgresSink::PostgresSink(PostgresConfig config,
                           Holder holder,
                           std::string name,
                           std::vector<TablePlan> plans,
                           bool platform_events)
    : platform_events_(platform_events),
      impl_(std::make_unique<Impl>(
          std::move(config), std::move(holder), std::move(name), std::move(plans))) {}
PostgresSink::~PostgresSink() = default;

Result<std::vector<Cursor>> PostgresSink::open(std::span<const std::string> orgs) {
  return impl_->open(orgs);
}
Result<void> PostgresSink::write(const Batch& batch) { return impl_->write(batch); }
void PostgresSink::close() noexcept { impl_->close(); }
std::size_t PostgresSink::entries_max() const { return impl_->config().entries_max; }
std::size_t PostgresSink::bytes_max() const { return impl_->config().bytes_max; }
const std::vector<std::string>& PostgresSink::warnings() const { return impl_->warnings(); }

}  // namespace headwater::postgres
