#include "daemon/ledger/objects.hpp"

#include <algorithm>

#include "daemon/ledger/keys.hpp"

namespace headwater::ledger {
namespace {
constexpr std::uint8_t kFormat = 1;
}

ObjectProjector::ObjectProjector(std::shared_ptr<const crm::Mapping> mapping,
                                 std::shared_ptr<const crm::OrgFacts> facts,
                                 std::string_view object,
                                 NameTable& names)
    : mapping_(std::move(mapping)),
      names_(names),
      projector_(mapping_, std::move(facts), object, names),
      last_modified_(names.intern("LastModifiedDate")) {}

crm::StateFacts ObjectProjector::facts_of(const RecordState& state, std::string_view id) const {
  return {id, state.newest.at_ms, state.touched_at(last_modified_)};
}

void ObjectProjector::project(const RecordState& state,
                              const crm::StateFacts& facts,
                              crm::Projection& out) {
  constexpr ValueView kAbsent{Tag::Absent, 0, 0, {}};
  slots_.assign(names_.size(), kAbsent);
  // Names are written no later than the states that use them.
  HEADWATER_ASSERT(state.src.empty() || state.src.back().name < slots_.size());
  for (const Member& member : state.src) slots_[member.name] = member.value;
  projector_.project(slots_, facts, out);
}

void ObjectProjector::project_before(std::span<const Member> replaced,
                                     const crm::StateFacts& facts,
                                     const crm::Projection& after,
                                     crm::Projection& out) {
  for (const Member& member : replaced) slots_[member.name] = member.value;
  projector_.project_again(slots_, facts, replaced, after, out);
}

Result<void> Objects::load() {
  auto scan = store_.scan(Family::Meta, kCountPrefix);
  for (; scan->valid() && scan->key().starts_with(kCountPrefix); scan->next()) {
    const std::string_view key = scan->key().substr(kCountPrefix.size());
    const auto colon = key.find(':');
    ByteReader reader(scan->value());
    if (colon == std::string_view::npos || reader.byte() != kFormat) continue;
    ObjectContext& context = of(key.substr(0, colon), key.substr(colon + 1));
    context.counts.alive = reader.varint();
    context.counts.deleted = reader.varint();
    context.counts.incomplete = reader.varint();
    context.brake_from = reader.signed_varint();
    context.brake_gone = reader.varint();
    context.brake_base = reader.varint();
    if (reader.left() > 0) context.brake_spared = reader.varint();  // rows of before end here
  }
  return scan->status();
}

void Objects::set_mapping(std::shared_ptr<const crm::Mapping> mapping) {
  mapping_ = std::move(mapping);
  facts_changed();
  const std::lock_guard lock(mutex_);
  for (auto& [key, context] : contexts_) {
    context->counts.entity = mapping_->of_object(context->object).entity;
    published_.insert_or_assign(key, context->counts);
  }
}

void Objects::facts_changed() {
  for (auto& [key, context] : contexts_) context->projector.reset();
  last_ = nullptr;
}

ObjectContext& Objects::of(std::string_view org, std::string_view object) {
  if (last_ != nullptr && last_->object == object && last_->org->name == org) return *last_;
  thread_local std::string key;
  key.clear();
  append_key(key, org, object);
  auto& context = contexts_[key];
  if (!context) {
    context = std::make_unique<ObjectContext>();
    context->org = &orgs_.of(org);
    context->object = object;
    context->prefix = key + ":";
    context->counts.org = org;
    context->counts.object = object;
  }
  if (!context->projector && mapping_) {
    context->projector = std::make_unique<ObjectProjector>(
        mapping_, context->org->facts, object, names_.of(org, object));
    context->counts.entity = context->projector->entity();
  }
  last_ = context.get();
  return *context;
}

void Objects::stage(StoreBatch& batch) {
  std::string bytes;
  for (auto& [key, context] : contexts_) {
    if (!context->dirty) continue;
    bytes.clear();
    put_byte(bytes, kFormat);
    put_varint(bytes, context->counts.alive);
    put_varint(bytes, context->counts.deleted);
    put_varint(bytes, context->counts.incomplete);
    put_signed(bytes, context->brake_from);
    put_varint(bytes, context->brake_gone);
    put_varint(bytes, context->brake_base);
    put_varint(bytes, context->brake_spared);
    batch.put(Family::Meta, std::string(kCountPrefix) + key, bytes);
    context->dirty = false;
    const std::lock_guard lock(mutex_);
    published_.insert_or_assign(key, context->counts);
  }
}

EpochMs Objects::rows_deleted_until() const {
  EpochMs until = 0;
  for (const auto& [key, context] : contexts_) {
    if (context->brake_from > 0) until = std::max(until, context->brake_from + kBrakeWindowMs);
  }
  return until;
}

std::vector<RecordCounts> Objects::counts() const {
  const std::lock_guard lock(mutex_);
  std::vector<RecordCounts> out;
  for (const auto& [key, counts] : published_) out.push_back(counts);
  return out;
}

}  // namespace headwater::ledger
