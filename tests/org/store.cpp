#include "tests/org/store.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "schemas/core/ids.hpp"
#include "tests/org/text_diff.hpp"

namespace headwater::org {
namespace {

/// 15 characters: prefix, the instance's part and a base-62 number; byte order is order of
/// creation.
std::string make_id(std::string_view prefix, std::uint64_t number) {
  static constexpr std::string_view kDigits =
      "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  std::string id(18, '0');
  prefix.copy(id.data(), 3);
  std::string_view("5f0").copy(id.data() + 3, 3);
  for (std::size_t at = 15; at-- > 6 && number > 0; number /= 62) id[at] = kDigits[number % 62];
  id_suffix(std::string_view(id).substr(0, 15), id.data() + 15);
  return id;
}

/// What happened to a record over a whole transaction, seen from outside (salesforce.md 7.3).
std::optional<ChangeType> net_change(bool existed, bool was_deleted, bool is_deleted) {
  if (!existed) return is_deleted ? std::nullopt : std::optional(ChangeType::Create);
  if (was_deleted) return is_deleted ? std::nullopt : std::optional(ChangeType::Undelete);
  return is_deleted ? ChangeType::Delete : ChangeType::Update;
}

struct Body {
  LeafSet shown, nulled;
};

/// What an update of the object is written by: while a deployment lasts, half of the commits by the
/// schema before, as long as that can say it all.
const ObjectDef& layout_of(const ObjectDef& object, const LeafSet& shown, bool old_half) {
  if (!object.deploying || !object.before || !old_half) return object;
  const ObjectDef& before = *object.before;
  for (std::size_t i = 0; i < object.leaves.size(); ++i) {
    const bool same = i < before.leaves.size() && before.leaves[i].path == object.leaves[i].path &&
                      before.leaves[i].type == object.leaves[i].type;
    if (shown[i] && !same) return object;
  }
  return before;
}

/// The same of a whole record: a field that the schema before lacks is not told, as that one was
/// made before there was such a field.
const ObjectDef& layout_of_whole(const ObjectDef& object, bool old_half) {
  if (!object.deploying || !object.before || !old_half) return object;
  const ObjectDef& before = *object.before;
  for (std::size_t i = 0; i < before.leaves.size(); ++i) {
    if (before.leaves[i].type != object.leaves[i].type) return object;
  }
  return before;
}

/// Events say nothing of a field that is hidden from the user; their schema keeps it.
bool is_hidden(const ObjectDef& object, std::size_t leaf) {
  return object.fields[object.leaves[leaf].field].hidden;
}

Body full_body(const ObjectDef& object) {
  Body body{LeafSet(object.leaves.size(), true), LeafSet(object.leaves.size())};
  for (std::size_t i = 0; i < object.leaves.size(); ++i) body.shown[i] = !is_hidden(object, i);
  return body;
}

Body difference(const ObjectDef& object, const Record& before, const Record& after) {
  Body body{LeafSet(object.leaves.size()), LeafSet(object.leaves.size())};
  for (std::size_t i = 0; i < object.leaves.size(); ++i) {
    if (object.leaves[i].top < 0 || before.values[i] == after.values[i]) continue;
    if (is_hidden(object, i)) continue;
    body.shown[i] = true;
    body.nulled[i] = is_null(after.values[i]);
  }
  // A custom geolocation publishes all its parts whenever one changes (salesforce.md 7.1).
  for (const auto& field : object.event_fields) {
    if (object.fields[field.field].type != FieldType::Location) continue;
    bool any = false;
    for (const int leaf : field.parts) any = any || body.shown[static_cast<std::size_t>(leaf)];
    if (!any) continue;
    for (const int leaf : field.parts) {
      const auto i = static_cast<std::size_t>(leaf);
      body.shown[i] = true;
      body.nulled[i] = is_null(after.values[i]);
    }
  }
  return body;
}

/// Puts diffs in the place of long texts that changed a little; gives which. `told`: what the event
/// says.
LeafSet put_diffs(const ObjectDef& object,
                  const Record& before,
                  const LeafSet& shown,
                  std::vector<Value>& told) {
  LeafSet diffs(object.leaves.size());
  for (std::size_t i = 0; i < object.leaves.size(); ++i) {
    if (!shown[i] || object.leaves[i].type != FieldType::LongText) continue;
    const auto* was = std::get_if<std::string>(&before.values[i]);
    const auto* is = std::get_if<std::string>(&told[i]);
    if (was == nullptr || is == nullptr) continue;
    auto diff = unified_diff(*was, *is);
    if (!diff) continue;
    told[i] = std::move(*diff);
    diffs[i] = true;
  }
  return diffs;
}

/// An event on its way out.
struct Pending {
  const ObjectDef* object;
  const ObjectDef* layout;  ///< what it is written by
  EventHeader header;
  std::string body;
  LeafSet shown;
};

/// Writes what an update changed; gives that.
Body tell_update(Pending& next, const Record& before, const Record& after, bool old_half) {
  const ObjectDef& object = *next.object;
  Body body = difference(object, before, after);
  next.layout = &layout_of(object, body.shown, old_half);
  next.header.changed = bitmaps(*next.layout, body.shown);
  next.header.nulled = bitmaps(*next.layout, body.nulled);
  auto told = after.values;
  next.header.diff = bitmaps(*next.layout, put_diffs(object, before, body.shown, told));
  encode_body(next.body, *next.layout, told, body.shown);
  return body;
}

}  // namespace

EpochMs OrgClock::now_second() {
  const auto wall = (clock_.now_ms() - lag_ms_.load()) / 1000 * 1000;
  auto last = last_.load();
  while (last < wall && !last_.compare_exchange_weak(last, wall)) {
  }
  return std::max(last, wall);
}

void OrgClock::advance(Millis by) {
  auto lag = lag_ms_.load();
  while (!lag_ms_.compare_exchange_weak(lag, std::max<std::int64_t>(0, lag - by.count()))) {
  }
}

Store::Store(const Catalog& catalog, Bus& bus, Millis clock_lag, std::uint64_t seed)
    : catalog_(catalog),
      bus_(bus),
      clock_(clock_lag),
      tables_(catalog.objects().size()),
      // Transaction keys must differ between two runs of one seed: they are identities.
      keys_(seed ^ static_cast<std::uint64_t>(SystemClock().now_us())),
      commit_number_(SystemClock().now_us() * 1000) {}

void Store::adopt(const ObjectDef& object) {
  const std::lock_guard lock(mutex_);
  if (tables_.size() <= object.index) tables_.resize(object.index + 1);
  for (Record& row : tables_[object.index].rows) {
    std::size_t i = row.values.size();
    row.values.resize(object.leaves.size());
    for (; i < row.values.size(); ++i) {
      if (object.leaves[i].type == FieldType::Boolean) row.values[i] = false;
    }
  }
}

void Store::convert(const ObjectDef& object,
                    std::size_t leaf,
                    const std::function<Value(const Value&)>& convert) {
  const std::lock_guard lock(mutex_);
  for (Record& row : tables_[object.index].rows) row.values[leaf] = convert(row.values[leaf]);
}

const std::string& Store::integration_user() {
  static const std::string id = make_id("005", 1);
  return id;
}

std::string Store::make_transaction_key() {
  const auto high = keys_();
  const auto low = keys_();
  return fmt::format("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
                     high >> 32,
                     high >> 16 & 0xffff,
                     high & 0xffff,
                     low >> 48,
                     low & 0xffffffffffff);
}

std::int64_t Store::make_commit_number() {
  commit_number_ += 1 + static_cast<std::int64_t>(keys_() % 1000);
  return commit_number_;
}

EventHeader Store::new_header(const Author& author) {
  const std::lock_guard lock(mutex_);
  return make_header(author);
}

EventHeader Store::make_header(const Author& author) {
  EventHeader header;
  header.transaction_key = make_transaction_key();
  header.commit_number = make_commit_number();
  header.commit_timestamp = clock_.now_second();
  header.commit_user = author.user.empty() ? integration_user() : author.user;
  header.origin = author.origin;
  return header;
}

std::string Store::new_id(const ObjectDef& object) {
  const std::lock_guard lock(mutex_);
  return make_id(object.key_prefix, tables_[object.index].next_number++);
}

Result<Store::Touched*> Store::touch(
    const ObjectDef& object, const std::string& id, bool create, Work& work, Places& places) {
  const auto& table = tables_[object.index];
  if (const auto place = places.find(id); place != places.end()) {
    if (create)
      return rejected(fmt::format("{} {} exists already", object.name, id), "DUPLICATE_VALUE");
    return &work[place->second];
  }
  const auto row = table.by_id.find(id);
  const bool purged = row != table.by_id.end() && table.rows[row->second].purged;
  if (create == (row != table.by_id.end()) || purged) {
    return rejected(
        fmt::format("{} {} {}", object.name, id, create ? "exists already" : "does not exist"),
        create ? "DUPLICATE_VALUE" : "NOT_FOUND");
  }
  places.emplace(id, work.size());
  if (!create) {
    work.push_back({&object, row->second, table.rows[row->second]});
    return &work.back();
  }
  Record record;
  record.id = id;
  record.values.resize(object.leaves.size());
  for (std::size_t i = 0; i < object.leaves.size(); ++i) {
    if (object.leaves[i].type == FieldType::Boolean) record.values[i] = false;
  }
  work.push_back({&object, kNone, std::move(record)});
  return &work.back();
}

Result<void> Store::run(const Dml& dml, Work& work, Places& places) {
  if (dml.op == DmlOp::Merge) return merge(dml, work, places);
  for (const auto& id : dml.ids) {
    if (auto done = run_one(dml, id, work, places); !done) return done;
    if (!dml.related) continue;
    if (dml.op == DmlOp::Delete) {
      if (auto done = take_along(dml, id, id, work, places); !done) return done;
    } else if (dml.op == DmlOp::Undelete) {
      if (auto done = bring_back(dml, id, work, places); !done) return done;
    }
  }
  return {};
}

Result<void> Store::run_one(const Dml& dml, const std::string& id, Work& work, Places& places) {
  auto found = touch(*dml.object, id, dml.op == DmlOp::Create, work, places);
  if (!found) return found.error();
  auto& touched = **found;
  const bool wanted_deleted = dml.op == DmlOp::Undelete || dml.op == DmlOp::Purge;
  if (touched.after.deleted != wanted_deleted) {
    return rejected(
        fmt::format(
            "{} {} is {}", dml.object->name, id, wanted_deleted ? "not deleted" : "deleted"),
        wanted_deleted ? "UNDELETE_FAILED" : "ENTITY_IS_DELETED");
  }
  if (dml.op == DmlOp::Delete || dml.op == DmlOp::Undelete) {
    touched.after.deleted = dml.op == DmlOp::Delete;
    touched.after.merged = false;
    touched.after.gone_with.clear();
  }
  touched.after.purged = dml.op == DmlOp::Purge;
  for (const auto& field : dml.fields) touched.after.values[field.leaf] = field.value;
  touched.silent = touched.silent && dml.silent;
  touched.told = touched.told || dml.told;
  return {};
}

void Store::stamp(Touched& touched, EpochMs at, const std::string& user) const {
  const auto& system = touched.object->system;
  auto& values = touched.after.values;
  const auto set = [&values](int leaf, Value value) {
    if (leaf >= 0) values[static_cast<std::size_t>(leaf)] = std::move(value);
  };
  touched.after.system_modstamp = at;
  if (!touched.after.deleted) {
    touched.after.deleted_at = 0;
  } else if (touched.after.deleted_at == 0) {
    touched.after.deleted_at = at;
  }
  const bool created = touched.row == kNone;
  if (created) {
    set(system.created_date, at);
    set(system.created_by, user);
    if (system.owner >= 0 && is_null(values[static_cast<std::size_t>(system.owner)])) {
      set(system.owner, user);
    }
    if (default_type_ && system.record_type >= 0 &&
        is_null(values[static_cast<std::size_t>(system.record_type)])) {
      set(system.record_type, default_type_(*touched.object, touched.after));
    }
  }
  if ((touched.silent && !created) || touched.after.deleted) return;
  set(system.modified_date, at);
  set(system.modified_by, user);
}

std::vector<NewEvent> Store::events_of(const Work& work, EventHeader header) {
  std::vector<Pending> pending;
  std::unordered_map<std::string, std::size_t>
      same;  // object, type and body -> the event that says it
  for (const auto& touched : work) {
    const auto& object = *touched.object;
    const Record* before =
        touched.row == kNone ? nullptr : &tables_[object.index].rows[touched.row];
    const auto type =
        net_change(before != nullptr, before != nullptr && before->deleted, touched.after.deleted);
    if (!type || !touched.told || !object.captured) continue;
    Pending next{&object, &object, header, {}, {}};
    next.header.entity = object.name;
    next.header.type = *type;
    next.header.record_ids = {touched.after.id};
    Body body{LeafSet(object.leaves.size()), LeafSet(object.leaves.size())};
    if (*type == ChangeType::Update) {
      body = tell_update(next, *before, touched.after, commits_ % 2 == 0);
    } else if (*type != ChangeType::Delete) {
      body = full_body(object);
      next.layout = &layout_of_whole(object, commits_ % 2 == 0);
    }
    if (*type != ChangeType::Update)
      encode_body(next.body, *next.layout, touched.after.values, body.shown);
    if (work.size() > 1 && (*type == ChangeType::Update || *type == ChangeType::Delete)) {
      std::string what = fmt::format("{} {} {} {} ",
                                     object.index,
                                     static_cast<int>(*type),
                                     fmt::join(next.header.changed, ","),
                                     fmt::join(next.header.nulled, ","));
      what += next.body;
      const auto [place, fresh] = same.emplace(std::move(what), pending.size());
      if (!fresh) {
        pending[place->second].header.record_ids.push_back(touched.after.id);
        continue;
      }
    }
    next.shown = std::move(body.shown);
    next.header.sequence = static_cast<std::int32_t>(pending.size()) + 1;
    pending.push_back(std::move(next));
  }
  std::vector<NewEvent> events;
  events.reserve(pending.size());
  bool any_lost = false;
  for (auto& next : pending) {
    if (loss_.takes(*next.object, next.header, next.shown)) {
      any_lost = true;
      continue;
    }
    NewEvent event{next.object, next.layout->schema_id, {}};
    event.payload.reserve(256 + next.body.size());
    encode_header(event.payload, next.header);
    event.payload += next.body;
    events.push_back(std::move(event));
  }
  for (const auto& touched : work) {
    if (any_lost && !touched.told) loss_.beside(*touched.object, touched.after.id, header);
  }
  return events;
}

std::vector<std::size_t>::const_iterator Store::Table::first_from(std::string_view from) const {
  return std::ranges::lower_bound(
      in_order, from, {}, [this](std::size_t row) { return std::string_view(rows[row].id); });
}

/// Ids are given in order, so that nearly each record is the last one.
void Store::Table::add(Record record) {
  in_order.insert(first_from(record.id), rows.size());
  by_id.emplace(record.id, rows.size());
  rows.push_back(std::move(record));
  ++live;
}

void Store::apply(Work& work) {
  for (auto& touched : work) {
    auto& table = tables_[touched.object->index];
    if (touched.row == kNone) {
      if (touched.after.deleted) continue;  // created and deleted in one transaction: never was
      table.add(std::move(touched.after));
      continue;
    }
    auto& row = table.rows[touched.row];
    if (row.deleted && !touched.after.deleted) ++table.live;
    if (!row.deleted && touched.after.deleted) --table.live;
    row = std::move(touched.after);
  }
}

Result<Committed> Store::commit(const std::vector<Dml>& statements, const Author& author) {
  const std::lock_guard lock(mutex_);
  const auto header = make_header(author);
  ++commits_;
  Work work;
  Places places;
  for (const auto& dml : statements) {
    if (auto done = run(dml, work, places); !done) return done.error();
  }
  for (auto& touched : work) stamp(touched, header.commit_timestamp, header.commit_user);
  auto events = events_of(work, header);
  apply(work);
  bus_.publish(events);
  return Committed{
      header.transaction_key, header.commit_number, header.commit_timestamp, events.size()};
}

bool Store::is_live(const ObjectDef& object, std::string_view id) const {
  bool live = false;
  with(object, id, [&live](const Record& record) { live = !record.deleted; });
  return live;
}

void Store::each(const ObjectDef& object,
                 bool bin,
                 const std::function<void(const Record&)>& visit) const {
  const std::lock_guard lock(mutex_);
  for (const auto& record : tables_[object.index].rows) {
    if (!record.purged && (bin || !record.deleted)) visit(record);
  }
}

void Store::walk(const ObjectDef& object,
                 bool bin,
                 std::string_view from,
                 const std::function<bool(const Record&)>& visit) const {
  const std::lock_guard lock(mutex_);
  const auto& table = tables_[object.index];
  for (auto at = table.first_from(from); at != table.in_order.end(); ++at) {
    const auto& record = table.rows[*at];
    if (record.purged || (record.deleted && !bin)) continue;
    if (!visit(record)) return;
  }
}

bool Store::with(const ObjectDef& object,
                 std::string_view id,
                 const std::function<void(const Record&)>& visit) const {
  const std::lock_guard lock(mutex_);
  const auto& table = tables_[object.index];
  const auto row = table.by_id.find(std::string(id));
  if (row == table.by_id.end() || table.rows[row->second].purged) return false;
  visit(table.rows[row->second]);
  return true;
}

std::vector<std::pair<std::string, EpochMs>> Store::deletions(const ObjectDef& object,
                                                              EpochMs from,
                                                              EpochMs to) const {
  const std::lock_guard lock(mutex_);
  std::vector<std::pair<std::string, EpochMs>> out;
  for (const auto& record : tables_[object.index].rows) {
    if (record.deleted && record.deleted_at >= from && record.deleted_at <= to)
      out.emplace_back(record.id, record.deleted_at);
  }
  return out;
}

std::size_t Store::live_count(const ObjectDef& object) const {
  const std::lock_guard lock(mutex_);
  return tables_[object.index].live;
}

std::string joined_name(const ObjectDef& object, const Record& record) {
  static constexpr std::array<std::string_view, 4> kParts{
      "Name.FirstName", "Name.MiddleName", "Name.LastName", "Name.Suffix"};
  std::string out;
  for (const auto part : kParts) {
    const auto leaf = object.find_leaf(part);
    if (!leaf || is_null(record.values[*leaf])) continue;
    if (!out.empty()) out += ' ';
    out += std::get<std::string>(record.values[*leaf]);
  }
  return out;
}

Value visible_value(const ObjectDef& object, const Record& record, std::size_t leaf) {
  const auto& name = object.leaves[leaf].rest_name;
  if (object.leaves[leaf].top < 0) {
    if (name == "SystemModstamp") return record.system_modstamp;
    if (name == "IsDeleted") return record.deleted;
    if (name == "MasterRecordId") return record.merged ? Value(record.gone_with) : Value{};
    if (name == "IsPersonAccount") return is_null(record.values[object.leaf("Name")]);
  }
  const auto type = object.leaves[leaf].type;
  if (type == FieldType::SwitchableName && is_null(record.values[leaf])) {
    auto joined = joined_name(object, record);
    if (!joined.empty()) return joined;
  }
  return record.values[leaf];
}

}  // namespace headwater::org
