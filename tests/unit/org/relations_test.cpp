#include "tests/org/relations.hpp"

#include <gtest/gtest.h>

#include "tests/org/soql.hpp"
#include "tests/unit/org/oracle.hpp"

namespace headwater::org {
namespace {

/// An account with two contacts, an invoice that looks it up, and a task on it.
class Relations : public ::testing::Test {
 protected:
  void SetUp() override {
    account = make("Account", {{"Name", "Acme"}});
    other = make("Account", {{"Name", "Acme Ltd"}});
    for (auto& id : contacts)
      id = make("Contact", {{"Name.LastName", "Lee"}, {"AccountId", account}});
    invoice = make("Invoice__c", {{"Account__c", account}});
    task = make("Task", {{"Subject", "Call"}, {"WhatId", account}});
    take();
  }
  const ObjectDef& def(std::string_view name) const { return catalog.get(name); }
  Dml dml(DmlOp op, std::string_view object, std::vector<std::string> ids) const {
    Dml out;
    out.op = op;
    out.object = &def(object);
    out.ids = std::move(ids);
    return out;
  }
  std::string make(std::string_view object,
                   const std::vector<std::pair<std::string, std::string>>& fields) {
    auto create = dml(DmlOp::Create, object, {store.new_id(def(object))});
    for (const auto& [name, value] : fields)
      create.fields.push_back({def(object).leaf(name), Value(value)});
    commit({create});
    return create.ids[0];
  }
  void commit(const std::vector<Dml>& statements) {
    const auto done = store.commit(statements, {});
    ASSERT_TRUE(done) << done.error().message;
  }
  /// What the bus said since the last call: `TYPE Object count` per event.
  std::vector<std::string> take() {
    std::vector<std::string> out;
    bus.read(cursor, nullptr, 1'000, [&](const BusEvent& event) {
      const auto told = oracle_decode(*catalog.find_schema(event.schema_id), event.payload);
      static constexpr std::array kTypes{"CREATE", "UPDATE", "DELETE", "UNDELETE"};
      const std::string type = kTypes.at(static_cast<std::size_t>(told.header.type));
      out.push_back(type + " " + told.header.entity + " " +
                    std::to_string(told.header.record_ids.size()));
      last = told.header;
      return true;
    });
    return out;
  }
  Value field(std::string_view object, const std::string& id, std::string_view name) {
    Value out;
    store.with(def(object), id, [&](const Record& record) {
      out = visible_value(def(object), record, def(object).leaf(name));
    });
    return out;
  }
  std::size_t rows(const std::string& soql, bool with_deleted) {
    const auto query = parse_query(catalog, soql);
    if (!query) return 999;
    std::size_t rows = 0;
    select(store, *query, with_deleted, [&](const Record&) { ++rows; });
    return rows;
  }
  using Lines = std::vector<std::string>;

  const Catalog catalog{Catalog::standard_table()};
  Bus bus{Millis(3'600'000)};
  Store store{catalog, bus, Millis(0), 1};
  Bus::Cursor cursor = 0;
  EventHeader last;
  std::string account, other, invoice, task;
  std::array<std::string, 2> contacts;
};

TEST_F(Relations, ADeleteTellsOfWhatGoesWithItAndNotOfClearedLookups) {
  auto gone = dml(DmlOp::Delete, "Account", {account});
  gone.related = true;
  commit({gone});
  EXPECT_EQ(take(), (Lines{"DELETE Account 1", "DELETE Contact 2", "DELETE Task 1"}));
  EXPECT_TRUE(is_null(field("Invoice__c", invoice, "Account__c")));
  EXPECT_TRUE(store.is_live(def("Invoice__c"), invoice));

  auto back = dml(DmlOp::Undelete, "Account", {account});
  back.related = true;
  commit({back});
  EXPECT_EQ(
      take(),
      (Lines{"UNDELETE Account 1", "UNDELETE Contact 1", "UNDELETE Contact 1", "UNDELETE Task 1"}));
  EXPECT_EQ(field("Contact", contacts[0], "AccountId"), Value(account));
}

TEST_F(Relations, AMergeIsADeleteAnUpdateAndMovedChildrenAndOnlyQueryAllNamesTheWinner) {
  auto merge = dml(DmlOp::Merge, "Account", {account});
  merge.into = other;
  commit({merge});
  EXPECT_EQ(take(),
            (Lines{"UPDATE Account 1",
                   "DELETE Account 1",
                   "UPDATE Contact 2",
                   "UPDATE Task 1",
                   "UPDATE Invoice__c 1"}));
  EXPECT_EQ(field("Contact", contacts[1], "AccountId"), Value(other));
  EXPECT_EQ(rows("SELECT Id FROM Account WHERE MasterRecordId = '" + other + "'", true), 1U);
  EXPECT_EQ(rows("SELECT Id FROM Account WHERE MasterRecordId = '" + other + "'", false), 0U);

  commit({dml(DmlOp::Undelete, "Account", {account})});
  EXPECT_TRUE(is_null(field("Account", account, "MasterRecordId")));
}

TEST_F(Relations, AMergeMayMoveChildrenWithoutAWord) {
  auto merge = dml(DmlOp::Merge, "Account", {account});
  merge.into = other;
  merge.children = ChildEvents::None;
  commit({merge});
  EXPECT_EQ(take(), (Lines{"UPDATE Account 1", "DELETE Account 1"}));
  EXPECT_EQ(field("Contact", contacts[1], "AccountId"), Value(other));
}

TEST_F(Relations, WhatCannotMergeIsRefusedWhole) {
  for (const auto& [loser, winner] : {std::pair(account, account), std::pair(contacts[0], other)}) {
    auto merge = dml(DmlOp::Merge, "Account", {loser});
    merge.into = winner;
    EXPECT_FALSE(store.commit({merge}, {}));
  }
  auto tasks = dml(DmlOp::Merge, "Task", {task});
  tasks.into = make("Task", {{"Subject", "Other"}});
  EXPECT_FALSE(store.commit({tasks}, {}));
  EXPECT_TRUE(store.is_live(def("Account"), account));
}

TEST_F(Relations, WhatLeavesTheBinIsGoneFromQueryAllWithoutAnEvent) {
  commit({dml(DmlOp::Delete, "Account", {account})});
  take();
  EXPECT_EQ(rows("SELECT Id FROM Account", true), 2U);
  commit({dml(DmlOp::Purge, "Account", {account})});
  EXPECT_EQ(rows("SELECT Id FROM Account", true), 1U);
  EXPECT_TRUE(take().empty());
  EXPECT_FALSE(store.commit({dml(DmlOp::Undelete, "Account", {account})}, {}));
}

TEST_F(Relations, AConversionMakesRecordsAndTheLeadListsNoLastModifiedDate) {
  const auto lead = make("Lead", {{"Name.LastName", "Kim"}, {"Company", "Kim & Co"}});
  const auto call = make("Task", {{"Subject", "Call"}, {"WhoId", lead}});
  take();
  const auto statements = convert_lead(store, lead, true);
  commit({statements[0], statements[1], statements[2], statements[3]});
  EXPECT_EQ(
      take(),
      (Lines{"CREATE Account 1", "CREATE Contact 1", "CREATE Opportunity 1", "UPDATE Lead 1"}));
  const auto with_date = last.changed;
  commit({dml(DmlOp::Update, "Lead", {lead})});
  take();
  EXPECT_NE(with_date, last.changed) << "an ordinary update lists LastModifiedDate";
  commit({statements[4]});
  EXPECT_EQ(take(), (Lines{"UPDATE Task 1"}));
  EXPECT_EQ(field("Task", call, "WhoId"), Value(statements[1].ids[0]));
}

TEST_F(Relations, APersonIsTwoRecordsThatMergeTogether) {
  const auto leaf = def("Account").leaf("PersonEmail");
  const auto name = def("Account").leaf("Name.LastName");
  std::array<std::vector<Dml>, 2> people;
  for (auto& person : people) {
    person = create_person(
        store, {{name, Value(std::string("Ito"))}, {leaf, Value(std::string("a@b.c"))}});
    commit(person);
  }
  EXPECT_EQ(take().size(), 4U);
  EXPECT_EQ(field("Contact", people[0][1].ids[0], "Email"), Value(std::string("a@b.c")));
  commit(update_person(store, people[0][0].ids[0], {{leaf, Value(std::string("d@e.f"))}}));
  EXPECT_EQ(take(), (Lines{"UPDATE Account 1", "UPDATE Contact 1"}));
  auto merge = dml(DmlOp::Merge, "Account", {people[1][0].ids[0]});
  merge.into = people[0][0].ids[0];
  commit({merge});
  EXPECT_EQ(field("Contact", people[1][1].ids[0], "MasterRecordId"), Value(people[0][1].ids[0]));
  merge.ids = {account};
  EXPECT_FALSE(store.commit({merge}, {})) << "a business does not merge into a person";
}

}  // namespace
}  // namespace headwater::org
