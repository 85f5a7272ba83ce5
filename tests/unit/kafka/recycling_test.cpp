// What serves one message after the other: the memory of values, and sets of headers.
#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>

#include "connectors/kafka/header_pool.hpp"
#include "connectors/kafka/value_store.hpp"

namespace headwater::kafka {
namespace {

TEST(ValueStore, AValueStaysUntilItsLastHolderLetsGo) {
  ValueStore store;
  const auto first = store.keep("first");
  const auto second = store.keep("second");
  ValueStore::hold(*first.chunk);
  store.let_go(*first.chunk);
  store.let_go(*second.chunk);
  store.shrink();
  const auto third = store.keep(std::string(ValueStore::kChunkSize, 'x'));
  EXPECT_NE(third.chunk, first.chunk);
  EXPECT_EQ(first.text, "first");
  EXPECT_EQ(second.text, "second");
}

TEST(ValueStore, ChunksServeOneWriteAfterTheOther) {
  ValueStore store;
  const std::string text(ValueStore::kChunkSize / 3, 'x');
  std::size_t used = 0;
  for (int write = 0; write < 5; ++write) {
    std::vector<ValueStore::Value> kept;
    for (int i = 0; i < 10; ++i) kept.push_back(store.keep(text));
    for (const auto& value : kept) EXPECT_EQ(value.text, text);
    for (const auto& value : kept) store.let_go(*value.chunk);
    if (write == 0) used = store.chunks();
    EXPECT_EQ(store.chunks(), used);
  }
  EXPECT_EQ(used, 4U);
  store.shrink();
  EXPECT_EQ(store.chunks(), 0U);
}

TEST(ValueStore, AValueLargerThanAChunkGetsItsOwn) {
  ValueStore store;
  const std::string large(3 * ValueStore::kChunkSize, 'y');
  const auto small = store.keep("small");
  const auto value = store.keep(large);
  EXPECT_EQ(value.text, large);
  EXPECT_EQ(small.text, "small");
}

HeaderList list(const std::vector<std::pair<std::string_view, std::string_view>>& headers) {
  HeaderList out;
  for (const auto& [name, value] : headers) out.add(name, value);
  return out;
}

std::string text_of(const HeaderPool::Set& set) {
  std::string out;
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  for (std::size_t i = 0;
       rd_kafka_header_get_all(set.handle, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR;
       ++i) {
    out.append(name).append(1, '=').append(static_cast<const char*>(value), size).append(1, ' ');
  }
  return out;
}

TEST(HeaderPool, AReturnedSetCarriesTheNextMessagesValues) {
  HeaderPool pool;
  auto& shape = pool.shape(list({{"org", "emea"}, {"op", "u"}}));
  auto& set = pool.take(shape, list({{"rev", "10"}, {"id", "a"}}));
  EXPECT_EQ(text_of(set), "org=emea op=u rev=10 id=a ");
  const auto* handle = set.handle;
  pool.give_back(set);
  auto& again = pool.take(shape, list({{"rev", "11"}, {"id", "b"}}));
  EXPECT_EQ(text_of(again), "org=emea op=u rev=11 id=b ");
  EXPECT_EQ(again.handle, handle);
}

TEST(HeaderPool, AValueOfAnotherSizeIsNotWrittenOver) {
  HeaderPool pool;
  auto& shape = pool.shape(list({{"org", "emea"}}));
  pool.give_back(pool.take(shape, list({{"rev", "99"}, {"id", "a"}})));
  EXPECT_EQ(text_of(pool.take(shape, list({{"rev", "100"}, {"id", ""}}))), "org=emea rev=100 id= ");
}

TEST(HeaderPool, AShorterValueLeavesNothingOfTheOneBefore) {
  HeaderPool pool;
  auto& shape = pool.shape(list({{"org", "emea"}}));
  pool.give_back(pool.take(shape, list({{"rev", "100"}})));
  EXPECT_EQ(text_of(pool.take(shape, list({{"rev", "7"}}))), "org=emea rev=7 ");
}

TEST(HeaderPool, ShapesDoNotMix) {
  HeaderPool pool;
  auto& update = pool.shape(list({{"op", "u"}}));
  auto& remove = pool.shape(list({{"op", "d"}}));
  EXPECT_EQ(&pool.shape(list({{"op", "u"}})), &update);
  pool.give_back(pool.take(update, list({{"rev", "1"}})));
  EXPECT_EQ(text_of(pool.take(remove, list({{"rev", "2"}}))), "op=d rev=2 ");
  pool.shrink();
  EXPECT_EQ(text_of(pool.take(remove, list({{"rev", "3"}}))), "op=d rev=3 ");
  EXPECT_EQ(text_of(pool.take(update, list({{"rev", "4"}}))), "op=u rev=4 ");
}

}  // namespace
}  // namespace headwater::kafka
