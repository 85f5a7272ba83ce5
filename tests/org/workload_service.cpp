#include <fmt/format.h>

#include <algorithm>

#include "tests/org/words.hpp"
#include "tests/org/workload.hpp"

// What the service desk and the calendar do: cases, tasks, events.

namespace headwater::org {

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

}  // namespace headwater::org
