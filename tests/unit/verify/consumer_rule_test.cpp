#include "daemon/verify/consumer_rule.hpp"

#include <gtest/gtest.h>

namespace headwater::verify {
namespace {

using Says = ConsumerRule::Says;

/// One partition of one org.
struct ConsumerRuleTest : testing::Test {
  ConsumerRule rule;
  Says retry(std::uint64_t rev, std::uint64_t epoch) { return take(rev, epoch, "emea", true); }
  Says take(std::uint64_t rev,
            std::uint64_t epoch,
            std::string_view org = "emea",
            bool retried = false) {
    kafka::ReadMessage message;
    message.topic = "crm.changes.account";
    message.key = "emea:Account:001";
    message.org = org;
    message.rev = rev;
    message.epoch = epoch;
    message.retried = retried;
    return rule.take(message);
  }
};

TEST_F(ConsumerRuleTest, WhatARequestOfADeadWriterBringsBehindItsHeirsCopyIsLate) {
  EXPECT_EQ(take(5, 1), Says::Taken);
  EXPECT_EQ(take(6, 2), Says::Taken);
  EXPECT_EQ(take(6, 1), Says::Late);
  EXPECT_EQ(take(5, 1), Says::Late);  // its own copy alone could tell: LogView has both
}

TEST_F(ConsumerRuleTest, ACopyOfTheWriterItselfIsNone) {
  EXPECT_EQ(take(5, 1), Says::Taken);
  EXPECT_EQ(take(5, 1), Says::Again);
}

TEST_F(ConsumerRuleTest, NorIsOneOfAnHeirThatShouldHaveFoundTheFirst) {
  EXPECT_EQ(take(5, 1), Says::Taken);
  EXPECT_EQ(take(6, 1), Says::Taken);
  EXPECT_EQ(take(5, 2), Says::Again);
  EXPECT_EQ(take(6, 2), Says::Again);
  EXPECT_EQ(take(7, 2), Says::Taken);
  EXPECT_EQ(rule.behind(), 6U);
}

TEST_F(ConsumerRuleTest, TheHeirsOwnCopyIsLateIfTheFirstCameWhileItWroteAlready) {
  EXPECT_EQ(take(5, 2), Says::Taken);
  EXPECT_EQ(take(6, 1), Says::Taken);
  EXPECT_EQ(take(6, 2), Says::Late);
  EXPECT_EQ(take(6, 3), Says::Again) << "the next heir finds both";
}

TEST_F(ConsumerRuleTest, WhatWasRetriedIsTakenOnceBehindLaterOnes) {
  EXPECT_EQ(take(7, 1), Says::Taken);
  EXPECT_EQ(retry(5, 1), Says::Taken);
  EXPECT_EQ(take(7, 1), Says::Again) << "what was seen before stays seen";
  EXPECT_EQ(retry(5, 1), Says::Again);
  EXPECT_EQ(retry(5, 2), Says::Late) << "that the first came was not known to the second writer";
  EXPECT_EQ(retry(9, 2), Says::Taken) << "nothing came between";
  EXPECT_EQ(retry(9, 2), Says::Again);
  EXPECT_EQ(take(8, 2), Says::Again);
}

TEST_F(ConsumerRuleTest, EveryOrgHasItsOwnRev) {
  EXPECT_EQ(take(5, 1), Says::Taken);
  EXPECT_EQ(take(4, 1, "apac"), Says::Taken);
  EXPECT_EQ(take(0, 0, ""), Says::Late) << "not ours";
  EXPECT_EQ(take(4, 1), Says::Again);
}

}  // namespace
}  // namespace headwater::verify
