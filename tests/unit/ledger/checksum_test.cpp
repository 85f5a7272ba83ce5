// RocksDB's CRC-32C, which rocks_store.cpp computes by the processor's instruction.

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "daemon/ledger/store.hpp"

namespace rocksdb::crc32c {
// Not in RocksDB's public headers: the function that its log calls, and its own one by tables.
std::uint32_t Extend(std::uint32_t crc, const char* data, std::size_t size);
std::uint32_t by_tables(std::uint32_t crc, const char* data, std::size_t size) asm(
    "__real__ZN7rocksdb6crc32c6ExtendEjPKcm");
}  // namespace rocksdb::crc32c

namespace headwater::ledger {
namespace {

TEST(Checksum, IsTheOneOfTheStandard) {
  // Source: RFC 3720, appendix B.4, and the check value of the CRC catalogue.
  EXPECT_EQ(rocksdb::crc32c::Extend(0, "123456789", 9), 0xE3069283U);
  EXPECT_EQ(rocksdb::crc32c::Extend(0, std::string(32, '\0').data(), 32), 0x8A9136AAU);
}

TEST(Checksum, IsTheOneOfRocksDbsTables) {
  std::mt19937 random(3);
  for (int round = 0; round < 2000; ++round) {
    std::string bytes(random() % 300, ' ');
    for (char& c : bytes) c = static_cast<char>(random());
    const auto start = static_cast<std::uint32_t>(random());
    EXPECT_EQ(rocksdb::crc32c::Extend(start, bytes.data(), bytes.size()),
              rocksdb::crc32c::by_tables(start, bytes.data(), bytes.size()));
  }
}

}  // namespace
}  // namespace headwater::ledger
