#include "daemon/ledger/reprojector.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "daemon/ledger/keys.hpp"
#include "daemon/ledger/writer.hpp"
#include "schemas/crm/expression.hpp"

namespace headwater::ledger {
namespace {

/// Format 2 tells `begin`, format 3 the record types of `before`, format 4 its retired fields. A
/// job of format 1 ran without any event in between, so none of the records that it still owes was
/// told since.
constexpr std::uint8_t kFormat = 3, kRetiredFormat = 4;

FactsFormat facts_format(std::uint8_t job) {
  if (job == kRetiredFormat) return FactsFormat::Retired;
  return job == kFormat ? FactsFormat::RecordTypes : FactsFormat::Plain;
}

const Member* member_of(const RecordState& state, NameId name) {
  const auto at = std::ranges::lower_bound(state.src, name, {}, &Member::name);
  return at != state.src.end() && at->name == name ? &*at : nullptr;
}

/// An object of its own name gets a table of its own as soon as it has a column, and leaves it
/// without any.
bool has_columns(const crm::EntityMapping& entity) {
  return std::ranges::any_of(entity.fields, &crm::FieldMapping::column);
}

struct Home {
  std::string_view org, object;
};
Home home_of(std::string_view rkey) {
  const auto first = rkey.find(':');
  const auto second = rkey.find(':', first + 1);
  return {rkey.substr(0, first), rkey.substr(first + 1, second - first - 1)};
}

/// Where the keys of this one's object end: `;` follows `:`.
std::string behind_object(std::string_view rkey) {
  const auto [org, object] = home_of(rkey);
  return make_key(org, object) + ";";
}

}  // namespace

Reprojector::Reprojector(const Parts& parts, std::string_view key)
    : store_(parts.store),
      journal_(parts.journal),
      names_(parts.names),
      orgs_(parts.orgs),
      key_(key),
      publisher_(parts.journal, parts.clock) {}

Result<std::optional<Job>> Reprojector::load() const {
  std::string bytes;
  auto found = store_.get(Family::Meta, key_, bytes);
  if (!found) return found.error();
  if (!*found) return std::optional<Job>();
  Job job;
  ByteReader reader(bytes);
  const std::uint8_t format = reader.byte();
  job.kind = static_cast<Job::Kind>(reader.byte());
  job.org = reader.text();
  job.done = reader.text();
  job.target = reader.text();
  bool ok = format >= 1 && format <= kRetiredFormat &&
            read_facts(reader, facts_format(format), job.before);
  job.begin = format == 1 ? journal_.last() : Rev{reader.varint()};
  ok = ok && reader.ok();
  if (!ok) {
    return fatal(
        "ledger: the row of a re-projection is damaged or of a newer format; start the "
        "version that wrote it, or restore a backup");
  }
  return std::optional<Job>(std::move(job));
}

void Reprojector::stage(StoreBatch& batch) const {
  std::string bytes;
  put_byte(bytes, format_of(job_->before) == FactsFormat::Retired ? kRetiredFormat : kFormat);
  put_byte(bytes, static_cast<std::uint8_t>(job_->kind));
  put_text(bytes, job_->org);
  put_text(bytes, job_->done);
  put_text(bytes, job_->target);
  put_facts(bytes, job_->before);
  put_varint(bytes, job_->begin.value);
  batch.put(Family::Meta, key_, bytes);
}

void Reprojector::begin(StoreBatch& batch,
                        Job job,
                        std::shared_ptr<const crm::Mapping> before,
                        std::shared_ptr<const crm::Mapping> after,
                        std::function<void(StoreBatch&)> last) {
  job_ = std::move(job);
  mapping_before_ = std::move(before);
  mapping_after_ = std::move(after);
  last_ = std::move(last);
  projectors_.clear();
  find_scope();
  stage(batch);
}

void Reprojector::find_scope() {
  scope_.reset();
  if (job_->kind != Job::Kind::Facts) return;
  const auto now = orgs_.projection_facts(job_->org);
  crm::OrgFacts otherwise = job_->before;
  otherwise.record_types = now->record_types;
  otherwise.retired = now->retired;
  std::string before, after;
  put_facts(before, otherwise);
  put_facts(after, *now);
  if (before != after) return;
  scope_.emplace();
  const auto note = [this](const crm::OrgFacts& facts, const crm::OrgFacts& others) {
    for (const auto& [id, name] : facts.record_types) {
      const auto other = others.record_types.find(id);
      if (other == others.record_types.end() || other->second != name) scope_->types.insert(id);
    }
    for (const auto& [object, paths] : facts.retired) {
      const auto other = others.retired.find(object);
      const NameTable& names = names_.of(job_->org, object);
      for (const auto& path : paths) {
        if (other != others.retired.end() && other->second.contains(path)) continue;
        if (const auto name = names.find(path)) scope_->retired[object].insert(*name);
      }
    }
  };
  note(job_->before, *now);
  note(*now, job_->before);
}

std::optional<NameId> Reprojector::type_name(std::string_view rkey) const {
  const auto [org, object] = home_of(rkey);
  return names_.of(org, object).find(crm::kRecordTypeId);
}

bool Reprojector::concerns_some(std::string_view rkey) const {
  if (!scope_ || scope_->retired.contains(home_of(rkey).object)) return true;
  return !scope_->types.empty() && type_name(rkey);
}

bool Reprojector::concerns(std::string_view rkey, const RecordState& state) const {
  if (!scope_) return true;
  if (const auto name = type_name(rkey)) {
    const Member* type = member_of(state, *name);
    if (type != nullptr && scope_->types.contains(type->value.text)) return true;
  }
  const auto fields = scope_->retired.find(home_of(rkey).object);
  return fields != scope_->retired.end() && std::ranges::any_of(fields->second, [&](NameId name) {
           return member_of(state, name) != nullptr;
         });
}

void Reprojector::use(std::shared_ptr<const crm::Mapping> after) {
  mapping_after_ = std::move(after);
  projectors_.clear();
}

Result<void> Reprojector::slice(Writer& writer, std::size_t records_max, Reprojector* other) {
  StoreBatch& batch = writer.batch();
  const std::string prefix = job_->org.empty() ? std::string() : job_->org + ":";
  std::size_t records = 0;
  auto scan =
      store_.scan(Family::Records, job_->done.empty() ? prefix : job_->done + std::string(1, '\0'));
  for (; scan->valid() && records < records_max; ++records) {
    if (!scan->key().starts_with(prefix)) break;
    if (!concerns_some(scan->key())) {
      job_->done = behind_object(scan->key());
      scan = store_.scan(Family::Records, job_->done);
      continue;
    }
    arena_.release();
    if (!codec_.decode(scan->value(), state_)) {
      return fatal(
          fmt::format("ledger: the state of {} is damaged or of a newer format; restore a backup",
                      scan->key()));
    }
    const bool others = other != nullptr && other->owes(scan->key(), state_);
    if (owes(scan->key(), state_) && concerns(scan->key(), state_) &&
        tell(batch, scan->key(), state_, arena_)) {
      if (others) other->tell(batch, scan->key(), state_, arena_);
      bytes_.clear();
      codec_.encode(state_, bytes_);
      writer.put_state(scan->key(), bytes_);
    }
    job_->done = scan->key();
    scan->next();
  }
  if (auto ok = scan->status(); !ok) return ok;
  if (records == records_max) {
    stage(batch);
    return writer.commit(batch, true);
  }
  stage_done(batch);
  if (last_) last_(batch);
  if (auto ok = writer.commit(batch, true); !ok) return ok;
  job_.reset();
  last_ = nullptr;
  projectors_.clear();
  return {};
}

bool Reprojector::owes(std::string_view rkey, const RecordState& state) const {
  if (!job_ || state.meta.rev.value == 0 || state.meta.rev > job_->begin) return false;
  if (!job_->org.empty() &&
      !(rkey.starts_with(job_->org) && rkey.substr(job_->org.size()).starts_with(':'))) {
    return false;
  }
  return rkey > job_->done;
}

Reprojector::Pair& Reprojector::projectors(std::string_view rkey) {
  const auto [org, object] = home_of(rkey);
  Pair& pair = projectors_[make_key(org, object)];
  if (pair.after) return pair;
  NameTable& names = names_.of(org, object);
  const auto facts = orgs_.projection_facts(org);
  pair.after = std::make_unique<ObjectProjector>(mapping_after_, facts, object, names);
  if (job_->kind == Job::Kind::Stamp) return pair;
  pair.replaced = !mapping_before_;
  if (!mapping_before_) return pair;
  const auto old_facts =
      job_->kind == Job::Kind::Facts ? std::make_shared<const crm::OrgFacts>(job_->before) : facts;
  pair.before = std::make_unique<ObjectProjector>(mapping_before_, old_facts, object, names);
  pair.moved = pair.before->entity() != pair.after->entity();
  pair.replaced = has_columns(mapping_before_->of_object(object)) !=
                  has_columns(mapping_after_->of_object(object));
  return pair;
}

bool Reprojector::tell(StoreBatch& batch,
                       std::string_view rkey,
                       RecordState& state,
                       std::pmr::memory_resource& arena) {
  Pair& pair = projectors(rkey);
  const std::string_view id = rkey.substr(rkey.rfind(':') + 1);
  const std::string_view org = rkey.substr(0, rkey.find(':'));
  pair.after->project(state, pair.after->facts_of(state, id), after_);
  if (pair.before) pair.before->project(state, pair.before->facts_of(state, id), before_);
  Change change;
  change.rkey = rkey;
  change.id = id;
  change.before = pair.before ? &before_ : nullptr;
  change.after = &after_;
  change.version = state.meta.version;
  change.commit_ts = state.meta.commit_ts;
  change.force = job_->kind == Job::Kind::Stamp;
  change.replaced = pair.moved || pair.replaced;
  if (change.force) {
    change.origin = state.origin;
    change.origin.snapshot = SnapshotMark::True;
    change.origin.change_id =
        keep(arena, fmt::format("{}/state-{}/0/{}", org, state.meta.rev.value, id));
  } else {
    change.origin.type = ChangeType::Remap;
    change.origin.change_id =
        keep(arena, fmt::format("{}/remap-{}/0/{}", org, mapping_after_->mapping_rev(), id));
  }
  if (pair.moved && !state.meta.deleted)
    publisher_.publish_gone(batch, *pair.before, state, change);
  return publisher_.publish(batch, *pair.after, state, change, arena);
}

}  // namespace headwater::ledger
