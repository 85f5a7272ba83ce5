#include "tests/org/relations.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "tests/org/store.hpp"

// What a statement does to other records (salesforce.md 7.10), and statements that are made of
// several.

namespace headwater::org {
namespace {

/// Records that go, and come back, with the one that they refer to. Every other lookup to a deleted
/// record is cleared. A choice of Salesforce's rules, not all of them.
struct Cascade {
  std::string_view parent, child, field;
};
constexpr std::array<Cascade, 9> kCascades{{{"Account", "Contact", "AccountId"},
                                            {"Account", "Opportunity", "AccountId"},
                                            {"Account", "Case", "AccountId"},
                                            {"Account", "Task", "WhatId"},
                                            {"Account", "Event", "WhatId"},
                                            {"Opportunity", "Task", "WhatId"},
                                            {"Opportunity", "Event", "WhatId"},
                                            {"Case", "Task", "WhatId"},
                                            {"Case", "Event", "WhatId"}}};

bool cascades(const ObjectDef& parent, const ObjectDef& child, std::size_t leaf) {
  return std::ranges::any_of(kCascades, [&](const Cascade& cascade) {
    return cascade.parent == parent.name && cascade.child == child.name &&
           cascade.field == child.leaves[leaf].rest_name;
  });
}

/// Leaves by which a record may refer to one of `parent`.
std::vector<std::size_t> leaves_to(const ObjectDef& parent, const ObjectDef& object) {
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < object.leaves.size(); ++i) {
    const auto& leaf = object.leaves[i];
    if (leaf.type != FieldType::Reference || leaf.top < 0) continue;
    const auto& targets = object.fields[leaf.field].refers_to;
    if (std::ranges::find(targets, parent.name) != targets.end()) out.push_back(i);
  }
  return out;
}

/// What the account and the contact of a person say of each other's fields.
constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kPersonFields{
    {{"PersonEmail", "Email"},
     {"PersonMobilePhone", "MobilePhone"},
     {"PersonBirthdate", "Birthdate"}}};

/// The contact's leaf that tells the same as this one of the account.
std::optional<std::size_t> contact_leaf(const ObjectDef& account,
                                        std::size_t leaf,
                                        const ObjectDef& contact) {
  const auto& path = account.leaves[leaf].path;
  if (path.starts_with("Name.")) return contact.find_leaf(path);
  if (path.starts_with("PersonMailingAddress.")) return contact.find_leaf(path.substr(6));
  for (const auto& [mine, theirs] : kPersonFields) {
    if (path == mine) return contact.find_leaf(theirs);
  }
  return std::nullopt;
}

}  // namespace

std::vector<Store::Child> Store::children(const ObjectDef& parent,
                                          const std::string& id,
                                          const Work& work) {
  std::vector<Child> out;
  const Value wanted(id);
  for (const auto& object : catalog_.objects()) {
    const auto leaves = leaves_to(parent, *object);
    const auto look = [&](const Record& record) {
      if (record.deleted) return;
      for (const auto leaf : leaves) {
        if (record.values[leaf] == wanted) out.push_back({object.get(), record.id, leaf});
      }
    };
    if (leaves.empty()) continue;
    for (const auto& record : tables_[object->index].rows) look(record);
    for (const auto& touched : work) {
      if (touched.object == object.get() && touched.row == kNone) look(touched.after);
    }
  }
  return out;
}

Result<void> Store::refer(const Child& child, Value target, bool told, Work& work, Places& places) {
  auto found = touch(*child.object, child.id, false, work, places);
  if (!found) return found.error();
  auto& touched = **found;
  if (touched.after.deleted) return {};  // by an earlier statement
  touched.after.values[child.leaf] = std::move(target);
  touched.told = touched.told || told;
  touched.silent = touched.silent && !told;
  return {};
}

/// Salesforce deletes some children with their parent and clears the lookups of the others, which
/// runs no trigger and raises no event.
Result<void> Store::take_along(
    const Dml& dml, const std::string& id, const std::string& root, Work& work, Places& places) {
  for (const auto& child : children(*dml.object, id, work)) {
    if (!cascades(*dml.object, *child.object, child.leaf)) {
      const bool told = dml.children == ChildEvents::All;
      if (auto done = refer(child, Value{}, told, work, places); !done) return done;
      continue;
    }
    if (const auto place = places.find(child.id);
        place != places.end() && work[place->second].after.deleted) {
      continue;
    }
    Dml gone = dml;
    gone.object = child.object;
    gone.ids = {child.id};
    gone.told = dml.children != ChildEvents::None;
    if (auto done = run_one(gone, child.id, work, places); !done) return done;
    work[places.at(child.id)].after.gone_with = root;
    if (auto done = take_along(gone, child.id, root, work, places); !done) return done;
  }
  return {};
}

Result<void> Store::bring_back(const Dml& dml, const std::string& id, Work& work, Places& places) {
  Dml back = dml;
  back.told = dml.children != ChildEvents::None;
  for (const auto& object : catalog_.objects()) {
    std::vector<std::string> ids;
    for (const auto& record : tables_[object->index].rows) {
      const bool with_it = record.deleted && !record.merged && !record.purged;
      if (with_it && record.gone_with == id) ids.push_back(record.id);
    }
    back.object = object.get();
    for (const auto& child : ids) {
      if (auto done = run_one(back, child, work, places); !done) return done;
    }
  }
  return {};
}

/// Losers are deleted and name the winner as their master; what referred to them refers to it.
Result<void> Store::merge(const Dml& dml, Work& work, Places& places) {
  const auto& object = *dml.object;
  if (!object.find_leaf("MasterRecordId") || dml.ids.empty() || dml.ids.size() > 2)
    return rejected(fmt::format(
        "{}: only accounts, contacts, leads and cases merge, one or two into one", object.name));
  if (std::ranges::find(dml.ids, dml.into) != dml.ids.end())
    return rejected(fmt::format("{} {} cannot merge into itself", object.name, dml.into));
  Dml part = dml;
  part.op = DmlOp::Update;
  if (auto done = run_one(part, dml.into, work, places); !done) return done;
  part.op = DmlOp::Delete;
  part.fields.clear();
  for (const auto& id : dml.ids) {
    if (auto done = merge_person(dml, id, work, places); !done) return done;
    if (auto done = run_one(part, id, work, places); !done) return done;
    auto& loser = work[places.at(id)].after;
    loser.merged = true;
    loser.gone_with = dml.into;
  }
  for (const auto& id : dml.ids) {
    for (const auto& child : children(object, id, work)) {
      // Nothing refers to itself.
      Value target = child.id == dml.into ? Value{} : Value(dml.into);
      const bool told = dml.children != ChildEvents::None;
      if (auto done = refer(child, std::move(target), told, work, places); !done) return done;
    }
  }
  return {};
}

/// With two person accounts their contacts merge.
Result<void> Store::merge_person(const Dml& dml,
                                 const std::string& loser,
                                 Work& work,
                                 Places& places) {
  const auto leaf = dml.object->find_leaf("PersonContactId");
  if (!leaf) return {};
  auto mine = touch(*dml.object, loser, false, work, places);
  if (!mine) return mine.error();
  const Value lost = (*mine)->after.values[*leaf];
  const Value kept = work[places.at(dml.into)].after.values[*leaf];
  if (is_null(lost) != is_null(kept))
    return rejected("a person account merges only with another one");
  if (is_null(lost)) return {};
  Dml contacts = dml;
  contacts.object = &catalog_.get("Contact");
  contacts.ids = {std::get<std::string>(lost)};
  contacts.into = std::get<std::string>(kept);
  contacts.fields.clear();
  return merge(contacts, work, places);
}

std::vector<Dml> convert_lead(Store& store, const std::string& lead, bool with_opportunity) {
  const auto& catalog = store.catalog();
  const auto& leads = catalog.get("Lead");
  Record from;
  store.with(leads, lead, [&](const Record& record) { from = record; });
  if (from.id.empty()) return {};
  const auto made = [&](std::string_view object) {
    Dml dml;
    dml.op = DmlOp::Create;
    dml.object = &catalog.get(object);
    dml.ids = {store.new_id(*dml.object)};
    return dml;
  };
  const auto set = [](Dml& dml, std::string_view field, Value value) {
    dml.fields.push_back({dml.object->leaf(field), std::move(value)});
  };
  const auto of_lead = [&](std::string_view field) { return from.values[leads.leaf(field)]; };
  Dml account = made("Account"), contact = made("Contact"), opportunity = made("Opportunity");
  set(account, "Name", of_lead("Company"));
  set(account, "Industry", of_lead("Industry"));
  for (const auto* name : {"Name.Salutation", "Name.FirstName", "Name.LastName", "Email", "Phone"})
    set(contact, name, of_lead(name));
  set(contact, "AccountId", account.ids[0]);
  set(opportunity, "Name", of_lead("Company"));
  set(opportunity, "AccountId", account.ids[0]);
  set(opportunity, "StageName", std::string("Qualification"));
  Dml done;
  done.op = DmlOp::Update;
  done.object = &leads;
  done.ids = {lead};
  done.silent = true;  // the lead's event lists no LastModifiedDate (salesforce.md 7.10)
  set(done, "Status", std::string("Closed - Converted"));
  set(done, "IsConverted", true);
  set(done, "ConvertedDate", store.clock().now_second() / kMsPerDay * kMsPerDay);
  set(done, "ConvertedAccountId", account.ids[0]);
  set(done, "ConvertedContactId", contact.ids[0]);
  if (with_opportunity) set(done, "ConvertedOpportunityId", opportunity.ids[0]);
  std::vector<Dml> out{account, contact};
  if (with_opportunity) out.push_back(opportunity);
  out.push_back(done);
  for (const auto* name : {"Task", "Event"}) {
    Dml moved;
    moved.object = &catalog.get(name);
    const auto who = moved.object->leaf("WhoId");
    store.each(*moved.object, false, [&](const Record& record) {
      if (record.values[who] == Value(lead)) moved.ids.push_back(record.id);
    });
    set(moved, "WhoId", contact.ids[0]);
    if (!moved.ids.empty()) out.push_back(std::move(moved));
  }
  return out;
}

std::vector<Dml> create_person(Store& store, std::vector<FieldValue> fields) {
  const auto& catalog = store.catalog();
  Dml account, contact;
  account.op = contact.op = DmlOp::Create;
  account.object = &catalog.get("Account");
  contact.object = &catalog.get("Contact");
  account.ids = {store.new_id(*account.object)};
  contact.ids = {store.new_id(*contact.object)};
  for (const auto& field : fields) {
    const auto leaf = contact_leaf(*account.object, field.leaf, *contact.object);
    if (leaf) contact.fields.push_back({*leaf, field.value});
  }
  account.fields = std::move(fields);
  account.fields.push_back({account.object->leaf("PersonContactId"), Value(contact.ids[0])});
  contact.fields.push_back({contact.object->leaf("AccountId"), Value(account.ids[0])});
  contact.fields.push_back({contact.object->leaf("IsPersonAccount"), Value(true)});
  return {account, contact};
}

std::vector<Dml> update_person(Store& store,
                               const std::string& id,
                               std::vector<FieldValue> fields) {
  const auto& catalog = store.catalog();
  Dml account, contact;
  account.object = &catalog.get("Account");
  contact.object = &catalog.get("Contact");
  account.ids = {id};
  store.with(*account.object, id, [&](const Record& record) {
    const auto& linked = record.values[account.object->leaf("PersonContactId")];
    if (!is_null(linked)) contact.ids = {std::get<std::string>(linked)};
  });
  for (const auto& field : fields) {
    const auto leaf = contact_leaf(*account.object, field.leaf, *contact.object);
    if (leaf) contact.fields.push_back({*leaf, field.value});
  }
  account.fields = std::move(fields);
  return {account, contact};  // of an account's own field the contact tells LastModifiedDate alone
}

}  // namespace headwater::org
