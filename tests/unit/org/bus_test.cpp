#include "tests/org/bus.hpp"

#include <gtest/gtest.h>

#include "tests/org/schema.hpp"

namespace headwater::org {
namespace {

struct BusTest : testing::Test {
  const Catalog catalog{Catalog::standard_table()};
  const ObjectDef* account = catalog.find("Account");
  const ObjectDef* contact = catalog.find("Contact");
  Bus bus{Millis(3'600'000)};

  void publish(const ObjectDef* object, std::string payload) {
    std::vector<NewEvent> events{{object, object->schema_id, std::move(payload)}};
    bus.publish(events);
  }
  /// Payloads from the cursor on, joined; the replay ids go to `ids`.
  std::string read(Bus::Cursor cursor, const ObjectDef* topic = nullptr, std::size_t limit = 100) {
    std::string out;
    ids.clear();
    bus.read(cursor, topic, limit, [&](const BusEvent& event) {
      out += event.payload;
      put_replay(ids.emplace_back(), event.replay);
      return true;
    });
    return out;
  }
  std::vector<std::string> ids;
};

TEST_F(BusTest, ReplayIdsAreTenBytesAndNotContiguous) {
  for (int i = 0; i < 200; ++i) publish(account, "a");
  read(0, nullptr, 200);
  ASSERT_EQ(ids.size(), 200U);
  EXPECT_EQ(ids.front().size(), 10U);
  const auto first = *parse_replay(ids.front());
  const auto last = *parse_replay(ids.back());
  EXPECT_GT(last - first, 199U);
}

TEST_F(BusTest, PositionIsStrictlyAfterItsEvent) {
  publish(account, "a");
  publish(account, "b");
  publish(account, "c");
  read(bus.earliest());
  const auto middle = bus.after(ids[1], nullptr);
  ASSERT_TRUE(middle.has_value());
  EXPECT_EQ(read(*middle), "c");
}

TEST_F(BusTest, TopicOfOneObjectSeesOnlyItsEventsAndItsPositions) {
  publish(account, "a");
  publish(contact, "b");
  publish(account, "c");
  EXPECT_EQ(read(0), "abc");
  const auto contact_id = ids[1];
  EXPECT_EQ(read(0, account), "ac");
  EXPECT_FALSE(bus.after(contact_id, account).has_value());
}

TEST_F(BusTest, IdThatWasNeverGivenIsUnknown) {
  publish(account, "a");
  read(0);
  std::string other;
  put_replay(other, *parse_replay(ids[0]) + 100'000);
  EXPECT_FALSE(bus.after(other, nullptr).has_value());
  EXPECT_FALSE(bus.after("short", nullptr).has_value());
  EXPECT_FALSE(bus.after("", nullptr).has_value());
}

TEST_F(BusTest, TipIsAPositionBeyondTheNewestEvent) {
  publish(account, "a");
  auto cursor = bus.latest();
  const auto tip = bus.tip(cursor, nullptr);
  ASSERT_TRUE(tip.has_value());
  EXPECT_EQ(bus.tip(cursor, nullptr), tip) << "the same until something is published";
  publish(account, "b");
  EXPECT_FALSE(bus.tip(cursor, nullptr).has_value()) << "there is an event to be read first";
  EXPECT_EQ(read(*bus.after(*tip, nullptr)), "b");
}

TEST_F(BusTest, DroppedEventsAndTheirIdsAreExpired) {
  publish(account, "a");
  read(0);
  const auto old = ids[0];
  bus.drop_all();
  publish(account, "b");
  EXPECT_FALSE(bus.after(old, nullptr).has_value());
  EXPECT_EQ(read(bus.earliest()), "b");
}

TEST_F(BusTest, RetentionDropsWhatIsOlder) {
  Bus brief{Millis(-1)};
  std::vector<NewEvent> events{{account, account->schema_id, "a"}};
  brief.publish(events);
  EXPECT_EQ(brief.earliest(), brief.latest());
}

TEST_F(BusTest, HeldEventsAppearAtOnceWhenReleased) {
  auto cursor = bus.latest();
  bus.hold();
  publish(account, "a");
  publish(account, "b");
  EXPECT_EQ(read(0), "");
  const auto tip = bus.tip(cursor, nullptr);
  bus.release();
  EXPECT_EQ(read(*bus.after(*tip, nullptr)), "ab");
}

}  // namespace
}  // namespace headwater::org
