#include "daemon/ledger/audit_book.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory_resource>

#include "daemon/ledger/hole_rows.hpp"
#include "daemon/ledger/keys.hpp"
#include "daemon/ledger/ledger_impl.hpp"
#include "daemon/ledger/publisher.hpp"

namespace headwater::ledger {
namespace {

constexpr std::string_view kAuditPrefix = "audit:";
/// How far our revs may jump ahead of the clock: ten years, of the 228 that are left to 2^53.
constexpr std::uint64_t kAheadMaxUs = 10ULL * 366 * 86'400 * 1'000'000;

Error damaged(std::string_view rkey) {
  return fatal(fmt::format(
      "ledger: the state of {} is damaged or of a newer format; restore a backup", rkey));
}

Standing standing_of(const RecordId& id, const RecordState& state) {
  Standing out;
  out.id = id;
  out.rev = state.meta.rev;
  out.deleted = state.deleted();
  out.doubted = state.refetch_owed;
  out.complete = state.complete;
  out.newest = state.newest;
  out.known_to = state.known_to();
  return out;
}

}  // namespace

std::string rkey_of(const Hole& hole) { return make_key(hole.org, hole.object, hole.id); }

Hole sink_hole(std::string_view sink, const RecordKey& record, std::string detail) {
  Hole hole;
  hole.scope = Hole::Scope::Sink;
  hole.org = record.org;
  hole.object = record.object;
  hole.id = record.id.str();
  hole.sink = sink;
  hole.cause = "sink_drift";
  hole.detail = std::move(detail);
  return hole;
}

Hole stray_hole(const RecordKey& record, std::string detail) {
  Hole hole;
  hole.scope = Hole::Scope::Record;
  hole.org = record.org;
  hole.object = record.object;
  hole.id = record.id.str();
  hole.cause = kStray;
  hole.detail = std::move(detail);
  return hole;
}

Result<std::vector<Standing>> AuditBook::standings(std::string_view org,
                                                   std::string_view object,
                                                   std::string_view after,
                                                   std::size_t most) const {
  std::vector<Standing> out;
  const std::string prefix = make_key(org, object, "");
  std::string from = prefix + std::string(after);
  if (!after.empty()) from.push_back('\0');  // the first key behind it
  RecordCodec codec;
  RecordState state;
  auto scan = ledger_.impl_->store_->scan(Family::Records, from);
  for (; scan->valid() && scan->key().starts_with(prefix) && out.size() < most; scan->next()) {
    const auto id = RecordId::parse(scan->key().substr(prefix.size()));
    if (!id || !codec.decode(scan->value(), state)) return damaged(scan->key());
    if (state.meta.rev.value != 0) out.push_back(standing_of(*id, state));
  }
  if (!scan->valid()) {
    if (auto ok = scan->status(); !ok) return ok.error();
  }
  return out;
}

Result<void> AuditBook::raw(std::string_view org,
                            std::string_view object,
                            std::span<const RecordId> ids,
                            const RawVisitor& visit) const {
  RecordCodec codec;
  RecordState state;
  std::string bytes;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const std::string rkey = make_key(org, object, ids[i].view());
    auto found = ledger_.impl_->store_->get(Family::Records, rkey, bytes);
    if (!found) return found.error();
    if (*found && !codec.decode(bytes, state)) return damaged(rkey);
    if (!*found || state.meta.rev.value == 0) {
      visit(i, nullptr);
      continue;
    }
    const RawRecord record{standing_of(ids[i], state), state.src};
    visit(i, &record);
  }
  return {};
}

Result<void> AuditBook::open(std::span<const Hole> holes) {
  auto& impl = *ledger_.impl_;
  return impl.write([&]() -> Result<void> {
    for (const Hole& hole : holes) {
      if (auto opened = impl.holes_.open(impl.writer_.batch(), hole); !opened)
        return opened.error();
    }
    return impl.commit();
  });
}

Result<void> AuditBook::close(std::span<const Hole> holes) {
  auto& impl = *ledger_.impl_;
  return impl.write([&]() -> Result<void> {
    for (const Hole& hole : holes) {
      if (auto closed = impl.holes_.close(impl.writer_.batch(), hole, hole.closing); !closed)
        return closed;
    }
    return impl.commit();
  });
}

std::vector<HoleCount> AuditBook::hole_counts() const {
  return ledger_.impl_->holes_.counts().list();
}

std::vector<Hole> AuditBook::sink_holes(std::string_view org, std::string_view sink) const {
  return ledger_.impl_->holes_.of_sink(org, sink);
}

Result<bool> AuditBook::any_held_up(std::string_view org, std::string_view object) const {
  auto& store = *ledger_.impl_->store_;
  const std::string prefix = make_key(org, "r", object, "");
  std::string bytes;
  auto scan = store.scan(Family::Holes, prefix);
  for (; scan->valid() && scan->key().starts_with(prefix); scan->next()) {
    const auto hole = read_hole(scan->key(), scan->value());
    if (!hole) continue;
    if (hole->cause == kMassDelete) return true;
    if (hole->cause != kStray) continue;
    const auto known = store.get(Family::Records, rkey_of(*hole), bytes);
    if (!known) return known.error();
    if (!*known) return true;
  }
  if (auto ok = scan->status(); !ok) return ok.error();
  return false;
}

Result<void> AuditBook::ask_spared(std::string_view org, std::string_view object) {
  auto& impl = *ledger_.impl_;
  return impl.write([&]() -> Result<void> {
    if (auto asked = impl.holes_.ask_spared(org, object); !asked) return asked;
    return impl.commit();
  });
}

Result<bool> AuditBook::in_quarantine(const RecordKey& record, std::string_view stage) const {
  const std::string prefix = make_key(record.org, record.object, record.id.view(), stage, "");
  const auto scan = ledger_.impl_->store_->scan(Family::Quarantine, prefix);
  if (scan->valid()) return scan->key().starts_with(prefix);
  if (auto ok = scan->status(); !ok) return ok.error();
  return false;
}

Result<std::optional<Hole>> AuditBook::hole_of(std::string_view org,
                                               std::string_view object,
                                               std::string_view id) const {
  const std::string key = make_key(org, "r", object, id);
  std::string bytes;
  auto found = ledger_.impl_->store_->get(Family::Holes, key, bytes);
  if (!found) return found.error();
  if (!*found) return std::optional<Hole>();
  return read_hole(key, bytes);
}

bool AuditBook::may_follow(Rev above) const {
  const auto now =
      static_cast<std::uint64_t>(std::max<std::int64_t>(ledger_.impl_->clock_.now_us(), 0));
  return above.value <= now + kAheadMaxUs;
}

Result<std::size_t> AuditBook::restate(std::span<const RecordKey> keys, Rev above) {
  HEADWATER_ASSERT(may_follow(above));
  auto& impl = *ledger_.impl_;
  return impl.write([&]() -> Result<std::size_t> {
    impl.journal_.raise(above);
    Publisher publisher(impl.journal_, impl.clock_);
    RecordCodec codec;
    std::size_t told = 0;
    for (const RecordKey& key : keys) {
      std::pmr::monotonic_buffer_resource arena;
      RecordState state;
      crm::Projection image;
      std::string bytes;
      const std::string rkey = key.str();
      auto found = impl.store_->get(Family::Records, rkey, bytes);
      if (!found) return found.error();
      if (!*found) continue;
      if (!codec.decode(bytes, state)) return damaged(rkey);
      if (state.meta.rev.value == 0) continue;
      ObjectProjector& projector = *impl.objects_.of(key.org, key.object).projector;
      projector.project(state, projector.facts_of(state, key.id.view()), image);
      const std::string change_id =
          fmt::format("{}/reconcile-{}/0/{}", key.org, state.meta.rev.value, key.id.view());
      Change change;
      change.rkey = rkey;
      change.id = key.id.view();
      change.after = &image;
      change.version = state.meta.version;
      change.commit_ts = state.meta.commit_ts;
      change.origin.type = ChangeType::Reconcile;
      change.origin.change_id = change_id;
      change.force = true;
      if (!publisher.publish(impl.writer_.batch(), projector, state, change, arena)) continue;
      std::string encoded;
      codec.encode(state, encoded);
      impl.writer_.batch().put(Family::Records, rkey, encoded);
      ++told;
    }
    impl.writer_.forget_states();
    if (auto ok = impl.commit(); !ok) return ok.error();
    if (impl.journal_.over_bound()) {
      if (auto ok = impl.trim(); !ok) return ok.error();
    }
    return told;
  });
}

Result<void> AuditBook::keep(std::string_view name, std::string_view text) {
  auto& impl = *ledger_.impl_;
  return impl.write([&] {
    impl.writer_.batch().put(Family::Meta, std::string(kAuditPrefix).append(name), text);
    return impl.commit();
  });
}

Result<void> AuditBook::forget(std::string_view name) {
  auto& impl = *ledger_.impl_;
  return impl.write([&] {
    impl.writer_.batch().erase(Family::Meta, std::string(kAuditPrefix).append(name));
    return impl.commit();
  });
}

Result<std::string> AuditBook::text_of(std::string_view name) const {
  std::string text;
  const auto found =
      ledger_.impl_->store_->get(Family::Meta, std::string(kAuditPrefix).append(name), text);
  if (!found) return found.error();
  return *found ? text : std::string();
}

Result<std::vector<std::pair<std::string, std::string>>> AuditBook::kept(
    std::string_view prefix) const {
  std::vector<std::pair<std::string, std::string>> out;
  const std::string from = std::string(kAuditPrefix).append(prefix);
  auto scan = ledger_.impl_->store_->scan(Family::Meta, from);
  for (; scan->valid() && scan->key().starts_with(from); scan->next())
    out.emplace_back(scan->key().substr(kAuditPrefix.size()), scan->value());
  if (!scan->valid()) {
    if (auto ok = scan->status(); !ok) return ok.error();
  }
  return out;
}

}  // namespace headwater::ledger
