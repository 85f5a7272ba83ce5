#include "daemon/audit/rules.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "daemon/audit/tally.hpp"

namespace headwater::audit {
namespace {

const RecordId kId = *RecordId::parse("0015f00002JUXA8AAP");
const RecordId kOther = *RecordId::parse("0015f00002JUXA9AAP");

ledger::Standing standing(EpochMs known_to, bool deleted = false) {
  ledger::Standing out;
  out.id = kId;
  out.rev = Rev{1};
  out.known_to = known_to;
  out.deleted = deleted;
  return out;
}

TEST(Tally, ChecksumsAreFreeOfOrderAndSeeEveryIdAndSecond) {
  const std::vector<std::pair<RecordId, EpochMs>> rows = {
      {kId, 1'000}, {kOther, 2'000}, {kId, 3'000}};
  auto shuffled = rows;
  std::ranges::shuffle(shuffled, std::mt19937(7));
  Sum forward, any, moved;
  for (const auto& [id, stamp] : rows) forward.add(id, stamp);
  for (const auto& [id, stamp] : shuffled) any.add(id, stamp);
  EXPECT_EQ(forward, any);
  // One second later, or two ids with their seconds exchanged: not the same.
  moved.add(kId, 1'000);
  moved.add(kOther, 2'000);
  moved.add(kId, 4'000);
  EXPECT_NE(forward, moved);
  Sum crossed;
  crossed.add(kOther, 1'000);
  crossed.add(kId, 2'000);
  crossed.add(kId, 3'000);
  EXPECT_NE(forward, crossed);
}

TEST(Tally, OnlyMonthsThatDifferAreTold) {
  Tally tally;
  tally.both(kId, 1'772'366'400'000);          // 2026-03
  tally.org_alone(kOther, 1'769'947'200'000);  // 2026-02
  const auto months = tally.differing(10);
  ASSERT_EQ(months.size(), 1U);
  EXPECT_EQ(months[0].name, "2026-02");
  EXPECT_EQ(months[0].org.rows, 1U);
  EXPECT_EQ(months[0].ledger.rows, 0U);
  EXPECT_EQ(tally.org().rows, 2U);
  EXPECT_EQ(tally.ledger().rows, 1U);
  tally.ledger_alone(kOther, 1'767'268'800'000);  // 2026-01
  ASSERT_EQ(tally.differing(10).size(), 2U);
  EXPECT_EQ(tally.differing(10)[0].org.rows, 0U);
  EXPECT_EQ(tally.differing(10)[0].ledger.rows, 1U);
}

TEST(Rules, IdsAndStampsMakeSuspects) {
  const auto known = standing(5'000);
  const auto dead = standing(5'000, true);
  EXPECT_EQ(suspect(OrgRow{5'000, false}, &known), What::Nothing);
  EXPECT_EQ(suspect(OrgRow{4'000, false}, &known), What::Nothing) << "set before the commit";
  EXPECT_EQ(suspect(OrgRow{5'900, false}, &known), What::Nothing) << "events know whole seconds";
  EXPECT_EQ(suspect(OrgRow{6'000, false}, &known), What::Stale);
  EXPECT_EQ(suspect(OrgRow{6'000, false}, nullptr), What::Missing);
  EXPECT_EQ(suspect(OrgRow{6'000, false}, &dead), What::Missing);
  EXPECT_EQ(suspect(OrgRow{6'000, true}, &known), What::Gone);
  EXPECT_EQ(suspect(std::nullopt, &known), What::Gone);
  EXPECT_EQ(suspect(std::nullopt, &dead), What::Nothing);
  EXPECT_EQ(suspect(OrgRow{6'000, true}, nullptr), What::Nothing);
}

TEST(Rules, AStreamIsPastARecordByTheOrgsClockOrByItsSilence) {
  const Sight sight{OrgRow{10'000, false}, 50'000};
  const Millis margin{2'000};
  const auto past = [&](std::vector<StreamProgress> streams) {
    return passed(streams, sight, margin, 60'000);
  };
  EXPECT_TRUE(past({{12'001, 0}}));
  EXPECT_FALSE(past({{12'000, 0}})) << "commits may come out of order within the margin";
  EXPECT_TRUE(past({{0, 52'001}})) << "it said that there is no more, after we saw the record";
  EXPECT_FALSE(past({{0, 51'000}}));
  EXPECT_FALSE(past({{12'001, 0}, {11'000, 0}})) << "any stream may bring it";
  EXPECT_FALSE(past({})) << "nobody listens: nothing is certain";
  // Of a record that is nowhere to be seen the org tells no time.
  const auto of_nothing = [&](EpochMs newest_commit, EpochMs now) {
    return passed(std::vector<StreamProgress>{{newest_commit, 0}}, Sight{{}, 50'000}, margin, now);
  };
  EXPECT_FALSE(of_nothing(12'001, 60'000));
  EXPECT_TRUE(of_nothing(52'001, 60'000));
  EXPECT_FALSE(of_nothing(86'452'001, 60'000)) << "our clock is a day behind";
}

TEST(Rules, FieldsAreComparedTyped) {
  NameTable names;
  std::vector<Member> image = {{names.intern("Name"), ValueView::of_text("Acme")},
                               {names.intern("Rank"), ValueView::integer(3)}};
  const std::vector<salesforce::RowField> row = {{"Name", ValueView::of_text("Acme")},
                                                 {"Rank", ValueView::decimal(3)},
                                                 {"Phone", ValueView::null()},
                                                 {"Fax", ValueView::of_text("1")}};
  EXPECT_EQ(differing(row, image, names, Unheard::Differs, 5).fields,
            (std::vector<std::string>{"Rank", "Fax"}));
  EXPECT_EQ(differing(row, image, names, Unheard::Differs, 1).fields.size(), 1U);
  EXPECT_EQ(differing(row, image, names, Unheard::Passes, 5).fields,
            std::vector<std::string>{"Rank"})
      << "events may never carry a fax";
  EXPECT_EQ(unheard(6'000, standing(5'000)), Unheard::Differs);
  EXPECT_EQ(unheard(5'900, standing(5'000)), Unheard::Passes);
}

TEST(Rules, AFormulasOldValueIsNoFieldThatAnEventMustHaveTold) {
  NameTable names;
  const std::vector<Member> image = {{names.intern("Score"), ValueView::integer(3)}};
  const auto of = [&](ValueView value, const char* field) {
    const std::vector<salesforce::RowField> row = {{field, value, true}};
    const auto difference = differing(row, image, names, Unheard::Passes, 5);
    EXPECT_TRUE(difference.fields.empty());
    return difference.derived;
  };
  EXPECT_TRUE(of(ValueView::integer(4), "Score"));
  EXPECT_FALSE(of(ValueView::integer(3), "Score"));
  EXPECT_TRUE(of(ValueView::integer(4), "Never heard of"));
  EXPECT_FALSE(of(ValueView::null(), "Never heard of"));
}

TEST(Rules, AnUpdateThatToldNotWhenIsNoLoss) {
  NameTable names;
  const std::vector<Member> image = {{names.intern("LastModifiedDate"), ValueView::integer(3)},
                                     {names.intern("LastModifiedById"), ValueView::of_text("a")},
                                     {names.intern("Name"), ValueView::of_text("Acme")}};
  std::vector<salesforce::RowField> row = {{"LastModifiedDate", ValueView::integer(4)},
                                           {"LastModifiedById", ValueView::of_text("b")},
                                           {"Name", ValueView::of_text("Acme")}};
  const auto known = differing(row, image, names, Unheard::Passes, 5);
  EXPECT_TRUE(known.fields.empty());
  EXPECT_TRUE(known.derived) << "readers see an old date";
  EXPECT_EQ(differing(row, image, names, Unheard::Differs, 5).fields.size(), 2U)
      << "it was saved since";
  row[2].value = ValueView::of_text("Corp");
  EXPECT_EQ(differing(row, image, names, Unheard::Passes, 5).fields,
            std::vector<std::string>{"Name"});
  row[2].value = ValueView::of_text("Acme");
  row[0].value = ValueView::integer(3);
  EXPECT_EQ(differing(row, image, names, Unheard::Passes, 5).fields,
            std::vector<std::string>{"LastModifiedById"})
      << "another change of that second was lost";
}

TEST(Rules, OnlyWhatStoodStillOnBothSidesIsProven) {
  const auto known = standing(5'000);
  auto moved = known;
  moved.rev = Rev{2};
  What what = What::Nothing;
  const auto verdict = [&](SecondLook look) { return judge(look, what); };
  const Sight alive{OrgRow{5'000, false}, 1}, later{OrgRow{9'000, false}, 2}, absent{{}, 2, known.rev};
  EXPECT_EQ(verdict({alive, alive, &known, &known, true, false}), Verdict::Proven);
  EXPECT_EQ(what, What::Stale);
  EXPECT_EQ(verdict({alive, alive, &known, &known, false, false}), Verdict::Right);
  EXPECT_EQ(verdict({alive, alive, &known, &moved, true, false}), Verdict::Moves);
  auto touched = known;  // by what made no entry
  touched.newest.commit_number = 7;
  EXPECT_EQ(verdict({alive, alive, &known, &touched, true, false}), Verdict::Moves);
  EXPECT_EQ(verdict({alive, later, &known, &known, true, false}), Verdict::Moves);
  const Sight binned{OrgRow{5'000, true}, 2};
  EXPECT_EQ(verdict({alive, binned, &known, &known, false, false}), Verdict::Moves)
      << "it went between the two looks";
  EXPECT_EQ(verdict({alive, absent, &known, &known, false, false}), Verdict::Moves);
  EXPECT_EQ(verdict({absent, absent, &known, &known, false, false}), Verdict::Proven);
  EXPECT_EQ(what, What::Gone);
  EXPECT_EQ(verdict({absent, absent, &moved, &moved, false, false}), Verdict::Moves)
      << "told of since the first look: it may have been there meanwhile";
  EXPECT_EQ(verdict({alive, alive, nullptr, nullptr, false, false}), Verdict::Proven);
  EXPECT_EQ(what, What::Missing);
  EXPECT_EQ(verdict({alive, alive, nullptr, &known, false, false}), Verdict::Right);
  EXPECT_EQ(verdict({alive, alive, &known, &known, true, true}), Verdict::Known);
  auto doubted = known;
  doubted.doubted = true;
  EXPECT_EQ(verdict({alive, alive, &known, &doubted, true, false}), Verdict::Known);
  EXPECT_EQ(verdict({later, later, &known, &known, false, false}), Verdict::Right)
      << "a newer stamp alone changes no field";
}

}  // namespace
}  // namespace headwater::audit
