#include <fmt/format.h>

#include <algorithm>

#include "tests/org/words.hpp"
#include "tests/org/workload.hpp"

// What sales people do: leads, opportunities, orders, invoices.

namespace headwater::org {

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
              .set("ConvertedOpportunityId", opportunity.id())
              .silent()});
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
