#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "connectors/redis/sink.hpp"
#include "tests/support/entry_maker.hpp"
#include "tests/support/redis_server.hpp"

namespace headwater::redis {

using test::EntryMaker;
using test::EntrySpec;
using test::RedisServer;

inline const std::string kAcme = "emea:Account:0015f00002JUXA8AAP";
inline const std::string kBolt = "emea:Account:0015f00002JUXB9AAP";
inline const std::string kAnn = "emea:Contact:0035f00000ABCDeAAP";
inline const std::string kAnnKey = "crm:{" + kAnn + "}:rec";

/// A server, a sink on it, and a short way to write.
class RedisSinkTest : public ::testing::Test {
 protected:
  static RedisConfig config_of(const RedisServer& server) {
    RedisConfig config;
    config.endpoint = Endpoint::parse(server.url()).value();
    return config;
  }
  static Holder holder(std::string name = "machine:/state", std::string ledger = "LEDGER1") {
    return {std::move(ledger), std::move(name)};
  }
  static std::vector<Cursor> open(RedisSink& sink) {
    const std::array<std::string, 1> orgs{"emea"};
    auto cursors = sink.open(orgs);
    EXPECT_TRUE(cursors) << (cursors ? "" : cursors.error().message);
    return cursors ? *cursors : std::vector<Cursor>{};
  }
  /// Writes the entries; the cursor moves to the last one's rev.
  static Result<void> write(RedisSink& sink,
                            const std::vector<EntrySpec>& specs,
                            Mode mode = Mode::Follow) {
    EntryMaker maker;
    for (const auto& spec : specs) maker.add(spec);
    const CursorMove move{"emea", Rev(specs.back().rev), 1'700'000'000'000};
    return sink.write({maker.entries(), {&move, 1}, mode});
  }
  static void must(const Result<void>& result) {
    ASSERT_TRUE(result) << (result ? "" : result.error().message);
  }
  std::string cursor_rev() { return server_.run({"HGET", "crm:cursor:emea", "rev"}); }
  std::string members(const std::string& parent) {
    return server_.run({"ZRANGE", "crm:{" + parent + "}:rel:account", "0", "-1", "WITHSCORES"});
  }

  RedisServer server_;
};

}  // namespace headwater::redis
