#include "tests/sim/org.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "tests/unit/avro/builder.hpp"

namespace headwater::sim {
namespace {

using avro::test::Bytes;

constexpr std::string_view kModified = "LastModifiedDate";

/// Numbers of changeType's symbols, which are those of ChangeType.
int symbol(ChangeType type) { return static_cast<int>(type); }

std::string record_id(const std::string& prefix, std::uint64_t number) {
  const std::string base = fmt::format("{}5f0000{:06}", prefix, number);
  char suffix[3];
  id_suffix(base, suffix);
  return base + std::string(suffix, 3);
}

/// A bitmap over the schema's top-level fields, the first of which is the header.
std::string bitmap(const std::vector<std::size_t>& fields) {
  std::uint64_t bits = 0;
  for (const std::size_t field : fields) bits |= std::uint64_t{1} << (field + 1);
  return fmt::format("0x{:02X}", bits);
}

}  // namespace

const Point* SimRecord::at(std::uint64_t seq) const {
  const auto found = std::ranges::lower_bound(history, seq, {}, &Point::seq);
  return found != history.end() && found->seq == seq ? &*found : nullptr;
}

SimOrg::SimOrg(World& world) : world_(world), records_max_(2 + world.random.below(12)) {
  const auto text = FieldType::Text;
  objects_ = {{"Account",
               "001",
               {{"Name", text, Section::Fields, "name"},
                {"Industry", text, Section::Fields, "industry"},
                {"ParentId", FieldType::Reference, Section::Fields, "parent_id"},
                {std::string(kModified), FieldType::DateTime, Section::Fields, "updated_at"},
                {"Note__c", text, Section::Extra, "Note__c", true},
                {kSeqField, text, Section::Extra, kSeqField}}},
              {"Contact",
               "003",
               {{"Title", text, Section::Fields, "title"},
                {"Department", text, Section::Fields, "department"},
                {"AccountId", FieldType::Reference, Section::Fields, "account_id"},
                {std::string(kModified), FieldType::DateTime, Section::Fields, "updated_at"},
                {kSeqField, text, Section::Extra, kSeqField},
                {"Note__c", text, Section::Extra, "Note__c", true}}}};
}

std::size_t SimOrg::visible() const {
  const auto end = std::ranges::upper_bound(bus_, world_.now_ms(), {}, &BusEvent::visible_at);
  return static_cast<std::size_t>(end - bus_.begin());
}

std::optional<std::size_t> SimOrg::index_of(const std::string& replay_id) const {
  const auto at = by_replay_id_.find(replay_id);
  if (at == by_replay_id_.end()) return std::nullopt;
  return at->second;
}

const SimRecord* SimOrg::find(std::string_view rkey) const {
  const auto at = records_.find(std::string(rkey));
  return at == records_.end() ? nullptr : &at->second;
}

const SimObject* SimOrg::object(std::string_view name) const {
  const auto at = std::ranges::find(objects_, name, &SimObject::name);
  return at == objects_.end() ? nullptr : &*at;
}

// ---- changes

void SimOrg::commit() {
  commit_number_ += 1 + static_cast<std::int64_t>(world_.random.below(1'000));
  Commit commit;
  commit.number = commit_number_;
  commit.ms = world_.now_ms() / 1000 * 1000;  // Salesforce's clocks tick whole seconds
  commit.transaction = fmt::format("tx-{}", commit_number_);
  const auto changes = world_.random.chance(0.7) ? 1 : world_.random.between(2, 3);
  for (std::int64_t i = 0; i < changes; ++i) {
    commit.sequence = i + 1;
    change(commit);
  }
}

SimRecord* SimOrg::any(const SimObject& object) {
  std::vector<SimRecord*> of;
  for (auto& [key, record] : records_) {
    if (record.object == &object) of.push_back(&record);
  }
  return of.empty() ? nullptr : of[world_.random.below(of.size())];
}

void SimOrg::change(const Commit& commit) {
  SimObject& object = objects_[world_.random.below(objects_.size())];
  SimRecord* record = any(object);
  if (record == nullptr || (records_.size() < records_max_ && world_.random.chance(0.2))) {
    return create(commit);
  }
  Point next = record->now();
  next.commit_ms = commit.ms;
  if (record->now().deleted) {
    if (world_.random.chance(0.5)) return create(commit);
    next.deleted = false;
  } else if (world_.random.chance(0.12)) {
    next.deleted = true;
  } else {
    return update(*record, commit);
  }
  next.seq = ++seq_;
  if (!next.deleted) {
    for (std::size_t i = 0; i < object.fields.size(); ++i) {
      if (object.fields[i].name == kSeqField) next.values[i] = std::to_string(next.seq);
      if (object.fields[i].name == kModified) next.values[i] = std::to_string(commit.ms);
    }
  }
  record->history.push_back(next);
  tell(next.deleted ? ChangeType::Delete : ChangeType::Undelete, {record}, {}, commit);
}

void SimOrg::create(const Commit& commit) {
  const SimObject& object = objects_[world_.random.below(objects_.size())];
  SimRecord record;
  record.object = &object;
  record.id = record_id(object.prefix, ++seq_);
  Point point;
  point.seq = seq_;
  point.commit_ms = commit.ms;
  for (const SimField& field : object.fields) {
    point.values.push_back(made_up(object, field));
    if (field.name == kSeqField) point.values.back() = std::to_string(seq_);
    if (field.name == kModified) point.values.back() = std::to_string(commit.ms);
  }
  record.history.push_back(std::move(point));
  const std::string key = record.rkey();
  tell(ChangeType::Create, {&records_.emplace(key, std::move(record)).first->second}, {}, commit);
}

void SimOrg::update(SimRecord& record, const Commit& commit) {
  const SimObject& object = *record.object;
  std::vector<SimRecord*> records{&record};
  // One event may speak of several records that were changed alike.
  if (world_.random.chance(0.15)) {
    SimRecord* other = any(object);
    if (other != &record && !other->now().deleted) records.push_back(other);
  }
  ++seq_;
  // Seen in lead conversion and geocoding: an update that does not tell when.
  const bool tells_when = !world_.random.chance(0.1);
  std::vector<std::size_t> changed;
  std::vector<std::optional<std::string>> values;
  for (std::size_t i = 0; i < object.fields.size(); ++i) {
    const SimField& field = object.fields[i];
    const bool modified = field.name == kModified;
    const bool seq = field.name == kSeqField;
    if (!seq && !modified && (!object.has(field) || world_.random.chance(0.6))) continue;
    if (modified && !tells_when) continue;
    changed.push_back(i);
    values.push_back(seq        ? std::to_string(seq_)
                     : modified ? std::to_string(commit.ms)
                                : made_up(object, field));
  }
  for (SimRecord* each : records) {
    Point next = each->now();
    next.seq = seq_;
    next.commit_ms = commit.ms;
    for (std::size_t i = 0; i < changed.size(); ++i) next.values[changed[i]] = values[i];
    for (std::size_t i = 0; i < object.fields.size(); ++i) {
      if (object.fields[i].name == kModified) next.values[i] = std::to_string(commit.ms);
    }
    each->history.push_back(std::move(next));
  }
  tell(ChangeType::Update, std::move(records), changed, commit);
}

std::optional<std::string> SimOrg::made_up(const SimObject& object, const SimField& field) {
  if (!object.has(field) || world_.random.chance(0.2)) return std::nullopt;
  if (field.type != FieldType::Reference) return fmt::format("v{} ü", world_.random.below(50));
  const SimRecord* to = any(objects_[0]);
  if (to == nullptr) return std::nullopt;
  return to->id;
}

// ---- telling

void SimOrg::tell(ChangeType type,
                  std::vector<SimRecord*> records,
                  const std::vector<std::size_t>& changed,
                  const Commit& commit) {
  const SimObject& object = *records[0]->object;
  const bool dropped = listened_to_ && world_.roll(world_.faults.dropped);
  const bool told = object.told(world_.now_ms()) && !dropped;
  for (const SimRecord* record : records) {
    world_.trace.line(fmt::format("  org: {} {} commit {} {}{}",
                                  to_string(type),
                                  record->rkey(),
                                  commit.number,
                                  commit.sequence,
                                  told ? "" : " untold"));
  }
  if (!told) {
    for (const SimRecord* record : records) {
      untold_.insert(record->rkey());
      if (dropped) dropped_.insert(record->rkey());
    }
    return;
  }
  BusEvent event;
  event.type = type;
  event.seq = records[0]->now().seq;
  event.schema_id = object.schema_id(object.schema);
  event.uuid = fmt::format("uuid-{}", bus_.size());
  // Opaque, and in no order.
  event.replay_id.assign(2, '\0');
  for (std::uint64_t bits = (bus_.size() + 1) * 0x9e3779b97f4a7c15ULL, i = 0; i < 8; ++i) {
    event.replay_id.push_back(static_cast<char>(bits >> (8 * i)));
  }
  const bool may_gap =
      type == ChangeType::Create || type == ChangeType::Update || type == ChangeType::Undelete;
  if (may_gap && world_.roll(world_.faults.gap)) {
    const auto gap = type == ChangeType::Create   ? ChangeType::GapCreate
                     : type == ChangeType::Update ? ChangeType::GapUpdate
                                                  : ChangeType::GapUndelete;
    event.payload = encode(gap, records, {}, commit);
    event.readable = false;
  } else {
    event.payload = encode(type, records, changed, commit);
    if (world_.roll(world_.faults.corrupt)) {
      event.payload.resize(event.payload.size() - 2);
      event.readable = false;
    }
  }
  const std::int64_t lag =
      world_.random.chance(0.8) ? world_.random.between(0, 300) : world_.random.between(0, 20'000);
  next_visible_ = std::max(next_visible_, world_.now_ms() + lag);
  event.visible_at = next_visible_;
  event.records = std::move(records);
  by_replay_id_.emplace(event.replay_id, bus_.size());
  bus_.push_back(std::move(event));
}

std::string SimOrg::encode(ChangeType type,
                           const std::vector<SimRecord*>& records,
                           const std::vector<std::size_t>& changed,
                           const Commit& commit) const {
  const SimObject& object = *records[0]->object;
  const Point& point = records[0]->now();
  const bool full = is_full(type);
  Bytes bytes;
  bytes.text(object.name).number(static_cast<std::int64_t>(records.size()));
  for (const SimRecord* record : records) bytes.text(record->id);
  bytes.number(0).number(symbol(type)).text("").text(commit.transaction).number(commit.sequence);
  bytes.number(commit.ms).number(commit.number).text("0055f000005mc66AAA");
  // Positions in the schema of the day, in which a later field may stand before others.
  std::vector<std::size_t> told, nulled;
  std::size_t place = 0;
  std::vector<const std::optional<std::string>*> body;
  for (std::size_t i = 0; i < object.fields.size(); ++i) {
    if (!object.has(object.fields[i])) continue;
    const bool listed = std::ranges::find(changed, i) != changed.end();
    static const std::optional<std::string> kUnchanged;
    const bool masked = hidden_ && hidden_->masked && hidden_->object == object.name &&
                        hidden_->field == object.fields[i].name;
    body.push_back((full || listed) && !masked ? &point.values[i] : &kUnchanged);
    if (listed) (*body.back() || i % 2 == 0 ? told : nulled).push_back(place);
    ++place;
  }
  const auto list = [&](const std::vector<std::size_t>& places) {
    if (places.empty()) return bytes.texts({});
    const std::string bits = bitmap(places);
    return bytes.texts({bits});
  };
  list(nulled);
  bytes.texts({});
  list(told);
  std::size_t at = 0;
  for (const SimField& field : object.fields) {
    if (!object.has(field)) continue;
    const auto& value = *body[at++];
    bytes.number(value ? 1 : 0);
    if (!value) continue;
    if (field.type == FieldType::DateTime) {
      bytes.number(std::stoll(*value));
    } else {
      bytes.text(*value);
    }
  }
  return bytes.out;
}

std::string SimOrg::schema_text(const SimObject& object, int version) const {
  std::string fields;
  for (const SimField& field : object.fields) {
    if (field.later && version < 2) continue;
    const char* const doc = field.type == FieldType::Text        ? "Data:Text"
                            : field.type == FieldType::Reference ? "Data:EntityId"
                                                                 : "Data:DateTime";
    fields += fmt::format(R"({}{{"name":"{}","type":["null","{}"],"doc":"{}","default":null}})",
                          fields.empty() ? "" : ",",
                          field.name,
                          field.type == FieldType::DateTime ? "long" : "string",
                          doc);
  }
  std::string text = avro::test::event_schema(fields);
  static constexpr std::string_view kName = "TestChangeEvent";
  return text.replace(text.find(kName), kName.size(), object.name + "ChangeEvent");
}

// ---- REST

salesforce::ObjectDescription SimOrg::describe(const SimObject& object) const {
  salesforce::ObjectDescription out;
  out.name = object.name;
  out.key_prefix = object.prefix;
  out.fields = {{"Id", "Id", "id", {}, {}, false},
                {"IsDeleted", "IsDeleted", "boolean", {}, {}, false},
                {"SystemModstamp", "SystemModstamp", "datetime", {}, {}, false}};
  for (const SimField& field : object.fields) {
    if (!shows(object, field)) continue;
    const char* const type = field.type == FieldType::Text        ? "string"
                             : field.type == FieldType::Reference ? "reference"
                                                                  : "datetime";
    out.fields.push_back({field.name, field.name, type, {}, {}, false});
  }
  return out;
}

std::optional<std::string> SimOrg::json(std::string_view object, std::string_view id) const {
  const SimRecord* record = find(fmt::format("{}:{}:{}", kOrg, object, id));
  if (record == nullptr || record->now().deleted) return std::nullopt;
  return json_of(*record) + "}";
}

std::string SimOrg::row(const SimRecord& record) const {
  const char* const deleted = record.now().deleted ? "true" : "false";
  return json_of(record) + fmt::format(R"(,"IsDeleted":{},"MasterRecordId":null}})", deleted);
}

std::string SimOrg::json_of(const SimRecord& record) const {
  const Point& point = record.now();
  std::string out = fmt::format(R"({{"attributes":{{"type":"{}"}},"Id":"{}","SystemModstamp":"{}")",
                                record.object->name,
                                record.id,
                                format_datetime(point.commit_ms));
  for (const SimField& field : record.object->fields) {
    if (!shows(*record.object, field)) continue;
    const auto value = said(record, field.name);
    out += value ? fmt::format(R"(,"{}":"{}")", field.name, *value)
                 : fmt::format(R"(,"{}":null)", field.name);
  }
  return out;
}

std::optional<std::string> SimOrg::said(const SimRecord& record, std::string_view name) const {
  const Point& point = record.now();
  if (name == "Id") return record.id;
  if (name == "IsDeleted") return point.deleted ? "true" : "false";
  if (name == "SystemModstamp") return format_datetime(point.commit_ms);
  const auto field = std::ranges::find(record.object->fields, name, &SimField::name);
  if (field == record.object->fields.end()) return std::nullopt;
  const auto& value = point.values[static_cast<std::size_t>(field - record.object->fields.begin())];
  if (!value || field->type != FieldType::DateTime) return value;
  return format_datetime(std::stoll(*value));
}

std::string SimOrg::line(const SimRecord& record, const std::vector<std::string>& fields) const {
  std::string out;
  for (const auto& field : fields)
    out += fmt::format("{}\"{}\"", out.empty() ? "" : ",", said(record, field).value_or(""));
  return out + "\n";
}

// ---- what befalls it

void SimOrg::select(std::string_view name, bool selected) {
  const auto object = std::ranges::find(objects_, name, &SimObject::name);
  object->selected = selected;
  object->selected_from = world_.now_ms() + world_.random.between(0, kSelectionLateMs);
  if (!selected) silences_.insert(object->name);
}

const SimObject* SimOrg::deselected() const {
  const auto object = std::ranges::find(objects_, false, &SimObject::selected);
  return object == objects_.end() ? nullptr : &*object;
}

/// A text field that all records have, once in a run.
void SimOrg::hide() {
  const SimObject& object = objects_[world_.random.below(objects_.size())];
  std::vector<std::string> fields;
  for (const SimField& field : object.fields) {
    if (field.type == FieldType::Text && !field.later && field.name != kSeqField)
      fields.push_back(field.name);
  }
  hidden_ = {object.name, fields[world_.random.below(fields.size())], true, false};
}

bool SimOrg::shows(const SimObject& object, const SimField& field) const {
  const bool hidden =
      hidden_ && hidden_->now && hidden_->object == object.name && hidden_->field == field.name;
  return object.has(field) && !hidden;
}

std::optional<Error> SimOrg::refuse_fields(std::string_view object,
                                           std::span<const std::string> fields) const {
  const bool hides = hidden_ && hidden_->now && hidden_->object == object;
  if (!hides || std::ranges::find(fields, hidden_->field) == fields.end()) return {};
  return rejected(fmt::format("rest: No such column '{}' on entity '{}'.", hidden_->field, object),
                  "INVALID_FIELD");
}

void SimOrg::change_schema() { objects_[world_.random.below(objects_.size())].schema = 2; }

void SimOrg::migrate() {
  // Another instance counts from elsewhere; the move itself takes its time.
  world_.clock.us += 15LL * 60 * 1'000'000;
  commit_number_ = std::max<std::int64_t>(1'000, commit_number_ - 3'000'000);
}

void SimOrg::stall() {
  const std::int64_t until =
      std::max(next_visible_, world_.now_ms()) + world_.random.between(5'000, kHeldBackMostMs);
  next_visible_ = std::max(next_visible_, std::min(until, world_.now_ms() + kHeldBackMostMs));
}

void SimOrg::release() {
  next_visible_ = world_.now_ms();
  for (BusEvent& event : bus_) event.visible_at = std::min(event.visible_at, world_.now_ms());
}

}  // namespace headwater::sim
