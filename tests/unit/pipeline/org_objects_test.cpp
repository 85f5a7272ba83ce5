#include "daemon/pipeline/org_objects.hpp"

#include "tests/unit/pipeline/read_fixture.hpp"

namespace headwater {
namespace {

using ledger::ReadJob;
using test::account;
using test::ReadTaskTest;

/// A stretch of the stream was lost in an org of which only accounts were ever heard.
class FirstEverTest : public test::LostStretchTest {
 protected:
  void SetUp() override {
    ReadTaskTest::SetUp();
    create_accounts(1, 3);
    org.add(1, 3);
    org.listed = {{"Account", "001", true, true}, {"Contact", "003", true, true}};
    org.members = {"AccountChangeEvent", "ContactChangeEvent"};
    lose_a_minute();
    org.others["Contact"][contact(1)] = {"first ever", false, lost.from_ts + 1'000};
    org.others["Contact"][contact(2)] = {"old", false, test::FakeOrg::kStamp};
  }
  static std::string contact(int number) {
    std::string id = account(number);
    return id.replace(0, 3, "003");
  }
  void begin() {
    ASSERT_TRUE(ledger->open_hole(lost));
    clock.ms += 1'000;
    ASSERT_TRUE(ledger->save_position(stream, ReplayId("behind")));
  }
  bool closed() { return ledger->wide_holes("emea").empty(); }
  std::map<std::string, EpochMs> selected() {
    return selected_objects(*captured_of(*ledger, "emea"), listening_since(*ledger, "emea"));
  }
  void turns(int most) {
    for (int i = 0; i < most && !closed(); ++i) turn();
  }
  std::string evidence() {
    const auto holes = ledger->closed_holes();
    return holes.empty() ? "" : holes[0].closing.evidence;
  }
  std::uint64_t contacts() { return worker->tools().living("Contact"); }
};

TEST_F(FirstEverTest, RecordOfAnObjectThatWasLostIsReadInByTheStretchsRepair) {
  begin();
  turns(2'000);
  EXPECT_EQ(contacts(), 1U) << "what was saved in the stretch; nobody asked for the older one";
  EXPECT_NE(evidence().find("read 1 records of Contact saved since"), std::string::npos)
      << evidence();
  EXPECT_EQ(org.channels_asked, std::vector<std::string>{"ChangeEvents"}) << "once for the hole";
}

TEST_F(FirstEverTest, StretchStaysOpenWhileTheOrgCannotSayWhichObjectsThereAre) {
  org.members_error = transient("ask what channel ChangeEvents of org emea carries: HTTP 503");
  begin();
  turns(100);
  EXPECT_FALSE(closed());
  EXPECT_TRUE(ledger->jobs().empty());
  org.members_error.reset();
  turns(2'000);
  EXPECT_TRUE(closed());
  EXPECT_EQ(contacts(), 1U);
}

TEST_F(FirstEverTest, StretchStaysOpenWhileTheQuotaIsUsedUp) {
  org.members_error = blocked("the org's API requests are used up", "REQUEST_LIMIT_EXCEEDED");
  begin();
  turns(100);
  EXPECT_FALSE(closed()) << "that the org did not answer is no word on what it captures";
  EXPECT_TRUE(ledger->jobs().empty());
}

TEST_F(FirstEverTest, WithoutSightOfTheSetupEveryObjectThatMayBeCapturedIsReadAndThatIsSaid) {
  org.members_error = rejected("sObject type is not supported", "INVALID_TYPE");
  org.listed.push_back({"AccountChangeEvent", "", false, true});
  org.listed.push_back({"ContactChangeEvent", "", false, true});
  org.listed.push_back({"ContentVersion", "068", true, true});
  begin();
  turns(2'000);
  EXPECT_EQ(contacts(), 1U);
  EXPECT_EQ(ledger->jobs().size(), 2U);
  EXPECT_NE(evidence().find("the org does not tell which objects are selected"), std::string::npos)
      << evidence();
}

TEST_F(FirstEverTest, ObjectThatIsHiddenFromTheUserIsNamedAndReadByNobody) {
  org.listed.pop_back();
  begin();
  turns(2'000);
  EXPECT_EQ(ledger->jobs().size(), 1U);
  EXPECT_TRUE(evidence().ends_with(
      "; hidden from the integration user, so that no stream brings them: Contact"))
      << evidence();
}

TEST_F(FirstEverTest, ObjectThatIsSelectedNoLongerStillCountsForTheStretchThatItWasIn) {
  plan.topics = {"/data/ChangeEvents"};
  make();
  for (int i = 0; i < 5; ++i) worker->step();  // the hourly look
  org.members.pop_back();
  begin();
  turns(2'000);
  EXPECT_EQ(contacts(), 1U);
}

TEST_F(FirstEverTest, StretchOfAStreamOfOneObjectLacksThatOneAloneThoughNothingOfItIsKnown) {
  lost.topic = "/data/ContactChangeEvent";
  plan.topics = {lost.topic};
  make();
  ASSERT_TRUE(ledger->open_hole(lost));
  clock.ms += 1'000;
  ASSERT_TRUE(ledger->save_position({"emea", lost.topic}, ReplayId("behind")));
  turns(2'000);
  EXPECT_EQ(contacts(), 1U);
  EXPECT_EQ(ledger->jobs().size(), 1U);
  EXPECT_TRUE(org.channels_asked.empty());
}

TEST_F(FirstEverTest, AnObjectThatWasReadInIsKnownThoughItHadNoRecord) {
  ReadJob job;
  job.org = "emea";
  job.object = "Lead";
  const auto added = ledger->add_job(job);
  ASSERT_TRUE(added);
  run_to_end(*added);
  EXPECT_EQ(known_objects(*ledger, "emea", {}), (std::set<std::string>{"Account", "Lead"}));
  EXPECT_TRUE(known_objects(*ledger, "apac", {}).empty());
}

TEST_F(FirstEverTest, WhatTheOrgSaidOutlivesAStartWithoutIt) {
  const std::vector<std::string> channels = {"ChangeEvents"};
  ASSERT_TRUE(ask_captured(org, *ledger, "emea", channels, 1'000));
  open();  // the daemon starts again
  auto captured = captured_of(*ledger, "emea");
  ASSERT_TRUE(captured);
  EXPECT_EQ(captured->objects.size(), 2U);
  EXPECT_EQ(captured->objects.at("Contact").from, 0);
  org.members.push_back("Lead__ChangeEvent");
  org.listed.push_back({"Lead__c", "a00", true, true});
  captured = ask_captured(org, *ledger, "emea", channels, 5'000);
  ASSERT_TRUE(captured);
  EXPECT_EQ(captured->objects.at("Lead__c").from, 5'000) << "what is older nobody asked for";
  ASSERT_TRUE(note_listening(*ledger, "emea", 2'000));
  EXPECT_EQ(selected().at("Contact"), 2'000 + kListeningSlackMs);
  org.members.pop_back();
  ASSERT_TRUE(ask_captured(org, *ledger, "emea", channels, 6'000));
  EXPECT_FALSE(selected().contains("Lead__c"));
}

TEST_F(FirstEverTest, GuessesEndWithTheFirstWordThatIsCertain) {
  const std::vector<std::string> channels = {"ChangeEvents"};
  org.members_error = blocked("no permission", "INSUFFICIENT_ACCESS");
  org.listed.push_back({"Lead", "00Q", true, true});
  auto captured = ask_captured(org, *ledger, "emea", channels, 1'000);
  ASSERT_TRUE(captured);
  EXPECT_TRUE(captured->objects.contains("Lead")) << "an org that lists no change event at all";
  EXPECT_TRUE(selected().empty()) << "a guess is audited by nobody";
  org.members_error.reset();
  captured = ask_captured(org, *ledger, "emea", channels, 2'000);
  EXPECT_FALSE(captured->objects.contains("Lead"));
}

/// A hole of all accounts, and a field that cannot be queried.
class LeftOutTest : public ReadTaskTest {
 protected:
  void SetUp() override {
    ReadTaskTest::SetUp();
    create_accounts(1, 3);
    org.add(1, 3);
    org.fields.push_back({"Secret__c", "string"});
    refuse();
    ASSERT_TRUE(ledger->open_hole(overflow()));
  }
  void refuse() {
    org.errors = {std::nullopt,
                  rejected("No such column 'Secret__c' on entity 'Account'.", "INVALID_FIELD")};
  }
  void turns(int most) {
    for (int i = 0; i < most && !ledger->wide_holes("emea").empty(); ++i) turn();
  }
  std::size_t done() {
    const auto jobs = ledger->jobs();
    return static_cast<std::size_t>(
        std::ranges::count(jobs, ReadJob::State::Done, &ReadJob::state));
  }
};

TEST_F(LeftOutTest, FieldKeepsTheHoleOpenAndTheObjectIsReadAgainAnHourLater) {
  turns(300);
  EXPECT_EQ(ledger->wide_holes("emea").size(), 1U) << "the field's values may be missing";
  EXPECT_EQ(done(), 1U);
  clock.ms += 3'600'000;
  turns(300);
  EXPECT_TRUE(ledger->wide_holes("emea").empty()) << "it could be queried then";
  EXPECT_EQ(done(), 2U);
  EXPECT_TRUE(ledger->closed_holes().at(0).closing.evidence.starts_with("job 2 "));
}

TEST_F(LeftOutTest, FieldThatTheOrgHasNoMoreIsNamedByTheEvidence) {
  for (int i = 0; i < 500 && done() == 0; ++i) {
    turn();
    if (org.errors.empty() && org.fields.size() == 5) org.fields.pop_back();
  }
  turns(100);
  ASSERT_TRUE(ledger->wide_holes("emea").empty());
  const auto evidence = ledger->closed_holes().at(0).closing.evidence;
  EXPECT_NE(evidence.find(", without Secret__c, which it no longer has for us"), std::string::npos)
      << evidence;
}

TEST_F(LeftOutTest, FieldIsNewOnceItCanBeQueried) {
  plan = {{"Account"}, {"/data/ChangeEvents"}};
  make();
  ASSERT_TRUE(ledger->save_position({"emea", "/data/ChangeEvents"}, ReplayId("p")));
  for (int i = 0; i < 500 && done() == 0; ++i) turn();
  const auto fields = [this] { return ledger->last_snapped("emea", "Account")->fields; };
  ASSERT_TRUE(ledger->last_snapped("emea", "Account"));
  EXPECT_EQ(fields().find("Secret__c"), std::string::npos);
  EXPECT_EQ(ledger->last_snapped("emea", "Account")->types, "id,datetime,string");
  for (int i = 0; i < 100; ++i) turn();
  EXPECT_EQ(ledger->jobs().size(), 1U) << "not again and again";
  clock.ms += 3'600'000;
  for (int i = 0; i < 300 && done() == 1; ++i) turn();
  EXPECT_NE(fields().find("Secret__c"), std::string::npos);
}

}  // namespace
}  // namespace headwater
