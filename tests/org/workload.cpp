#include "tests/org/workload.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "tests/org/words.hpp"

namespace headwater::org {

const std::vector<Workload::Choice>& Workload::choices() {
  static const std::vector<Choice> all{
      {12, &Workload::sign_customer},   {4, &Workload::sign_person},
      {3, &Workload::change_person},    {10, &Workload::change_account},
      {10, &Workload::change_contact},  {8, &Workload::capture_lead},
      {5, &Workload::work_lead},        {4, &Workload::convert_lead},
      {9, &Workload::open_opportunity}, {14, &Workload::move_opportunity},
      {8, &Workload::open_case},        {8, &Workload::work_case},
      {8, &Workload::plan_task},        {6, &Workload::finish_task},
      {5, &Workload::plan_event},       {4, &Workload::change_order},
      {4, &Workload::send_invoice},     {4, &Workload::settle_invoice},
      {4, &Workload::hand_over},        {3, &Workload::geocode},
      {2, &Workload::delete_account},   {4, &Workload::delete_some},
      {3, &Workload::undelete_some},    {2, &Workload::merge_some},
      {1, &Workload::add_product},      {2, &Workload::change_user},
      {3, &Workload::trigger_chain},    {3, &Workload::keep_minutes},
      {1, &Workload::empty_bin}};
  return all;
}

Workload::Workload(Store& store, std::uint64_t seed) : store_(store), dice_(seed) {}

void Workload::step() {
  if (live_["User"].empty()) return first_day();
  unsigned total = 0;
  for (const auto& choice : choices()) total += choice.weight;
  auto drawn = dice_.below(total);
  for (const auto& choice : choices()) {
    if (drawn < choice.weight) return (this->*choice.step)();
    drawn -= choice.weight;
  }
}

Draft Workload::create(std::string_view object) {
  const auto& definition = def(object);
  auto id = store_.new_id(definition);
  fresh_.emplace_back(object, id);
  Draft draft(DmlOp::Create, definition, {std::move(id)});
  if (definition.find_leaf("CurrencyIsoCode")) {
    static constexpr std::array<Words, 3> kCurrency{"EUR", "USD", "JPY"};
    draft.set("CurrencyIsoCode", text(dice_.pick(kCurrency)));
  }
  return draft;
}

Draft Workload::update(std::string_view object, std::vector<std::string> ids) {
  return {DmlOp::Update, def(object), std::move(ids)};
}

std::string Workload::pick(std::string_view object) {
  const auto found = live_.find(object);
  if (found == live_.end()) return {};
  auto& ids = found->second;
  while (!ids.empty()) {
    const auto at = dice_.below(ids.size());
    if (store_.is_live(def(object), ids[at])) return ids[at];
    ids[at] = ids.back();  // deleted over the control port, or by an earlier step
    ids.pop_back();
  }
  return {};
}

std::vector<std::string> Workload::pick_some(std::string_view object, std::size_t count) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < count; ++i) {
    auto id = pick(object);
    if (!id.empty() && std::find(out.begin(), out.end(), id) == out.end())
      out.push_back(std::move(id));
  }
  return out;
}

void Workload::commit(const Statements& statements) {
  if (statements.empty()) return;
  Author author;
  if (dice_.chance(70)) author.user = pick("User");
  author.origin = dice_.pick(kOrigins);
  // A statement that no longer fits (the control port changed the org meanwhile) undoes its
  // transaction.
  static_cast<void>(commit_as(statements, author).ok());
}

Result<void> Workload::commit_as(const Statements& statements, const Author& author) {
  auto done = store_.commit(statements, author);
  if (done) {
    for (auto& [object, id] : fresh_) live_[object].push_back(std::move(id));
  }
  fresh_.clear();
  if (!done) return done.error();
  return {};
}

std::int64_t Workload::day(std::int64_t from_today) {
  return (store_.clock().now_second() / kMsPerDay + from_today) * kMsPerDay;
}

void Workload::fill_address(Draft& draft, const std::string& prefix) {
  const auto& where = place(dice_);
  const auto optional = [](std::string_view words) {
    return words.empty() ? Value{} : Value(text(words));
  };
  draft.set(prefix + "Street", text(where.street))
      .set(prefix + "City", text(where.city))
      .set(prefix + "State", optional(where.state))
      .set(prefix + "StateCode", optional(where.state_code))
      .set(prefix + "PostalCode", text(where.postal_code))
      .set(prefix + "Country", text(where.country))
      .set(prefix + "CountryCode", text(where.country_code));
  if (dice_.chance(50)) {
    draft.set(prefix + "Latitude", where.latitude)
        .set(prefix + "Longitude", where.longitude)
        .set(prefix + "GeocodeAccuracy", text("Street"));
  }
}

void Workload::fill_person(Draft& draft) {
  static constexpr std::array<Words, 4> kSalutation{"Ms.", "Mr.", "Dr.", "Prof."};
  if (dice_.chance(60)) draft.set("Name.Salutation", text(dice_.pick(kSalutation)));
  if (dice_.chance(90)) draft.set("Name.FirstName", first_name(dice_));
  draft.set("Name.LastName", last_name(dice_));
  if (dice_.chance(10)) draft.set("Name.MiddleName", text("Q."));
  if (dice_.chance(5)) draft.set("Name.Suffix", text("Jr."));
}

void Workload::first_day() {
  Statements all;
  std::string manager;
  for (int i = 0; i < 5; ++i) {
    auto draft = create("User");
    fill_person(draft);
    draft.set("Username", fmt::format("user{}@headwater.example", i))
        .set("Email", fmt::format("user{}@headwater.example", i))
        .set("Alias", fmt::format("user{}", i))
        .set("IsActive", true)
        .set("TimeZoneSidKey", text("Europe/Berlin"))
        .set("LocaleSidKey", text("en_GB"))
        .set("LanguageLocaleKey", text("en_US"))
        .set("UserType", text("Standard"))
        .set("EmployeeNumber", std::to_string(1000 + i));
    if (!manager.empty()) draft.set("ManagerId", manager);
    manager = draft.id();
    all.push_back(draft);
  }
  commit(all);
}

Draft Workload::draft_contact(const std::string& account) {
  auto draft = create("Contact");
  fill_person(draft);
  if (!account.empty()) draft.set("AccountId", account);
  if (dice_.chance(80)) draft.set("Email", email_of(dice_, "acme.example"));
  if (dice_.chance(60)) draft.set("Phone", phone(dice_));
  if (dice_.chance(40)) draft.set("MobilePhone", phone(dice_) + " ");
  if (dice_.chance(50)) draft.set("Title", text("CFO"));
  if (dice_.chance(40)) fill_address(draft, "Mailing");
  if (dice_.chance(30)) draft.set("Birthdate", day(-dice_.between(8'000, 30'000)));
  if (dice_.chance(30)) draft.set("Languages__c", several(dice_, kLanguage));
  if (dice_.chance(20)) draft.set("Loyalty_Points__c", cents(dice_, 10'000));
  if (dice_.chance(10)) draft.set("DoNotCall", true);
  draft.set("LeadSource", text(dice_.pick(kSource))).set("Newsletter__c", dice_.chance(50));
  return draft;
}

void Workload::sign_customer() {
  auto account = create("Account");
  account.set("Name", company(dice_))
      .set("Industry", text(dice_.pick(kIndustry)))
      .set("Website", fmt::format("https://www.acme{}.example/path?q=1", dice_.below(1'000)))
      .set("Phone", phone(dice_))
      .set("Active__c", true);
  fill_address(account, "Billing");
  if (dice_.chance(40)) fill_address(account, "Shipping");
  if (dice_.chance(60)) account.set("AnnualRevenue", cents(dice_, 90'000'000));
  if (dice_.chance(60)) account.set("NumberOfEmployees", dice_.between(1, 250'000));
  if (dice_.chance(30)) account.set("ParentId", pick("Account"));
  if (dice_.chance(40))
    account.set("Description", long_text(dice_, dice_.chance(20) ? 4'000 : 100));
  if (dice_.chance(40)) account.set("Interests__c", several(dice_, kInterest));
  if (dice_.chance(40)) account.set("Renewal_Date__c", day(dice_.between(-400, 800)));
  if (dice_.chance(30)) account.set("Opens_At__c", dice_.between(0, 95) * 900'000);
  if (dice_.chance(30))
    account.set("Score__c", cents(dice_, 100)).set("Discount__c", cents(dice_, 30));
  if (dice_.chance(20)) account.set("Internal_Notes__c", "<p>" + sentence(dice_) + "</p>");
  if (dice_.chance(20)) {
    account.set("Headquarters__c.Latitude", 48.1 + cents(dice_, 3))
        .set("Headquarters__c.Longitude", 11.5);
  }
  Statements all{account};
  for (auto left = dice_.below(4); left > 0; --left) all.push_back(draft_contact(account.id()));
  commit(all);
}

void Workload::sign_person() {
  auto contact = create("Contact");
  auto account = create("Account");
  const auto first = first_name(dice_);
  const auto last = last_name(dice_);
  const auto mail = email_of(dice_, "person.example");
  const auto mobile = phone(dice_);
  account.set("Name.FirstName", first)
      .set("Name.LastName", last)
      .set("PersonContactId", contact.id())
      .set("PersonEmail", mail)
      .set("PersonMobilePhone", mobile)
      .set("Active__c", true);
  contact.set("Name.FirstName", first)
      .set("Name.LastName", last)
      .set("AccountId", account.id())
      .set("IsPersonAccount", true)
      .set("Email", mail)
      .set("MobilePhone", mobile);
  if (dice_.chance(50)) {
    const auto born = day(-dice_.between(7'000, 30'000));
    account.set("PersonBirthdate", born);
    contact.set("Birthdate", born);
  }
  people_.push_back(account.id());
  commit({account, contact});
}

void Workload::change_person() {
  if (people_.empty()) return sign_person();
  const auto& id = people_[dice_.below(people_.size())];
  std::string contact;
  store_.with(def("Account"), id, [&](const Record& record) {
    const auto& linked = record.values[def("Account").leaf("PersonContactId")];
    if (!record.deleted && !is_null(linked)) contact = std::get<std::string>(linked);
  });
  if (contact.empty() || !store_.is_live(def("Contact"), contact)) return sign_person();
  // What belongs to the contact is told by both events; the rest by the account's alone.
  auto account_change = update("Account", {id});
  auto contact_change = update("Contact", {contact});
  if (dice_.chance(50)) {
    const auto mail = dice_.chance(20) ? Value{} : Value(email_of(dice_, "person.example"));
    account_change.set("PersonEmail", mail);
    contact_change.set("Email", mail);
  } else if (dice_.chance(50)) {
    const auto last = last_name(dice_);
    account_change.set("Name.LastName", last);
    contact_change.set("Name.LastName", last);
  } else {
    account_change.set("Interests__c", several(dice_, kInterest));
  }
  commit({account_change, contact_change});
}

void Workload::change_account() {
  const auto id = pick("Account");
  if (id.empty()) return sign_customer();
  auto draft = update("Account", {id});
  switch (dice_.below(9)) {
    case 0:
      fill_address(draft, "Billing");
      break;
    case 1:
      draft.set("ShippingCity", Value{}).set("ShippingStreet", Value{});
      break;
    case 2:
      draft.set("Industry", text(dice_.pick(kIndustry))).set("Rating", text(dice_.pick(kRating)));
      break;
    case 3:
      draft.set("Phone", Value{}).set("AnnualRevenue", cents(dice_, 1'000'000'000));
      break;
    case 4:
      draft.set("Description", long_text(dice_, 1'500));
      break;
    case 5:
      draft.set("Interests__c", dice_.chance(30) ? Value{} : Value(several(dice_, kInterest)));
      break;
    case 6:
      draft.set("Active__c", dice_.chance(50)).set("Opens_At__c", dice_.between(0, 86'399'999));
      break;
    case 7:
      draft.set("Headquarters__c.Latitude", -cents(dice_, 80));
      break;
    default:
      draft.set("Renewal_Date__c", day(dice_.between(-20'000, 3'650)));
  }
  commit({draft});
}

void Workload::change_contact() {
  const auto id = pick("Contact");
  if (id.empty()) return sign_customer();
  auto draft = update("Contact", {id});
  switch (dice_.below(6)) {
    case 0:
      draft.set("Email", dice_.chance(20) ? Value{} : Value(email_of(dice_, "globex.example")));
      break;
    case 1:
      fill_address(draft, dice_.chance(50) ? "Mailing" : "Other");
      break;
    case 2:
      draft.set("Title", sentence(dice_)).set("Department", text("Zubehör"));
      break;
    case 3:
      draft.set("Languages__c", several(dice_, kLanguage))
          .set("HasOptedOutOfEmail", dice_.chance(50));
      break;
    case 4:
      draft.set("ReportsToId", pick("Contact"));
      break;
    default:
      draft.set("Description", long_text(dice_, 200)).set("Phone", phone(dice_));
  }
  commit({draft});
}

}  // namespace headwater::org
