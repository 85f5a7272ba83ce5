// What a log that was cut, or a sync that failed, leaves in the real store: the memory twin and the
// simulation do the same.

#include <errno.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "daemon/ledger/store.hpp"
#include "tests/support/temp_dir.hpp"

namespace {
std::atomic<bool> syncs_fail{false};
}

/// RocksDB's log is synced by this: here it can fail.
extern "C" int fdatasync(int fd) {
  if (!syncs_fail) return static_cast<int>(::syscall(SYS_fdatasync, fd));
  errno = EIO;
  return -1;
}

namespace headwater::ledger {
namespace {

namespace fs = std::filesystem;

class RocksLog : public ::testing::Test {
 protected:
  void SetUp() override {
    store = open(directory);
    ASSERT_NE(store, nullptr);
  }
  void TearDown() override { syncs_fail = false; }
  static std::unique_ptr<Store> open(const fs::path& directory) {
    auto opened = open_rocks_store(directory);
    EXPECT_TRUE(opened) << opened.error().message;
    return opened ? std::move(*opened) : nullptr;
  }
  /// Write `n`: a row in each of two families.
  Result<void> write(int n, bool sync) {
    auto batch = store->batch();
    batch->put(Family::Meta, std::to_string(n), std::string(100, 'm'));
    batch->put(Family::Journal, std::to_string(n), std::string(100, 'j'));
    return store->write(*batch, sync);
  }
  static bool has(Store& store, Family family, int n) {
    std::string value;
    const auto found = store.get(family, std::to_string(n), value);
    return found && *found;
  }
  /// The directory as it stands now, each log cut to `length`.
  std::unique_ptr<Store> open_cut(std::uintmax_t length) {
    const fs::path cut = root.path() / "cut";
    fs::remove_all(cut);
    fs::copy(directory, cut, fs::copy_options::recursive);
    for (const fs::path& log : logs(cut))
      fs::resize_file(log, std::min(length, fs::file_size(log)));
    return open(cut);
  }
  static std::vector<fs::path> logs(const fs::path& directory) {
    std::vector<fs::path> out;
    for (const auto& file : fs::directory_iterator(directory)) {
      if (file.path().extension() == ".log") out.push_back(file.path());
    }
    return out;
  }
  const test::TempDir root;
  const fs::path directory = root.path() / "store";
  std::unique_ptr<Store> store;
};

TEST_F(RocksLog, CutAnywhereItHoldsAPrefixOfWholeWrites) {
  constexpr int kWrites = 6;
  ASSERT_TRUE(write(0, true));
  for (int n = 1; n < kWrites; ++n) ASSERT_TRUE(write(n, false));
  ASSERT_EQ(logs(directory).size(), 1U);
  const auto size = fs::file_size(logs(directory)[0]);
  std::set<int> prefixes;
  for (std::uintmax_t length = size / kWrites; length <= size; length += 89) {
    const auto opened = open_cut(length);
    ASSERT_NE(opened, nullptr) << length;
    int held = 0;
    while (held < kWrites && has(*opened, Family::Meta, held)) ++held;
    for (int n = 0; n < kWrites; ++n) {
      EXPECT_EQ(has(*opened, Family::Meta, n), n < held) << length;
      EXPECT_EQ(has(*opened, Family::Journal, n), n < held) << length;
    }
    prefixes.insert(held);
  }
  EXPECT_GE(prefixes.size(), 5U);
}

TEST_F(RocksLog, WhatAnOpenFoundIsDurableWithoutTheLog) {
  ASSERT_TRUE(write(0, false));
  store.reset();
  store = open(directory);
  const auto opened = open_cut(0);
  ASSERT_NE(opened, nullptr);
  EXPECT_TRUE(has(*opened, Family::Meta, 0));
  EXPECT_TRUE(has(*opened, Family::Journal, 0));
}

TEST_F(RocksLog, AWriteWhoseSyncFailedIsRefusedAsAllAfterItAndTheNextOpenMayFindIt) {
  ASSERT_TRUE(write(0, true));
  ASSERT_TRUE(write(1, false));
  syncs_fail = true;
  EXPECT_FALSE(write(2, true));
  syncs_fail = false;
  EXPECT_FALSE(has(*store, Family::Meta, 2));
  EXPECT_FALSE(write(3, true));
  EXPECT_FALSE(write(4, false));
  store.reset();
  store = open(directory);
  ASSERT_NE(store, nullptr);
  EXPECT_TRUE(has(*store, Family::Meta, 1));
  // Its bytes had reached the file. Those of what was refused had not.
  EXPECT_TRUE(has(*store, Family::Meta, 2));
  EXPECT_TRUE(has(*store, Family::Journal, 2));
  EXPECT_FALSE(has(*store, Family::Meta, 3));
  EXPECT_FALSE(has(*store, Family::Meta, 4));
  EXPECT_TRUE(write(5, true));
}

}  // namespace
}  // namespace headwater::ledger
