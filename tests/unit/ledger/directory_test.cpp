#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "tests/support/temp_dir.hpp"
#include "tests/unit/ledger/fixture.hpp"

namespace headwater::ledger {
namespace {

class DirectoryTest : public ::testing::Test {
 protected:
  const test::TempDir root;
  const std::string directory = root.path() / "state";
  TestClock clock;
};

TEST_F(DirectoryTest, ASecondOneOnTheSameDirectoryIsRefusedWithThePidOfTheFirst) {
  auto first = Ledger::open(directory, {}, mapping_of(), clock);
  ASSERT_TRUE(first) << first.error().message;
  const auto second = Ledger::open(directory, {}, mapping_of(), clock);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, ErrorKind::Blocked);
  EXPECT_EQ(second.error().message,
            "ledger: " + directory + " is held by process " + std::to_string(::getpid()) +
                "; stop that one first");
  first->reset();
  EXPECT_TRUE(Ledger::open(directory, {}, mapping_of(), clock));
}

TEST_F(DirectoryTest, NothingMoreIsWrittenOnceTheDirectoryWasRemovedOrReplaced) {
  for (const bool replaced : {false, true}) {
    std::filesystem::remove_all(directory);
    auto ledger = Ledger::open(directory, {}, mapping_of(), clock);
    ASSERT_TRUE(ledger) << ledger.error().message;
    ASSERT_TRUE((*ledger)->trim());
    std::filesystem::rename(directory, directory + ".gone");
    if (replaced) std::filesystem::copy(directory + ".gone", directory);
    const auto trimmed = (*ledger)->trim();
    ASSERT_FALSE(trimmed);
    EXPECT_EQ(trimmed.error().kind, ErrorKind::Fatal);
    EXPECT_EQ(trimmed.error().message,
              "ledger: " + directory +
                  " was removed or replaced while we worked in it; put it back from a backup, or "
                  "start again: a new one is filled from the org");
    EXPECT_FALSE((*ledger)->save_position({"emea", "/data/ChangeEvents"}, ReplayId("abc")));
    std::filesystem::remove_all(directory + ".gone");
  }
}

TEST_F(DirectoryTest, OnlyItsOwnerMayLookInside) {
  ASSERT_TRUE(Ledger::open(directory, {}, mapping_of(), clock));
  struct stat facts {};
  ASSERT_EQ(::stat(directory.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0700U);
}

TEST_F(DirectoryTest, WhatWasWrittenIsThereAfterAReopen) {
  std::string id;
  {
    auto ledger = Ledger::open(directory, {}, mapping_of(), clock);
    ASSERT_TRUE(ledger);
    id = (*ledger)->id();
    ASSERT_TRUE((*ledger)->bind_org("emea", "00D5f000000AbCdEAK"));
    ASSERT_TRUE((*ledger)->save_position({"emea", "/data/ChangeEvents"}, ReplayId("abc")));
    ASSERT_TRUE((*ledger)->keep_schema("s1", "{}"));
  }
  auto ledger = Ledger::open(directory, {}, mapping_of(), clock);
  ASSERT_TRUE(ledger);
  EXPECT_EQ((*ledger)->id(), id);
  EXPECT_EQ((*ledger)->org_id("emea"), "00D5f000000AbCdEAK");
  EXPECT_EQ((*ledger)->position({"emea", "/data/ChangeEvents"})->replay_id, ReplayId("abc"));
  EXPECT_EQ((*ledger)->schema("s1"), "{}");
  EXPECT_EQ((*ledger)->schema("s2"), std::nullopt);
}

TEST_F(DirectoryTest, APositionThatCannotBeReadIsFatalAndNoNewStream) {
  for (const char* row : {"\x03"
                          "of a newer build",
                          "\x02\x7f"
                          "cut off"}) {
    const auto disk = std::make_shared<MemoryDisk>();
    ASSERT_TRUE(Ledger::open(open_memory_store(disk), {}, mapping_of(), clock));
    {
      const auto store = open_memory_store(disk);
      const auto batch = store->batch();
      batch->put(Family::Meta, "stream:emea:/data/ChangeEvents", row);
      ASSERT_TRUE(store->write(*batch, true));
    }
    const auto broken = Ledger::open(open_memory_store(disk), {}, mapping_of(), clock);
    ASSERT_FALSE(broken) << "the stream would start at the latest event";
    EXPECT_EQ(broken.error().kind, ErrorKind::Fatal);
    EXPECT_NE(broken.error().message.find("stream:emea:/data/ChangeEvents is damaged"),
              std::string::npos);
  }
}

TEST_F(DirectoryTest, AHoleThatCannotBeReadIsNotPassedOver) {
  const auto disk = std::make_shared<MemoryDisk>();
  ASSERT_TRUE(Ledger::open(open_memory_store(disk), {}, mapping_of(), clock));
  {
    const auto store = open_memory_store(disk);
    const auto batch = store->batch();
    batch->put(Family::Holes, "emea:o:Account", "\x7f of a newer build");
    ASSERT_TRUE(store->write(*batch, true));
  }
  const auto broken = Ledger::open(open_memory_store(disk), {}, mapping_of(), clock);
  ASSERT_FALSE(broken) << "it would be neither shown nor repaired";
  EXPECT_EQ(broken.error().kind, ErrorKind::Fatal);
  EXPECT_NE(broken.error().message.find("emea:o:Account is damaged"), std::string::npos);
}

TEST_F(DirectoryTest, ADamagedStoreIsFatalAndSaysWhere) {
  ASSERT_TRUE(Ledger::open(directory, {}, mapping_of(), clock));
  std::filesystem::resize_file(directory + "/ledger/CURRENT", 2);
  const auto broken = Ledger::open(directory, {}, mapping_of(), clock);
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().kind, ErrorKind::Fatal);
  EXPECT_NE(broken.error().message.find("open " + directory), std::string::npos);
}

}  // namespace
}  // namespace headwater::ledger
