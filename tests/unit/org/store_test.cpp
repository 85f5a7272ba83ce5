#include "tests/org/store.hpp"

#include <gtest/gtest.h>

#include <set>

#include "tests/org/workload.hpp"
#include "tests/unit/org/oracle.hpp"

namespace headwater::org {
namespace {

/// A store whose events can be taken off its bus.
struct World {
  const Catalog catalog{Catalog::standard_table()};
  Bus bus{Millis(3'600'000)};
  Store store{catalog, bus, Millis(0), 1};
  Bus::Cursor cursor = 0;

  std::vector<OracleEvent> take() {
    std::vector<OracleEvent> out;
    bus.read(cursor, nullptr, 1'000'000, [&](const BusEvent& event) {
      const auto* object = catalog.find_schema(event.schema_id);
      out.push_back(oracle_decode(*object, event.payload));
      return true;
    });
    return out;
  }
  const ObjectDef& def(std::string_view name) const { return catalog.get(name); }
  std::string make(std::string_view object) {
    Draft draft(DmlOp::Create, def(object), {store.new_id(def(object))});
    EXPECT_TRUE(store.commit({draft}, {}).ok());
    return draft.id();
  }
};

TEST(Store, ItsEventsAloneGiveItsTruth) {
  // Life goes on for a while; a reader applies every event as Avro's own library reads it.
  World world;
  Workload life(world.store, 7);
  life.tell_all();
  for (int i = 0; i < 3'000; ++i) life.step();
  Replica replica;
  std::set<ChangeType> seen;
  std::size_t several = 0;
  std::size_t diffs = 0;
  for (const auto& event : world.take()) {
    seen.insert(event.header.type);
    several += event.header.record_ids.size() > 1 ? 1U : 0U;
    diffs += event.header.diff.empty() ? 0U : 1U;
    replica.apply(world.def(event.header.entity), event);
  }
  EXPECT_EQ(seen.size(), 4U) << "creates, updates, deletes and undeletes all happen";
  EXPECT_GT(several, 20U) << "events of several records happen";
  EXPECT_GT(diffs, 5U) << "long texts go out as diffs";
  // The reader holds the same live records with the same fields.
  std::size_t live = 0;
  for (const auto& object : world.catalog.objects()) {
    world.store.each(*object, false, [&](const Record& record) {
      ++live;
      const auto found = replica.rows().find(record.id);
      ASSERT_NE(found, replica.rows().end()) << record.id;
      EXPECT_FALSE(found->second.deleted);
      for (std::size_t i = 0; i < object->leaves.size(); ++i) {
        if (object->leaves[i].top < 0) continue;
        EXPECT_EQ(found->second.values[i], record.values[i])
            << object->name << " " << object->leaves[i].path;
      }
    });
  }
  std::size_t held = 0;
  for (const auto& [id, row] : replica.rows()) held += row.deleted ? 0U : 1U;
  EXPECT_EQ(held, live);
}

TEST(Store, SameSeedGivesTheSameRecords) {
  World first;
  World second;
  Workload one(first.store, 5);
  Workload two(second.store, 5);
  for (int i = 0; i < 300; ++i) {
    one.step();
    two.step();
  }
  const auto names = [](World& world) {
    std::vector<Value> out;
    world.store.each(world.def("Account"), true, [&](const Record& record) {
      out.emplace_back(record.id);
      out.push_back(record.values[world.def("Account").leaf("Name")]);
    });
    return out;
  };
  EXPECT_EQ(names(first), names(second));
}

TEST(Store, SeveralStatementsOnOneRecordGiveOneEventWithTheFinalData) {
  World world;
  const auto& lead = world.def("Lead");
  const auto id = world.store.new_id(lead);
  const auto done =
      world.store.commit({Draft(DmlOp::Create, lead, {id}).set("Company", std::string("first")),
                          Draft(DmlOp::Update, lead, {id})
                              .set("Company", std::string("last"))
                              .set("Title", std::string("CFO"))},
                         {});
  ASSERT_TRUE(done.ok());
  EXPECT_EQ(done->events, 1U);
  const auto events = world.take();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].header.type, ChangeType::Create);
  EXPECT_TRUE(events[0].header.changed.empty());
  EXPECT_EQ(events[0].values[lead.leaf("Company")], Value(std::string("last")));
}

TEST(Store, CreatedAndDeletedInOneTransactionNeverWas) {
  World world;
  const auto& lead = world.def("Lead");
  const auto id = world.store.new_id(lead);
  const auto done =
      world.store.commit({Draft(DmlOp::Create, lead, {id}), Draft(DmlOp::Delete, lead, {id})}, {});
  ASSERT_TRUE(done.ok());
  EXPECT_EQ(done->events, 0U);
  EXPECT_FALSE(world.store.is_live(lead, id));
}

TEST(Store, SameChangeOfSeveralRecordsIsOneEvent) {
  World world;
  const auto a = world.make("Contact");
  const auto b = world.make("Contact");
  world.take();
  ASSERT_TRUE(
      world.store
          .commit(
              {Draft(DmlOp::Update, world.def("Contact"), {a, b}).set("Title", std::string("CEO"))},
              {})
          .ok());
  const auto events = world.take();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].header.record_ids, (std::vector<std::string>{a, b}));
}

TEST(Store, EventsOfATransactionShareItsKeyAndCountFromOne) {
  World world;
  const auto& account = world.def("Account");
  const auto& contact = world.def("Contact");
  ASSERT_TRUE(world.store
                  .commit({Draft(DmlOp::Create, account, {world.store.new_id(account)}),
                           Draft(DmlOp::Create, contact, {world.store.new_id(contact)})},
                          {})
                  .ok());
  const auto events = world.take();
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0].header.transaction_key, events[1].header.transaction_key);
  EXPECT_EQ(events[0].header.commit_number, events[1].header.commit_number);
  EXPECT_EQ(events[0].header.sequence, 1);
  EXPECT_EQ(events[1].header.sequence, 2);
  EXPECT_EQ(events[0].header.commit_timestamp % 1000, 0);
}

TEST(Store, LastModifiedByIsListedOnlyWhenTheUserChanges) {
  World world;
  const auto& contact = world.def("Contact");
  const auto id = world.make("Contact");
  world.take();
  const Author other{"0055f0000000009AAA", ""};
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(
        world.store
            .commit({Draft(DmlOp::Update, contact, {id}).set("Title", std::to_string(i))}, other)
            .ok());
  }
  const auto events = world.take();
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0].values[contact.leaf("LastModifiedById")], Value(other.user));
  EXPECT_TRUE(is_null(events[1].values[contact.leaf("LastModifiedById")]));
}

TEST(Store, PlatformsOwnChangeMovesSystemModstampButNotLastModifiedDate) {
  World world;
  const auto& account = world.def("Account");
  const auto id = world.make("Account");
  world.take();
  ASSERT_TRUE(
      world.store
          .commit({Draft(DmlOp::Update, account, {id}).set("BillingLatitude", 1.5).silent()}, {})
          .ok());
  const auto events = world.take();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].header.changed.size(), 1U);
  EXPECT_EQ(events[0].header.changed[0].find("0x"), events[0].header.changed[0].find('-') + 1);
}

TEST(Store, RefusedTransactionChangesNothing) {
  World world;
  const auto& contact = world.def("Contact");
  const auto id = world.make("Contact");
  world.take();
  const auto done =
      world.store.commit({Draft(DmlOp::Update, contact, {id}).set("Title", std::string("x")),
                          Draft(DmlOp::Delete, contact, {"003000000000000AAA"})},
                         {});
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().message, "Contact 003000000000000AAA does not exist");
  EXPECT_TRUE(world.take().empty());
}

}  // namespace
}  // namespace headwater::org
