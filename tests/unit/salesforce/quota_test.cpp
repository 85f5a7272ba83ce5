#include "connectors/salesforce/quota.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace headwater::salesforce {
namespace {

using testing::HasSubstr;

struct FakeClock final : Clock {
  std::int64_t ms = 1'000;
  std::int64_t now_us() const override { return ms * 1'000; }
  std::int64_t monotonic_ms() const override { return ms; }
};

struct QuotaTest : testing::Test {
  FakeClock clock;
  std::shared_ptr<OrgMetrics> metrics = std::make_shared<OrgMetrics>();
  QuotaGovernor quota{"emea", 0.2, metrics, clock};
};

TEST_F(QuotaTest, BeforeTheFirstAnswerEverythingIsSent) {
  for (const auto priority : {Priority::Repair, Priority::Snapshot, Priority::Audit})
    EXPECT_TRUE(quota.admit(priority).ok());
}

TEST_F(QuotaTest, WhatCanWaitGivesWayFirst) {
  quota.note(50'000, 100'000);  // half is left: audit wants 44 %
  EXPECT_TRUE(quota.admit(Priority::Audit).ok());
  quota.note(60'000, 100'000);
  EXPECT_FALSE(quota.admit(Priority::Audit).ok());
  EXPECT_TRUE(quota.admit(Priority::Snapshot).ok());
  quota.note(73'000, 100'000);  // snapshot wants 28 %
  EXPECT_FALSE(quota.admit(Priority::Snapshot).ok());
  EXPECT_TRUE(quota.admit(Priority::Repair).ok());
}

TEST_F(QuotaTest, TheReserveIsLeftToOthersWithASentence) {
  quota.note(80'000, 100'000);
  const auto refused = quota.admit(Priority::Repair);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, ErrorKind::Blocked);
  EXPECT_EQ(refused.error().code, kQuotaReserved);
  EXPECT_THAT(refused.error().message, HasSubstr("20000 of its 100000 API requests"));
  EXPECT_THAT(refused.error().message, HasSubstr("20 % untouched (api_reserve_percent)"));
  EXPECT_EQ(metrics->api_refused[0], 1u);
}

TEST_F(QuotaTest, CallsOnTheWireCount) {
  quota.note(79'990, 100'000);
  int sent = 0;
  while (sent < 100 && quota.admit(Priority::Repair).ok()) ++sent;
  EXPECT_EQ(sent, 10);
}

TEST_F(QuotaTest, OneCallInFiveMinutesAsksHowMuchIsLeft) {
  quota.note(100'000, 100'000);
  EXPECT_FALSE(quota.admit(Priority::Snapshot).ok());
  clock.ms += QuotaGovernor::kProbeEvery.count();
  EXPECT_TRUE(quota.admit(Priority::Snapshot).ok());
  EXPECT_FALSE(quota.admit(Priority::Snapshot).ok());
  // The probe's answer tells that the day has moved on.
  quota.note(10'000, 100'000);
  EXPECT_TRUE(quota.admit(Priority::Snapshot).ok());
}

TEST_F(QuotaTest, ARefusalOfTheOrgLeavesNothingEvenBeforeItToldItsAllowance) {
  quota.note_exhausted("403 REQUEST_LIMIT_EXCEEDED: TotalRequests Limit exceeded.");
  const auto refused = quota.admit(Priority::Repair);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().message,
            "org emea: it refused a request (403 REQUEST_LIMIT_EXCEEDED: TotalRequests Limit "
            "exceeded.): repair work is not sent, asking again within 5 minutes");
  EXPECT_EQ(metrics->api_refused[0], 1u);
}

TEST_F(QuotaTest, ARefusalIsToldWithWhatTheOrgCountedAndEndsWithTheNextAnswer) {
  quota.note(14'900, 15'000);
  quota.note_exhausted("403 REQUEST_LIMIT_EXCEEDED: of this app");
  clock.ms += QuotaGovernor::kProbeEvery.count();
  EXPECT_TRUE(quota.admit(Priority::Audit).ok()) << "the probe";
  const auto refused = quota.admit(Priority::Audit);
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().message, HasSubstr("of this app); it told of 100 left of 15000:"));
  quota.note(10, 15'000);
  EXPECT_TRUE(quota.admit(Priority::Audit).ok());
}

}  // namespace
}  // namespace headwater::salesforce
