#include "daemon/pipeline/silent_objects.hpp"

#include "daemon/ledger/audit_book.hpp"
#include "tests/unit/pipeline/read_fixture.hpp"

namespace headwater {
namespace {

using ledger::Closing;
using ledger::Hole;
using test::account;
using test::ReadTaskTest;

constexpr EpochMs kMinute = 60'000, kHour = 60 * kMinute;

/// Accounts come by a channel of the org's own; the planner asks what it carries.
class SilentObjectTest : public ReadTaskTest {
 protected:
  void SetUp() override {
    ReadTaskTest::SetUp();
    create_accounts(1, 3);
    org.add(1, 3);
    org.members = {"AccountChangeEvent", "ContactChangeEvent"};
    org.listed.push_back({"Contact", "003", true, true});
    plan.topics = {"/data/Sales__chn"};
    clock.ms += 24 * kHour;
    begin();
  }
  void begin() {
    make();
    turns(5);
  }
  void turns(int most) {
    for (int i = 0; i < most; ++i) turn();
  }
  void deselect() { org.members.clear(); }
  void select() { org.members.push_back("AccountChangeEvent"); }
  /// Over the time until the silence counts as ended.
  void settle() {
    for (int i = 0; i < 3; ++i) later(5 * kMinute);
  }
  /// Over the time until the planner asks again.
  void later(EpochMs ms = kHour) {
    clock.ms += ms;
    turns(400);
  }
  std::vector<Hole> open() const { return ledger->wide_holes("emea"); }
  std::string cause() const { return open().size() == 1 ? open()[0].cause : ""; }
};

TEST_F(SilentObjectTest, ObjectThatLeftTheChannelIsAHoleThatNoReadingCloses) {
  const EpochMs selected = captured_of(*ledger, "emea")->asked_at;
  deselect();
  later();
  ASSERT_EQ(cause(), "switched_off");
  const Hole hole = open()[0];
  EXPECT_EQ(hole.object, "Account") << "no record of Contact was ever here";
  EXPECT_EQ(hole.from_ts, selected) << "it was told of until then at least";
  EXPECT_EQ(hole.to_ts, 0);
  EXPECT_TRUE(heals_otherwise(hole));
  EXPECT_TRUE(holes_of_object(*ledger, "emea", "Account").empty()) << "a resync does not answer it";
  run_to_end(ask());
  later(24 * kHour);
  EXPECT_EQ(cause(), "switched_off");
}

TEST_F(SilentObjectTest, SelectedAgainItIsRepairedByWhatWasSavedSinceItWasTold) {
  deselect();
  later();
  org.accounts[account(2)] = {"Untold", false, clock.ms};
  org.accounts[account(3)].deleted = true;
  org.accounts[account(3)].stamp = clock.ms;
  select();
  later(5 * kMinute);
  later(5 * kMinute);
  EXPECT_EQ(open().at(0).to_ts, 0) << "what is selected takes effect within ten minutes";
  org.accounts[account(1)] = {"Late", false, clock.ms};
  later(5 * kMinute);
  EXPECT_TRUE(open().empty()) << "asked again within minutes";
  EXPECT_NE(image(1).find("Late"), std::string::npos);
  EXPECT_NE(image(2).find("Untold"), std::string::npos);
  EXPECT_EQ(alive(), 2U);
  const auto evidence = ledger->closed_holes().at(0).closing.evidence;
  EXPECT_NE(evidence.find("read 3 records of Account saved since"), std::string::npos) << evidence;
}

TEST_F(SilentObjectTest, ObjectThatOurUserMayReadNoMoreIsAHoleUntilItMay) {
  std::erase_if(org.listed, [](const auto& it) { return it.name == "Account"; });
  later();
  EXPECT_EQ(cause(), "hidden");
  org.listed.push_back({"Account", "001", true, true});
  settle();
  EXPECT_TRUE(open().empty());
}

TEST_F(SilentObjectTest, AnotherHoleOfTheObjectIsRepairedAndTheSilenceStays) {
  deselect();
  later();
  ASSERT_TRUE(ledger->open_hole(overflow()));
  EXPECT_EQ(open().size(), 2U);
  later(kMinute);
  EXPECT_EQ(cause(), "switched_off");
}

TEST_F(SilentObjectTest, SilenceThatAPersonAcceptedIsNotToldAgainAndTheNextOneIs) {
  deselect();
  later();
  clock.ms += 1;
  ASSERT_TRUE(ledger->close_hole(open()[0], {Closing::How::Accepted, "ann", "on purpose", 0}));
  later(24 * kHour);
  EXPECT_TRUE(open().empty());
  select();
  later();
  deselect();
  later();
  EXPECT_EQ(cause(), "switched_off");
}

TEST_F(SilentObjectTest, SelectedForAMomentItStaysAHole) {
  deselect();
  later();
  select();
  later(5 * kMinute);
  deselect();
  later(5 * kMinute);
  select();
  later(5 * kMinute);
  later(5 * kMinute);
  EXPECT_EQ(open().at(0).to_ts, 0) << "counted from the second time on";
  later(5 * kMinute);
  EXPECT_TRUE(open().empty());
}

TEST_F(SilentObjectTest, RestartWhileTheOrgIsAwayEndsNoSilence) {
  deselect();
  later();
  org.members_error = transient("ask what channel Sales__chn of org emea carries: HTTP 503");
  select();
  begin();
  later(24 * kHour);
  EXPECT_EQ(open().at(0).to_ts, 0);
  org.members_error.reset();
  later(kMinute);
  settle();
  EXPECT_TRUE(open().empty());
}

TEST_F(SilentObjectTest, GuessesOpenAndEndNothing) {
  deselect();
  later();
  org.members_error = rejected("sObject type is not supported", "INVALID_TYPE");
  later();
  EXPECT_EQ(open().at(0).to_ts, 0) << "that it could be selected is not that it is";
}

TEST_F(SilentObjectTest, GuessIsNoWordThatItWasTold) {
  const EpochMs selected = captured_of(*ledger, "emea")->asked_at;
  deselect();
  org.members_error = rejected("sObject type is not supported", "INVALID_TYPE");
  later();
  EXPECT_TRUE(open().empty());
  org.members_error.reset();
  later();
  ASSERT_EQ(cause(), "switched_off");
  EXPECT_EQ(open()[0].from_ts, selected) << "silent since then, for all that is known";
}

TEST_F(SilentObjectTest, SilenceThatBeginsAgainBeforeTheLastOneIsRepairedIsNotForgotten) {
  deselect();
  later();
  select();
  // Its rows come, but not what the log of deletions says.
  org.errors.assign(1'000, transient("HTTP 503"));
  org.errors[0] = org.errors[1] = std::nullopt;
  settle();
  ASSERT_NE(open().at(0).to_ts, 0);
  deselect();
  later(kHour);
  EXPECT_EQ(open().at(0).to_ts, 0);
  org.accounts[account(2)] = {"Untold", false, clock.ms};
  select();
  later(5 * kMinute);
  org.errors.clear();
  settle();
  settle();
  EXPECT_TRUE(open().empty());
  EXPECT_NE(image(2).find("Untold"), std::string::npos);
}

TEST_F(SilentObjectTest, AnswersHoursApartDoNotFollowEachOther) {
  deselect();
  later();
  select();
  later(5 * kMinute);
  org.members_error = transient("HTTP 503");
  later(3 * kHour);
  org.members_error.reset();
  later(kMinute);
  EXPECT_EQ(open().at(0).to_ts, 0) << "nobody knows what was selected between";
  settle();
  EXPECT_TRUE(open().empty());
}

TEST_F(SilentObjectTest, FieldThatWasAddedInTheSilenceIsReadToo) {
  deselect();
  later();
  select();
  later(5 * kMinute);
  run_to_end(ask());  // what describe says is kept for an hour
  org.fields.emplace_back("Added__c", "string");
  settle();
  EXPECT_TRUE(open().empty());
  EXPECT_NE(ledger->jobs().back().fields.find("Added__c"), std::string::npos);
}

TEST_F(SilentObjectTest, ClockThatWasADayAheadHoldsNoSilenceOpenAndHidesNothing) {
  clock.ms += 24 * kHour;
  begin();
  deselect();
  later();
  select();
  later(5 * kMinute);
  clock.ms -= 24 * kHour;
  org.accounts[account(2)] = {"Untold", false, clock.ms};
  begin();
  settle();
  EXPECT_TRUE(open().empty());
  EXPECT_NE(image(2).find("Untold"), std::string::npos) << "saved before the hole's beginning";
}

TEST_F(SilentObjectTest, SilenceAfterAnAnswerOfAClockThatWasAheadHasNoBeginning) {
  clock.ms += 24 * kHour;
  later();  // the last answer that names it
  clock.ms -= 24 * kHour;
  org.accounts[account(2)] = {"Untold", false, clock.ms};
  deselect();
  clock.ms += 4 * kHour;  // without an answer
  begin();
  later();
  ASSERT_EQ(open().size(), 1U);
  EXPECT_EQ(open()[0].from_ts, 0);
  select();
  later(5 * kMinute);
  settle();
  EXPECT_TRUE(open().empty());
  EXPECT_NE(image(2).find("Untold"), std::string::npos) << "it may have been silent for a day";
}

TEST_F(SilentObjectTest, ObjectWithAStreamOfItsOwnIsThatStreamsBusiness) {
  plan.topics.emplace_back("/data/AccountChangeEvent");
  begin();
  deselect();
  later();
  EXPECT_TRUE(open().empty());
}

/// What the streams told before a silence is still on its way when the object is back.
class SilenceBehindTest : public SilentObjectTest {
 protected:
  void SetUp() override {
    SilentObjectTest::SetUp();
    plan.streams = [this] { return streams; };
    begin();
    deselect();
    later();
    ASSERT_EQ(cause(), "switched_off");
  }
  void back() {
    select();
    later(5 * kMinute);
    settle();
  }
  bool lasts() const { return open().size() == 1 && open()[0].to_ts == 0; }
  /// A stream of Accounts alone is configured, and works.
  void give_own(bool channel_too) {
    if (!channel_too) plan.topics.clear();
    plan.topics.emplace_back("/data/AccountChangeEvent");
    streams.push_back({0, 0, "/data/AccountChangeEvent"});
    ASSERT_TRUE(ledger->save_position({"emea", "/data/AccountChangeEvent"}, ReplayId("anchor")));
    begin();
    later(5 * kMinute);
  }
  StreamProgress& channel() { return streams[0]; }
  std::vector<StreamProgress> streams{{0, 0, "/data/Sales__chn"}};
};

TEST_F(SilenceBehindTest, RecordThatWasCreatedBeforeItAndDeletedInItStaysDeleted) {
  back();
  EXPECT_TRUE(lasts()) << "its creation is not told yet";
  EXPECT_TRUE(holes_of_object(*ledger, "emea", "Account").empty()) << "a resync does not answer it";
  run_to_end(ask());
  EXPECT_TRUE(lasts());
  create_accounts(4, 4);  // the stream comes to it
  org.accounts[account(4)].deleted = true;
  org.accounts[account(4)].stamp = clock.ms - kHour;
  channel().newest_commit = clock.ms;
  later(kMinute);
  EXPECT_TRUE(open().empty());
  EXPECT_EQ(alive(), 3U);
}

TEST_F(SilenceBehindTest, QuietStreamIsPastWhatWasSettledBeforeItSaidThatItHasNoMore) {
  select();
  later(5 * kMinute);
  channel().at_tip = clock.ms;  // before the selection settled
  settle();
  EXPECT_TRUE(lasts());
  channel().at_tip = clock.ms;
  later(kMinute);
  EXPECT_TRUE(open().empty());
}

TEST_F(SilenceBehindTest, StreamThatTellsNothingIsWaitedForAsLongAsTheBusKeepsEvents) {
  back();
  const EpochMs selected = clock.ms;
  while (clock.ms < selected + 70 * kHour) later();
  EXPECT_TRUE(lasts());
  later(kHour);
  later(kHour);
  EXPECT_TRUE(open().empty());
}

TEST_F(SilenceBehindTest, StreamOfAnotherObjectIsNotWaitedFor) {
  channel().topic = "/data/LeadChangeEvent";
  back();
  EXPECT_TRUE(open().empty());
}

TEST_F(SilenceBehindTest, WithoutAStreamNothingIsWaitedFor) {
  streams.clear();
  back();
  EXPECT_TRUE(open().empty());
}

TEST_F(SilenceBehindTest, WhatLiesAheadOfOurClockProvesNothing) {
  channel().newest_commit = channel().at_tip = clock.ms + 24 * kHour;
  back();
  EXPECT_TRUE(lasts());
  channel().at_tip = clock.ms;
  later(kMinute);
  EXPECT_TRUE(open().empty());
}

TEST_F(SilenceBehindTest, ObjectThatGotAStreamOfItsOwnWaitsForBoth) {
  give_own(true);
  EXPECT_TRUE(lasts());
  channel().at_tip = clock.ms;
  later(kMinute);
  EXPECT_TRUE(lasts()) << "its own has yet to tell";
  streams[1].at_tip = clock.ms;
  later(kMinute);
  EXPECT_TRUE(open().empty());
}

TEST_F(SilenceBehindTest, ObjectWhoseOwnStreamIsAllThatIsLeftIsRepairedToo) {
  streams.clear();
  give_own(false);
  EXPECT_TRUE(lasts());
  streams[0].at_tip = clock.ms;
  later(kMinute);
  EXPECT_TRUE(open().empty());
}

TEST_F(SilenceBehindTest, SilenceThatWasNoticedByAClockAheadHoldsNoOwnStreamBack) {
  clock.ms -= 24 * kHour;
  give_own(true);
  later(kMinute);
  EXPECT_TRUE(open().empty());
}

TEST_F(SilentObjectTest, RowOfAnEarlierVersionSaysWhatWasTold) {
  ledger::AuditBook book(*ledger);
  ASSERT_TRUE(book.keep("captured:emea", "5000 1\nAccount 0 4000 1 0\nLead 0 5000 1 1\n"));
  const auto captured = captured_of(*ledger, "emea");
  ASSERT_TRUE(captured);
  ASSERT_EQ(captured->objects.size(), 2U);
  EXPECT_EQ(captured->objects.at("Account").told, 4'000);
  EXPECT_EQ(captured->objects.at("Lead").told, 0);
  EXPECT_TRUE(captured->objects.at("Lead").hidden);
}

}  // namespace
}  // namespace headwater
