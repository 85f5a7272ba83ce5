#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "tests/org/workload.hpp"

// The rarer transactions of CRM life: hand-overs, deletes, merges, the platform's own changes, and
// replays.

namespace headwater::org {

void Workload::hand_over() {
  static constexpr std::array<std::string_view, 4> kOwned{
      "Account", "Contact", "Opportunity", "Lead"};
  const auto object = dice_.pick(kOwned);
  const auto ids = pick_some(object, 2 + dice_.below(12));
  if (ids.empty()) return;
  commit({update(object, ids).set("OwnerId", pick("User"))});
}

void Workload::geocode() {
  const auto id = pick("Account");
  if (id.empty()) return;
  const auto& where = place(dice_);
  const std::vector<Dml> found{update("Account", {id})
                                   .set("BillingLatitude", where.latitude)
                                   .set("BillingLongitude", where.longitude)
                                   .silent()};
  static_cast<void>(store_.commit(found, {}).ok());  // by the platform: no user of ours, no origin
}

ChildEvents Workload::child_events(unsigned rare) {
  const bool none = rare != 0 && dice_.chance(rare);
  if (tells_all_) return ChildEvents::All;
  return none ? ChildEvents::None : ChildEvents::Usual;
}

void Workload::delete_account() {
  const auto id = pick("Account");
  if (id.empty()) return;
  binned_["Account"].push_back(id);
  commit({Draft(DmlOp::Delete, def("Account"), {id}).related(child_events(0))});
}

void Workload::delete_some() {
  static constexpr std::array<std::string_view, 7> kDeleted{
      "Contact", "Lead", "Opportunity", "Case", "Task", "Event", "Invoice__c"};
  const std::string object(dice_.pick(kDeleted));
  const auto ids = pick_some(object, 1 + dice_.below(3));
  if (ids.empty()) return;
  auto& bin = binned_[object];
  bin.insert(bin.end(), ids.begin(), ids.end());
  commit({Draft(DmlOp::Delete, def(object), ids).related(child_events(0))});
}

void Workload::undelete_some() {
  for (auto& [object, bin] : binned_) {
    if (bin.empty() || dice_.chance(50)) continue;
    const auto at = dice_.below(bin.size());
    const auto id = bin[at];
    bin.erase(bin.begin() + static_cast<std::ptrdiff_t>(at));
    if (store_.is_live(def(object), id)) continue;
    live_[object].push_back(id);
    return commit({Draft(DmlOp::Undelete, def(object), {id}).related(child_events(0))});
  }
}

void Workload::merge_some() {
  static constexpr std::array<std::string_view, 4> kMerged{"Account", "Contact", "Lead", "Case"};
  const std::string object(dice_.pick(kMerged));
  auto ids = pick_some(object, 2 + dice_.below(2));
  if (ids.size() < 2) return;
  const auto winner = ids.back();
  ids.pop_back();
  // A merge of persons with businesses is refused, and undone.
  commit({Draft(DmlOp::Merge, def(object), ids).into(winner, child_events(30))});
}

void Workload::empty_bin() {
  for (auto& [object, bin] : binned_) {
    if (bin.empty() || dice_.chance(50)) continue;
    const auto id = bin.back();
    bin.pop_back();
    return commit({Draft(DmlOp::Purge, def(object), {id})});
  }
}

void Workload::add_product() {
  commit({create("Product2")
              .set("Name", company(dice_))
              .set("ProductCode", fmt::format("P-{}", dice_.below(10'000)))
              .set("Family", std::string("Hardware"))
              .set("IsActive", true)});
}

void Workload::change_user() {
  const auto id = pick("User");
  commit({update("User", {id})
              .set("Title", sentence(dice_))
              .set("Department", dice_.chance(30) ? Value{} : Value(std::string("Vertrieb")))});
}

void Workload::trigger_chain() {
  // A lead is inserted, its trigger changes it twice and takes back one value: one CREATE with the
  // final data.
  auto lead = create("Lead");
  fill_person(lead);
  lead.set("Company", company(dice_)).set("Status", std::string("New"));
  const auto id = lead.id();
  commit({lead,
          update("Lead", {id}).set("Rating", std::string("Hot")).set("Title", sentence(dice_)),
          update("Lead", {id}).set("Title", Value{})});
}

void Workload::keep_minutes() {
  // Minutes of meetings grow on an opportunity, line by line; a changed line goes out as a diff.
  const auto id = pick("Opportunity");
  if (id.empty()) return open_opportunity();
  std::string minutes;
  store_.with(def("Opportunity"), id, [&](const Record& record) {
    const auto* now =
        std::get_if<std::string>(&record.values[def("Opportunity").leaf("Description")]);
    if (now != nullptr && now->starts_with("Minutes\r\n")) minutes = *now;
  });
  const auto line = [this](std::uint64_t number) {
    return fmt::format("{}. {} agreed with {}: {} €",
                       number,
                       first_name(dice_),
                       last_name(dice_),
                       dice_.below(1'000'000));
  };
  if (minutes.empty()) {
    minutes = "Minutes";
    for (std::uint64_t i = 1; i <= 40; ++i) minutes += "\r\n" + line(i);
  } else {
    const auto from = minutes.find("\r\n", dice_.below(minutes.size() / 2)) + 2;
    minutes.replace(from, minutes.find("\r\n", from) - from, line(dice_.below(100)));
  }
  commit({update("Opportunity", {id}).set("Description", minutes)});
}

Draft Workload::draft_filler(const ObjectDef& object) {
  if (object.name == "Contact") return draft_contact({});
  if (object.name == "Opportunity") return draft_opportunity({}, {});
  auto draft = create(object.name);
  if (object.name == "Account") draft.set("Name", company(dice_));
  if (object.name == "Case")
    draft.set("Status", std::string("New")).set("Subject", sentence(dice_));
  if (object.name == "Lead") {
    draft.set("LastName", last_name(dice_))
        .set("Company", company(dice_))
        .set("Status", std::string("New"));
  }
  return draft;
}

void Workload::touch_filler(Draft& draft) {
  // Fields that nearly every object has; the size of the event is that of a person editing a page.
  const auto& object = *static_cast<Dml>(draft).object;
  for (const auto* field : {"Phone", "Fax", "SuppliedPhone"}) {
    if (object.find_leaf(field)) draft.set(field, phone(dice_));
  }
  for (const auto* field : {"Amount", "AnnualRevenue", "TotalAmount", "Amount__c"}) {
    if (object.find_leaf(field))
      draft.set(field, static_cast<double>(dice_.below(100'000'000)) / 100);
  }
  for (const auto* field : {"NextStep", "Title", "Subject", "Site"}) {
    if (object.find_leaf(field)) draft.set(field, sentence(dice_));
  }
  for (const auto* field : {"Description", "Notes__c"}) {
    if (object.find_leaf(field)) draft.set(field, long_text(dice_, 120));
  }
}

Result<std::vector<const ObjectDef*>> Workload::named(
    const std::vector<std::string>& objects) const {
  std::vector<const ObjectDef*> out;
  for (const auto& name : objects) {
    const auto* object = store_.catalog().find(name);
    if (object == nullptr) return rejected("no object " + name);
    out.push_back(object);
  }
  if (out.empty()) return rejected("no objects are named");
  return out;
}

Result<void> Workload::fill(const FillPlan& plan) {
  constexpr std::size_t kInTransaction = 200;
  const auto named_objects = named(plan.objects);
  if (!named_objects) return named_objects.error();
  const auto& objects = *named_objects;
  if (live_["User"].empty()) first_day();
  for (std::size_t made = 0; made < plan.records;) {
    Statements all;
    for (; all.size() < kInTransaction && made < plan.records; ++made) {
      auto draft = draft_filler(*objects[made % objects.size()]);
      if (!plan.told) draft.untold();
      all.push_back(draft);
    }
    const Author author{pick("User"), "com/salesforce/api/bulk/67.0;client=fill"};
    if (auto done = commit_as(all, author); !done) return done;
  }
  return {};
}

Result<void> Workload::replay(const ReplayPlan& plan) {
  const auto named_objects = named(plan.objects);
  if (!named_objects) return named_objects.error();
  const auto& objects = *named_objects;
  if (plan.records == 0) return rejected("needs records");
  if (live_["User"].empty()) first_day();
  const auto users = live_["User"];
  const std::string origin = "com/salesforce/api/rest/67.0;client=replay";
  std::vector<std::pair<const ObjectDef*, std::string>> made;
  made.reserve(plan.records);
  const auto creates = static_cast<unsigned>((1.0 - plan.update_share) * 100 + 0.5);  // per cent
  for (std::size_t i = 0; i < plan.events; ++i) {
    const Author author{users[dice_.below(users.size())], origin};
    if (made.empty() || (made.size() < plan.records && dice_.chance(creates))) {
      const auto* object = objects[made.size() % objects.size()];
      const auto draft = draft_filler(*object);
      if (auto done = commit_as({draft}, author); !done) return done;
      made.emplace_back(object, draft.id());
      continue;
    }
    const auto& [object, id] = made[dice_.below(made.size())];
    Draft draft(DmlOp::Update, *object, {id});
    touch_filler(draft);
    if (auto done = commit_as({draft}, author); !done) return done;
  }
  return {};
}

}  // namespace headwater::org
