#include "tests/org/workload.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace headwater::org {
namespace {

using Words = std::string_view;

constexpr std::array<Words, 6> kIndustry{
    "Energy", "Banking", "Retail", "Technology", "Healthcare", "Media"};
constexpr std::array<Words, 4> kInterest{"Golf", "Wine", "Théâtre", "AI & ML"};
constexpr std::array<Words, 4> kLanguage{"English", "Deutsch", "日本語", "עברית"};
constexpr std::array<Words, 4> kSource{"Web", "Phone Inquiry", "Partner Referral", "Other"};
constexpr std::array<Words, 3> kRating{"Hot", "Warm", "Cold"};
constexpr std::array<Words, 5> kStage{
    "Prospecting", "Qualification", "Proposal/Price Quote", "Negotiation/Review", "Closed Won"};
constexpr std::array<Words, 5> kForecast{"Pipeline", "Pipeline", "BestCase", "Forecast", "Closed"};
constexpr std::array<double, 5> kProbability{10, 25, 50, 75, 100};
constexpr std::array<Words, 3> kPriority{"High", "Medium", "Low"};
constexpr std::array<Words, 3> kOrigin{"Phone", "Email", "Web"};
constexpr std::array<Words, 5> kOrigins{"com/salesforce/api/soap/67.0;client=SfdcInternalAPI/",
                                        "com/salesforce/api/rest/67.0;client=portal",
                                        "com/salesforce/api/bulkapi/67.0",
                                        "com/salesforce/api/apex/67.0",
                                        ""};

std::string text(std::string_view words) { return std::string(words); }

double cents(Dice& dice, std::int64_t max) {
  return static_cast<double>(dice.between(0, max * 100)) / 100.0;
}

}  // namespace

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
      {3, &Workload::undelete_some},    {1, &Workload::merge_accounts},
      {1, &Workload::add_product},      {2, &Workload::change_user},
      {3, &Workload::trigger_chain}};
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

void Workload::capture_lead() {
  auto draft = create("Lead");
  fill_person(draft);
  draft.set("Company", company(dice_))
      .set("Status", text("Open - Not Contacted"))
      .set("LeadSource", text(dice_.pick(kSource)))
      .set("IsUnreadByOwner", true);
  if (dice_.chance(70)) draft.set("Email", email_of(dice_, "lead.example"));
  if (dice_.chance(50)) fill_address(draft, "");
  if (dice_.chance(40)) draft.set("Product_Interest__c", several(dice_, kInterest));
  if (dice_.chance(30))
    draft.set("AnnualRevenue", cents(dice_, 5'000'000))
        .set("NumberOfEmployees", dice_.between(1, 999));
  if (dice_.chance(30)) draft.set("Description", sentence(dice_));
  commit({draft});
}

void Workload::work_lead() {
  const auto id = pick("Lead");
  if (id.empty()) return capture_lead();
  commit({update("Lead", {id})
              .set("Status", text("Working - Contacted"))
              .set("Rating", text(dice_.pick(kRating)))
              .set("IsUnreadByOwner", false)});
}

void Workload::convert_lead() {
  const auto id = pick("Lead");
  bool converted = true;
  store_.with(def("Lead"), id, [&](const Record& record) {
    converted = record.values[def("Lead").leaf("IsConverted")] == Value(true);
  });
  if (converted) return capture_lead();
  auto account = create("Account").set("Name", company(dice_));
  auto contact = draft_contact(account.id());
  auto opportunity = draft_opportunity(account.id(), contact.id());
  commit({account,
          contact,
          opportunity,
          update("Lead", {id})
              .set("Status", text("Closed - Converted"))
              .set("IsConverted", true)
              .set("ConvertedDate", day(0))
              .set("ConvertedAccountId", account.id())
              .set("ConvertedContactId", contact.id())
              .set("ConvertedOpportunityId", opportunity.id())});
}

Draft Workload::draft_opportunity(const std::string& account, const std::string& contact) {
  auto draft = create("Opportunity");
  const auto amount = cents(dice_, 500'000);
  draft.set("Name", company(dice_) + " – " + sentence(dice_).substr(0, 6))
      .set("AccountId", account.empty() ? Value{} : Value(account))
      .set("ContactId", contact.empty() ? Value{} : Value(contact))
      .set("StageName", text(kStage[0]))
      .set("Probability", kProbability[0])
      .set("Amount", amount)
      .set("ExpectedRevenue", amount / 10)
      .set("CloseDate", day(dice_.between(1, 200)))
      .set("ForecastCategory", text(kForecast[0]))
      .set("ForecastCategoryName", text(kForecast[0]))
      .set("LeadSource", text(dice_.pick(kSource)));
  if (dice_.chance(30)) draft.set("Description", long_text(dice_, 300));
  if (dice_.chance(30)) draft.set("Competitors__c", several(dice_, kInterest));
  return draft;
}

void Workload::open_opportunity() {
  const auto account = pick("Account");
  const auto contact = pick("Contact");
  Statements all{draft_opportunity(account, contact)};
  if (dice_.chance(40)) {
    all.push_back(create("Task")
                      .set("Subject", text("Send proposal"))
                      .set("Status", text("Not Started"))
                      .set("Priority", text("Normal"))
                      .set("WhatId", all.front().ids.front())
                      .set("ActivityDate", day(dice_.between(0, 30))));
  }
  commit(all);
}

void Workload::move_opportunity() {
  const auto id = pick("Opportunity");
  if (id.empty()) return open_opportunity();
  std::size_t stage = 0;
  Value account;
  store_.with(def("Opportunity"), id, [&](const Record& record) {
    const auto& now = std::get<std::string>(record.values[def("Opportunity").leaf("StageName")]);
    stage = static_cast<std::size_t>(std::find(kStage.begin(), kStage.end(), now) - kStage.begin());
    account = record.values[def("Opportunity").leaf("AccountId")];
  });
  if (stage + 1 >= kStage.size()) return open_opportunity();
  ++stage;
  const auto when = store_.clock().now_second();
  auto draft = update("Opportunity", {id})
                   .set("StageName", text(kStage[stage]))
                   .set("Probability", kProbability[stage])
                   .set("ForecastCategory", text(kForecast[stage]))
                   .set("ForecastCategoryName", text(kForecast[stage]))
                   .set("LastStageChangeDate", when);
  const bool lost = dice_.chance(15);
  if (lost)
    draft.set("StageName", text("Closed Lost")).set("IsClosed", true).set("Probability", 0.0);
  const bool won = !lost && stage + 1 == kStage.size();
  if (!won) return commit({draft});
  draft.set("IsClosed", true).set("IsWon", true).set("CloseDate", day(0));
  auto order = create("Order")
                   .set("AccountId", account)
                   .set("OpportunityId", id)
                   .set("OrderNumber", fmt::format("{:08}", dice_.below(100'000'000)))
                   .set("Status", text("Draft"))
                   .set("StatusCode", text("Draft"))
                   .set("EffectiveDate", day(0))
                   .set("TotalAmount", cents(dice_, 50'000))
                   .set("Delivery_Window__c", dice_.between(32, 68) * 900'000);
  fill_address(order, "Billing");
  commit({draft,
          order,
          create("Invoice__c")
              .set("Name", fmt::format("INV-{:06}", dice_.below(1'000'000)))
              .set("Account__c", account)
              .set("Order__c", order.id())
              .set("Amount__c", cents(dice_, 50'000))
              .set("Status__c", text("Sent"))
              .set("Due_Date__c", day(30))});
}

void Workload::open_case() {
  auto draft = create("Case");
  draft.set("CaseNumber", fmt::format("{:08}", dice_.below(100'000'000)))
      .set("Subject", sentence(dice_))
      .set("Status", text("New"))
      .set("Priority", text(dice_.pick(kPriority)))
      .set("Origin", text(dice_.pick(kOrigin)))
      .set("Severity__c", dice_.between(-1, 5));
  if (dice_.chance(70)) draft.set("AccountId", pick("Account")).set("ContactId", pick("Contact"));
  if (dice_.chance(50)) draft.set("Description", long_text(dice_, dice_.chance(10) ? 20'000 : 300));
  if (dice_.chance(20))
    draft.set("SuppliedEmail", email_of(dice_, "web.example"))
        .set("SuppliedName", first_name(dice_));
  commit({draft});
}

void Workload::work_case() {
  const auto id = pick("Case");
  if (id.empty()) return open_case();
  auto draft = update("Case", {id});
  if (dice_.chance(40)) {
    draft.set("Status", text("Closed"))
        .set("IsClosed", true)
        .set("ClosedDate", store_.clock().now_second());
  } else {
    draft.set("Status", text("Working"))
        .set("IsEscalated", dice_.chance(30))
        .set("Priority", text(dice_.pick(kPriority)));
  }
  if (dice_.chance(20)) draft.set("ContactId", Value{});
  commit({draft});
}

void Workload::plan_task() {
  auto draft = create("Task");
  draft.set("Subject", sentence(dice_))
      .set("Status", text("Not Started"))
      .set("Priority", text(dice_.pick(kPriority)))
      .set("Type", text("Call"))
      .set("WhoId", dice_.chance(50) ? Value(pick("Contact")) : Value{});
  if (dice_.chance(70)) draft.set("ActivityDate", day(dice_.between(-10, 60)));
  if (dice_.chance(50)) draft.set("WhatId", pick("Account"));
  if (dice_.chance(20))
    draft.set("ReminderDateTime", store_.clock().now_second() + 3'600'000)
        .set("IsReminderSet", true);
  commit({draft});
}

void Workload::finish_task() {
  const auto id = pick("Task");
  if (id.empty()) return plan_task();
  commit({update("Task", {id})
              .set("Status", text("Completed"))
              .set("IsClosed", true)
              .set("CompletedDateTime", store_.clock().now_second())
              .set("CallDurationInSeconds", dice_.between(0, 7'200))
              .set("Description", sentence(dice_))});
}

void Workload::plan_event() {
  auto draft = create("Event");
  const bool all_day = dice_.chance(20);
  const auto starts = day(dice_.between(-5, 40)) + (all_day ? 0 : dice_.between(8, 18) * 3'600'000);
  draft.set("Subject", sentence(dice_))
      .set("IsAllDayEvent", all_day)
      .set("ActivityDateTime", starts)
      .set("ActivityDate", starts / kMsPerDay * kMsPerDay)
      .set("DurationInMinutes", all_day ? std::int64_t{1440} : dice_.between(1, 8) * 15)
      .set("Location", text(place(dice_).city))
      .set("ShowAs", text("Busy"))
      .set("WhoId", dice_.chance(50) ? Value(pick("Contact")) : Value(pick("Lead")))
      .set("WhatId", pick("Account"));
  commit({draft});
}

void Workload::change_order() {
  const auto id = pick("Order");
  if (id.empty()) return move_opportunity();
  commit({update("Order", {id})
              .set("Status", text("Activated"))
              .set("StatusCode", text("Activated"))
              .set("ActivatedDate", store_.clock().now_second())
              .set("ActivatedById", pick("User"))
              .set("PoNumber", fmt::format("PO \"{}\"", dice_.below(10'000)))});
}

void Workload::send_invoice() {
  auto draft = create("Invoice__c");
  draft.set("Name", fmt::format("INV-{:06}", dice_.below(1'000'000)))
      .set("Account__c", pick("Account"))
      .set("Amount__c", cents(dice_, 100'000))
      .set("Tax_Rate__c", 19.0)
      .set("Status__c", text("Sent"))
      .set("Due_Date__c", day(dice_.between(7, 60)));
  if (dice_.chance(40)) draft.set("Notes__c", long_text(dice_, 600));
  if (dice_.chance(30))
    draft.set("Delivery__c.Latitude", 52.52).set("Delivery__c.Longitude", 13.405);
  commit({draft});
}

void Workload::settle_invoice() {
  const auto ids = pick_some("Invoice__c", 1 + dice_.below(3));
  if (ids.empty()) return send_invoice();
  commit({update("Invoice__c", ids)
              .set("Status__c", text("Paid"))
              .set("Paid__c", true)
              .set("Paid_At__c", store_.clock().now_second())});
}

}  // namespace headwater::org
