#include "daemon/verify/compare.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/verify/truth.hpp"
#include "daemon/verify/verifier.hpp"
#include "schemas/crm/expression.hpp"

namespace headwater::verify {
namespace {

using testing::HasSubstr;
using testing::Not;

const std::string kSections =
    R"("fields":{"name":"Ann","updated_at":"2026-01-01T00:00:00.000Z"},"extra":{},"raw":{},"refs":{"owner":"emea:User:005000000000001AAA"})";
const std::string kDocument =
    R"({"key":"emea:Account:001000000000001AAA","org":"emea","entity":"account",)" + kSections +
    R"(,"meta":{"rev":42,"deleted":false,"complete":true}})";

std::string with(std::string text, const std::string& from, const std::string& to) {
  return text.replace(text.find(from), from.size(), to);
}

TEST(Compare, ReadsARecordsHeadAndMetaAndLeavesItsBytesAlone) {
  const auto record = read_record(kDocument);
  ASSERT_TRUE(record);
  EXPECT_EQ(record->rkey, "emea:Account:001000000000001AAA");
  EXPECT_EQ(record->entity, "account");
  EXPECT_EQ(record->rev.value, 42u);
  EXPECT_TRUE(record->complete);
  EXPECT_FALSE(record->deleted);
  EXPECT_EQ(sections_of(record->document), kSections);
  EXPECT_FALSE(read_record("{}"));
  EXPECT_FALSE(read_record("nonsense"));
}

TEST(Compare, NamesTheMemberAndItsValuesOnlyIfAskedTo) {
  const auto other = with(kSections, "Ann", "Bob");
  EXPECT_EQ(document_difference(kSections, kSections, false, {}), "");
  EXPECT_EQ(document_difference(kSections, other, false, {}), "fields.name differs");
  EXPECT_EQ(document_difference(kSections, other, false, {.values = true}),
            R"(fields.name: should be "Ann", is "Bob")");
  const auto less = with(kSections, R"("name":"Ann",)", "");
  EXPECT_THAT(document_difference(kSections, less, false, {}), HasSubstr("is nothing"));
  EXPECT_THAT(document_difference(less, kSections, false, {}), HasSubstr("should be nothing"));
  EXPECT_THAT(document_difference(less, kSections, false, {}), Not(HasSubstr("Ann")));
}

TEST(Compare, AMappedFieldWhoseSourceTheOrgHasNoLongerIsNoDifference) {
  crm::EntityMapping entity;
  const auto field = [&](const char* name, const char* expr) {
    entity.fields.emplace_back();
    entity.fields.back().name = name;
    std::vector<crm::ExpressionProblem> problems;
    entity.fields.back().expr =
        std::make_shared<const crm::Expression>(crm::Expression::parse(expr, problems));
    ASSERT_TRUE(problems.empty()) << expr;
  };
  field("name", "Name");
  field("tier", "coalesce(Tier__c, Name)");
  field("city", "BillingAddress.City");
  field("address", "BillingAddress");
  field("parent_id", "ParentId");
  entity.fields.back().type = crm::FieldType::Ref;
  field("record_type", "RecordType");
  salesforce::ObjectDescription described;
  for (const char* path : {"Name", "BillingAddress.Street", "RecordTypeId"})
    described.fields.push_back({path, path, "string", {}, {}, false});
  const Retired retired = retired_members(entity, described);
  EXPECT_EQ(retired,
            (Retired{"fields.city",
                     "fields.parent_id",
                     "fields.tier",
                     "raw.BillingAddress.City",
                     "raw.ParentId",
                     "raw.Tier__c",
                     "refs.parent"}));

  const std::string want = R"("fields":{"name":"A","tier":null},"extra":{},"raw":{},"refs":{})";
  const std::string have =
      R"("fields":{"name":"A","tier":"GOLD"},"extra":{},"raw":{"Tier__c":"gold"},"refs":{"parent":"emea:Account:001"})";
  EXPECT_EQ(document_difference(want, have, true, {}, &retired), "");
  EXPECT_EQ(document_difference(want, have, true, {}), "fields.tier differs");
  EXPECT_EQ(document_difference(want, with(have, R"("A")", R"("B")"), true, {}, &retired),
            "fields.name differs");
}

TEST(Compare, ALaterUpdateThanTheOrgTellsIsNoDifferenceButAnEarlierOneIs) {
  const auto later = with(kSections, "2026-01-01T00", "2026-01-01T05");
  EXPECT_EQ(document_difference(kSections, later, true, {}), "");
  EXPECT_NE(document_difference(kSections, later, false, {}), "");
  EXPECT_NE(document_difference(later, kSections, true, {}), "");
}

TEST(Compare, AValueOfAFieldThatTheOrgHasNoLongerIsNoDifference) {
  const std::string want = R"("fields":{"name":"A"},"extra":{"New__c":null},"raw":{},"refs":{})";
  const std::string have =
      R"("fields":{"name":"A"},"extra":{"New__c":null,"Old__c":"x"},"raw":{},"refs":{})";
  EXPECT_EQ(document_difference(want, have, true, {}), "");
  EXPECT_NE(document_difference(want, have, false, {}), "") << "a sink must hold it";
  const auto other = with(have, R"("New__c":null)", R"("New__c":"y")");
  EXPECT_EQ(document_difference(want, other, true, {}), "extra.New__c differs");
  // A lookup and its relation.
  const auto linked = [](std::string text, const std::string& ref) {
    return with(with(std::move(text), R"("extra":{)", R"("extra":{"Of__c":"001",)"),
                R"("refs":{})",
                R"("refs":{)" + ref + "}");
  };
  EXPECT_EQ(document_difference(want, linked(want, R"("Of":"emea:Account:001")"), true, {}), "");
  EXPECT_NE(
      document_difference(linked(want, ""), linked(want, R"("Of":"emea:Account:001")"), true, {}),
      "")
      << "the org shows the lookup";
}

TEST(Compare, ARowIsComparedByColumnsAndEdges) {
  const auto record = *read_record(kDocument);
  Held held;
  held.shape = Held::Shape::Row;
  held.text =
      R"({"row":{"name":"Ann","updated_at":"2026-01-01T00:00:00+00:00","extra":{},"raw":{}},)"
      R"("edges":{"owner":"emea:User:005000000000001AAA"}})";
  EXPECT_EQ(held_difference(record, held, {}), "");
  auto other = held;
  other.text = with(held.text, "Ann", "Bob");
  EXPECT_EQ(held_difference(record, other, {}), "name differs");
  other.text = with(held.text, "owner", "parent");
  EXPECT_THAT(held_difference(record, other, {}), HasSubstr("edge owner"));
}

TEST(Compare, ANumberIsTheSameHoweverManyDigitsPostgresWritesIt) {
  const auto difference = [](const std::string& want, const std::string& have) {
    const auto record =
        *read_record(with(with(kDocument, R"("name":)", R"("revenue":)" + want + R"(,"name":)"),
                          R"("extra":{)",
                          R"("extra":{"N__c":)" + want));
    Held held;
    held.shape = Held::Shape::Row;
    held.text = R"({"row":{"name":"Ann","updated_at":"2026-01-01T00:00:00+00:00","revenue":)" +
                have + R"(,"extra":{"N__c":)" + have +
                R"(},"raw":{}},"edges":{"owner":"emea:User:005000000000001AAA"}})";
    return held_difference(record, held, {});
  };
  const std::string most = "17976931348623157" + std::string(292, '0');
  EXPECT_EQ(difference("1.7976931348623157e+308", most), "");
  EXPECT_EQ(difference("-1.7976931348623157e+308", "-" + most), "");
  EXPECT_EQ(
      difference("2.2250738585072014e-308", "0." + std::string(307, '0') + "22250738585072014"),
      "");
  EXPECT_EQ(difference("0.1", "0.10"), "");
  EXPECT_EQ(difference("100000000000000000", "1e17"), "");
  // What is another number stays one.
  EXPECT_EQ(difference("1.79769313486231e+308", most), "revenue differs");
  EXPECT_EQ(difference("9007199254740993", "9007199254740992"), "revenue differs");
  EXPECT_EQ(difference("0.1", "0.11"), "revenue differs");
}

TEST(Compare, DigitsInATextAreNoNumber) {
  const auto record = *read_record(with(kDocument, "Ann", R"(1.10 \"2.50)"));
  Held held;
  held.shape = Held::Shape::Row;
  const std::string row =
      R"({"row":{"name":"1.10 \"2.50","updated_at":"2026-01-01T00:00:00+00:00","extra":{},"raw":{}},)"
      R"("edges":{"owner":"emea:User:005000000000001AAA"}})";
  held.text = row;
  EXPECT_EQ(held_difference(record, held, {}), "");
  held.text = with(row, "1.10", "1.1");
  EXPECT_EQ(held_difference(record, held, {}), "name differs");
  held.text = with(row, "2.50", "2.5");
  EXPECT_EQ(held_difference(record, held, {}), "name differs");
}

TEST(Compare, AFieldThatLostItsColumnIsComparedWhereFieldsWithoutOneStand) {
  const auto record = *read_record(kDocument);
  Held held;
  held.shape = Held::Shape::Row;
  held.text =
      R"({"row":{"x_name":null,"fields":{"name":"Ann"},"updated_at":"2026-01-01T00:00:00+00:00",)"
      R"("extra":{},"raw":{}},"edges":{"owner":"emea:User:005000000000001AAA"}})";
  EXPECT_EQ(held_difference(record, held, {}), "");
  held.text = with(held.text, "Ann", "Bob");
  EXPECT_EQ(held_difference(record, held, {}), "name differs");
}

/// kDocument as a row of a table has it, one list beside.
std::string row_with(const std::string& list, const std::string& value) {
  return R"({"row":{"name":"Ann","updated_at":"2026-01-01T00:00:00+00:00","extra":{},"raw":{},")" +
         list + "\":" + value + R"(},"edges":{"owner":"emea:User:005000000000001AAA"}})";
}

TEST(Compare, ViolationsAreComparedInEveryShape) {
  const std::string list = R"([{"field":"name","rule":"transform_error"}])";
  const std::string document =
      with(kDocument, R"("complete":true)", R"("complete":true,"violations":)" + list);
  const auto record = *read_record(document);
  EXPECT_EQ(sections_of(document), kSections + ",\"violations\":" + list);
  EXPECT_EQ(sections_of(document + R"(,"changed":[],"violations":[])"), sections_of(document));
  EXPECT_EQ(sections_of(kDocument + R"(,"changed":[],"violations":[])"), kSections);
  EXPECT_EQ(document_difference(sections_of(document), kSections, true, {}),
            "violations: should be another value, is nothing");
  EXPECT_EQ(document_difference(kSections, sections_of(document), true, {}),
            "violations: should be nothing, is another value");
  Held held;
  held.text = document;
  EXPECT_EQ(held_difference(record, held, {}), "");
  held.text = kDocument;
  EXPECT_NE(held_difference(record, held, {}), "");
  held.shape = Held::Shape::Row;
  held.text = row_with("violations", list);
  EXPECT_EQ(held_difference(record, held, {}), "");
  EXPECT_NE(held_difference(*read_record(kDocument), held, {}), "");
  held.text = row_with("violations", "null");
  EXPECT_NE(held_difference(record, held, {}), "");
  EXPECT_EQ(held_difference(*read_record(kDocument), held, {}), "");
}

TEST(Compare, RetiredFieldsAreComparedInEveryShapeButNotWithTheOrg) {
  const std::string list = R"(["Tier__c"])";
  const std::string violations = R"("violations":[{"field":"name","rule":"transform_error"}])";
  const auto with_list = [&](const std::string& before) {
    return with(
        kDocument, R"("complete":true)", R"("complete":true)" + before + ",\"retired\":" + list);
  };
  const std::string document = with_list("");
  EXPECT_EQ(sections_of(document), kSections + ",\"retired\":" + list);
  EXPECT_EQ(sections_of(with_list("," + violations)),
            kSections + "," + violations + ",\"retired\":" + list);
  EXPECT_EQ(sections_of(kDocument + R"(,"changed":[],"retired":[])"), kSections);
  EXPECT_EQ(document_difference(sections_of(document), kSections, false, {}),
            "retired: should be another value, is nothing");
  EXPECT_EQ(document_difference(kSections, sections_of(document), true, {}), "")
      << "the org may show the field again since";
  const auto record = *read_record(document);
  Held held;
  held.text = document;
  EXPECT_EQ(held_difference(record, held, {}), "");
  held.text = kDocument;
  EXPECT_EQ(held_difference(record, held, {}), "retired: should be another value, is nothing");
  held.shape = Held::Shape::Row;
  held.text = row_with("retired", list);
  EXPECT_EQ(held_difference(record, held, {}), "");
  EXPECT_EQ(held_difference(*read_record(kDocument), held, {}),
            "retired: should be nothing, is another value");
  held.text = row_with("retired", "null");
  EXPECT_NE(held_difference(record, held, {}), "");
  EXPECT_EQ(held_difference(*read_record(kDocument), held, {}), "");
}

TEST(Compare, ARelationSetThatLacksTheRecordIsADifference) {
  const auto record = *read_record(kDocument);
  Held held;
  held.text = kDocument;
  EXPECT_EQ(held_difference(record, held, {}), "");
  held.relations_missing = 2;
  EXPECT_THAT(held_difference(record, held, {}), HasSubstr("2 of its relation sets"));
}

TEST(Compare, ARevTellsBehindFromLostAndFromGoneBack) {
  EXPECT_EQ(rev_difference(5, 5, 5), "");
  EXPECT_THAT(rev_difference(4, 5, 4), HasSubstr("behind"));
  EXPECT_THAT(rev_difference(4, 5, 5), HasSubstr("ahead of its data"));
  EXPECT_THAT(rev_difference(6, 5, 6), HasSubstr("the ledger went back"));
}

}  // namespace
}  // namespace headwater::verify
