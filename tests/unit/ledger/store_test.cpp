#include "daemon/ledger/store.hpp"

#include <gtest/gtest.h>

#include "daemon/ledger/memory_store.hpp"
#include "tests/support/temp_dir.hpp"

namespace headwater::ledger {
namespace {

/// One suite over both stores: what the ledger relies on.
class StoreContract : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override { open(); }
  void open() {
    store.reset();
    if (GetParam()) {
      auto opened = open_rocks_store(directory_.path());
      ASSERT_TRUE(opened) << opened.error().message;
      store = std::move(*opened);
    } else {
      store = open_memory_store(disk_);
    }
  }
  void put(Family family, std::string_view key, std::string_view value) {
    auto batch = store->batch();
    batch->put(family, key, value);
    ASSERT_TRUE(store->write(*batch, true));
  }
  std::string get(Family family, std::string_view key) {
    std::string value;
    const auto found = store->get(family, key, value);
    return found && *found ? value : "(none)";
  }
  std::string keys(Family family, std::string_view from) {
    std::string out;
    for (auto scan = store->scan(family, from); scan->valid(); scan->next()) {
      out.append(scan->key()).append("=").append(scan->value()).append(" ");
    }
    return out;
  }

 private:
  const test::TempDir directory_;
  std::shared_ptr<MemoryDisk> disk_ = std::make_shared<MemoryDisk>();

 protected:
  std::unique_ptr<Store> store;  // goes before its directory
};

TEST_P(StoreContract, ABatchIsThereAfterAReopenWithAllItsFamilies) {
  auto batch = store->batch();
  batch->put(Family::Records, "a", "1");
  batch->put(Family::Journal, "a", "2");
  batch->put(Family::Meta, "gone", "3");
  batch->erase(Family::Meta, "gone");
  ASSERT_TRUE(store->write(*batch, true));
  open();
  EXPECT_EQ(get(Family::Records, "a"), "1");
  EXPECT_EQ(get(Family::Journal, "a"), "2");
  EXPECT_EQ(get(Family::Holes, "a"), "(none)");
  EXPECT_EQ(get(Family::Meta, "gone"), "(none)");
}

TEST_P(StoreContract, AWriteWithoutASyncIsThereAfterAReopen) {
  auto batch = store->batch();
  batch->put(Family::Records, "a", "1");
  ASSERT_TRUE(store->write(*batch, false));
  open();
  EXPECT_EQ(get(Family::Records, "a"), "1");
}

TEST_P(StoreContract, AWrittenBatchIsEmptyAndCanBeUsedAgain) {
  auto batch = store->batch();
  batch->put(Family::Records, "a", "1");
  ASSERT_TRUE(store->write(*batch, true));
  put(Family::Records, "a", "2");
  ASSERT_TRUE(store->write(*batch, true));
  EXPECT_EQ(get(Family::Records, "a"), "2");
}

TEST_P(StoreContract, AScanGoesForwardFromAKeyInByteOrder) {
  for (const char* key : {"b", "a", "c\xff", "c"}) put(Family::Holes, key, "x");
  EXPECT_EQ(keys(Family::Holes, ""), "a=x b=x c=x c\xff=x ");
  EXPECT_EQ(keys(Family::Holes, "b"), "b=x c=x c\xff=x ");
}

TEST_P(StoreContract, ARangeIsErasedWithoutItsEnd) {
  for (const char* key : {"a", "b", "c"}) put(Family::Journal, key, "x");
  auto batch = store->batch();
  batch->erase_range(Family::Journal, "a", "c");
  ASSERT_TRUE(store->write(*batch, true));
  EXPECT_EQ(keys(Family::Journal, ""), "c=x ");
}

TEST_P(StoreContract, ManySortedKeysAreReadAtOnce) {
  auto batch = store->batch();
  std::vector<std::string> names;
  for (int i = 1000; i < 1500; ++i) {
    names.push_back(std::to_string(i));
    if (i % 2 == 0) batch->put(Family::Records, names.back(), "v" + names.back());
  }
  ASSERT_TRUE(store->write(*batch, true));
  const std::vector<std::string_view> keys(names.begin(), names.end());
  std::vector<Found> found;
  ASSERT_TRUE(store->get_sorted(Family::Records, keys, found));
  for (std::size_t i = 0; i < keys.size(); ++i) {
    EXPECT_EQ(found[i].found, i % 2 == 0);
    if (found[i].found) {
      EXPECT_EQ(found[i].value, "v" + names[i]);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(, StoreContract, ::testing::Bool(), [](const auto& suite) {
  return suite.param ? "Rocks" : "Memory";
});

/// The memory store over a disk whose end is told.
class MemoryStore : public ::testing::Test {
 protected:
  Result<void> put(std::string_view key, bool sync) {
    auto batch = store->batch();
    batch->put(Family::Meta, key, "x");
    return store->write(*batch, sync);
  }
  std::string keys() {
    std::string out;
    for (auto scan = store->scan(Family::Meta, ""); scan->valid(); scan->next())
      out.append(scan->key());
    return out;
  }
  std::shared_ptr<MemoryDisk> disk = std::make_shared<MemoryDisk>();
  std::unique_ptr<Store> store = open_memory_store(disk);
};

TEST_F(MemoryStore, ACrashKeepsWhatWasSyncedAndAPrefixOfTheRest) {
  ASSERT_TRUE(put("a", true));
  for (const char* key : {"b", "c", "d"}) ASSERT_TRUE(put(key, false));
  EXPECT_EQ(disk->unsynced(), 3U);
  EXPECT_EQ(keys(), "abcd");
  disk->crash(2);
  EXPECT_EQ(keys(), "abc");
  disk->crash();
  EXPECT_EQ(keys(), "abc");
  ASSERT_TRUE(put("e", false));
  ASSERT_TRUE(put("f", true));
  disk->crash();
  EXPECT_EQ(keys(), "abcef");
}

TEST_F(MemoryStore, ATornWriteLeavesNothing) {
  disk->tear_write(1);
  EXPECT_FALSE(put("a", true));
  EXPECT_FALSE(put("b", true));
  store = open_memory_store(disk);
  EXPECT_EQ(keys(), "");
  EXPECT_TRUE(put("c", true));
}

TEST_F(MemoryStore, AFailedWriteThatReachedTheDiskIsFoundByTheNextOpen) {
  ASSERT_TRUE(put("a", false));
  disk->tear_write(1, true);
  EXPECT_FALSE(put("b", true));
  EXPECT_FALSE(put("c", true));
  EXPECT_EQ(keys(), "a");
  // By then a crash may have cut it off.
  store = open_memory_store(disk->copy(1));
  EXPECT_EQ(keys(), "a");
  store = open_memory_store(disk);
  EXPECT_EQ(keys(), "ab");
  // What an open showed is durable.
  disk->crash();
  EXPECT_EQ(keys(), "ab");
}

}  // namespace
}  // namespace headwater::ledger
