#include "tests/org/loss.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json.hpp>
#include <sstream>

#include "tests/org/workload.hpp"

namespace headwater::org {
namespace {

struct World {
  const Catalog catalog{Catalog::standard_table()};
  Bus bus{Millis(3'600'000)};
  Store store{catalog, bus, Millis(0), 1};
  const ObjectDef& lead = catalog.get("Lead");

  std::string make() {
    Draft draft(DmlOp::Create, lead, {store.new_id(lead)});
    EXPECT_TRUE(store.commit({draft}, {}).ok());
    return draft.id();
  }
  void update(const std::string& id, std::string_view field, const std::string& text) {
    EXPECT_TRUE(store.commit({Draft(DmlOp::Update, lead, {id}).set(field, text)}, {}).ok());
  }
  std::vector<boost::json::object> lost() const {
    std::vector<boost::json::object> out;
    std::istringstream lines(store_loss());
    for (std::string line; std::getline(lines, line);)
      out.push_back(boost::json::parse(line).as_object());
    return out;
  }
  std::string store_loss() const { return const_cast<Store&>(store).loss().lines(); }
};

TEST(SilentLoss, WhatIsNotPublishedIsListedAndNothingElse) {
  World world;
  world.store.loss().set(0.1, 7);
  std::size_t made = 0;
  for (int i = 0; i < 1'000; ++i) {
    world.make();
    ++made;
  }
  const auto lost = world.lost();
  EXPECT_EQ(world.bus.published() + lost.size(), made);
  EXPECT_GT(lost.size(), 70U);
  EXPECT_LT(lost.size(), 130U);
  EXPECT_EQ(lost.front().at("change_type"), "CREATE");
  EXPECT_EQ(lost.front().at("seen_after"), false);
  // The records are there all the same.
  EXPECT_EQ(world.store.live_count(world.lead), made);
}

TEST(SilentLoss, OneSeedLosesTheSameEvents) {
  const auto ids = [](std::uint64_t seed) {
    World world;
    world.store.loss().set(0.2, seed);
    for (int i = 0; i < 100; ++i) world.make();
    std::vector<std::string> out;
    for (const auto& line : world.lost()) out.emplace_back(line.at("id").as_string());
    return out;
  };
  EXPECT_EQ(ids(3), ids(3));
  EXPECT_NE(ids(3), ids(4));
}

TEST(SilentLoss, AnUpdateLeavesNoTraceOnceAllItsFieldsWereToldAgain) {
  World world;
  const auto hidden = world.make();
  const auto shown = world.make();
  world.store.loss().set(1, 1);
  world.update(hidden, "Title", "CFO");
  world.update(shown, "Title", "CFO");
  world.store.loss().set(0, 1);
  // The one is overwritten; of the other another field changes, and the lost one stays unknown.
  world.update(hidden, "Title", "CEO");
  world.update(shown, "Company", "Acme");
  const auto lost = world.lost();
  ASSERT_EQ(lost.size(), 2U);
  EXPECT_EQ(lost[0].at("told"), true);
  EXPECT_EQ(lost[1].at("told"), false);
  EXPECT_EQ(lost[1].at("seen_after"), true);
}

TEST(SilentLoss, AnUpdateThatChangedNothingLeavesNoTrace) {
  World world;
  world.store.loss().set(1, 1);
  EventHeader header;
  header.type = ChangeType::Update;
  header.record_ids = {"00Q5f0000000001AAA"};
  const LeafSet nothing(world.lead.leaves.size());
  EXPECT_TRUE(world.store.loss().takes(world.lead, header, nothing));
  ASSERT_EQ(world.lost().size(), 1U);
  EXPECT_EQ(world.lost().front().at("told"), true);
}

TEST(SilentLoss, WhatALostDeletionClearsIsListedBesideIt) {
  World world;
  const auto& account = world.catalog.get("Account");
  const auto parent = world.store.new_id(account), child = world.store.new_id(account);
  Draft is(DmlOp::Create, account, {parent}), refers(DmlOp::Create, account, {child});
  refers.set("ParentId", parent);
  ASSERT_TRUE(world.store.commit({is, refers}, {}).ok());
  world.store.loss().set(1, 1);
  Draft gone(DmlOp::Delete, account, {parent});
  ASSERT_TRUE(world.store.commit({gone.related(ChildEvents::Usual)}, {}).ok());
  const auto lost = world.lost();
  ASSERT_EQ(lost.size(), 2U);
  EXPECT_EQ(lost[0].at("change_type"), "DELETE");
  EXPECT_EQ(lost[1].at("change_type"), "SILENT");
  EXPECT_EQ(std::string(lost[1].at("id").as_string()), child);
}

}  // namespace
}  // namespace headwater::org
