// Our reader of a FetchResponse against protobuf's.

#include "connectors/salesforce/fetch_response.hpp"

#include <gtest/gtest.h>

#include <random>

#include "pubsub_api.pb.h"

namespace headwater::salesforce {
namespace {

namespace bus = eventbus::v1;

std::string text(std::mt19937& random, std::size_t size_max) {
  std::string out(random() % (size_max + 1), ' ');
  for (char& c : out) c = static_cast<char>(random());
  return out;
}
std::string word(std::mt19937& random) { return std::string(random() % 40, 'a'); }

bus::FetchResponse some_response(std::mt19937& random) {
  bus::FetchResponse response;
  for (std::size_t i = random() % 5; i > 0; --i) {
    auto& consumed = *response.add_events();
    if (random() % 8 != 0) consumed.set_replay_id(text(random, 12));
    if (random() % 8 == 0) continue;
    auto& event = *consumed.mutable_event();
    event.set_id(word(random));
    event.set_schema_id(word(random));
    event.set_payload(text(random, 300));
    if (random() % 4 == 0) {
      auto& header = *event.add_headers();
      header.set_key(word(random));
      header.set_value(text(random, 20));
    }
  }
  if (random() % 2 == 0) response.set_latest_replay_id(text(random, 12));
  if (random() % 2 == 0) response.set_rpc_id(word(random));
  response.set_pending_num_requested(static_cast<std::int32_t>(random() % 300) - 100);
  return response;
}

void expect_same(const bus::FetchResponse& wanted, const Fetched& got) {
  ASSERT_EQ(got.events.size(), static_cast<std::size_t>(wanted.events_size()));
  EXPECT_EQ(got.latest_replay_id, wanted.latest_replay_id());
  EXPECT_EQ(got.pending, wanted.pending_num_requested());
  for (int i = 0; i < wanted.events_size(); ++i) {
    const auto& event = got.events[static_cast<std::size_t>(i)];
    EXPECT_EQ(event.replay_id, wanted.events(i).replay_id());
    EXPECT_EQ(event.uuid, wanted.events(i).event().id());
    EXPECT_EQ(event.schema_id, wanted.events(i).event().schema_id());
    EXPECT_EQ(event.payload, wanted.events(i).event().payload());
  }
}

TEST(FetchResponse, IsReadAsProtobufReadsIt) {
  std::mt19937 random(5);
  Fetched got;
  for (int round = 0; round < 2000; ++round) {
    const auto wanted = some_response(random);
    const std::string bytes = wanted.SerializeAsString();
    ASSERT_TRUE(read_fetch_response(bytes, got));
    expect_same(wanted, got);
  }
}

TEST(FetchResponse, FieldsOfANewerServerAreSkipped) {
  bus::FetchResponse wanted;
  wanted.add_events()->set_replay_id("0123456789");
  std::string bytes = wanted.SerializeAsString();
  bytes += std::string("\x78\x05", 2);                // 15: varint
  bytes += std::string("\x79\1\2\3\4\5\6\7\x08", 9);  // 15: fixed64
  bytes += std::string("\x7a\x03new", 5);             // 15: length
  bytes += std::string("\x7d\1\2\3\4", 5);            // 15: fixed32
  Fetched got;
  ASSERT_TRUE(read_fetch_response(bytes, got));
  expect_same(wanted, got);
}

TEST(FetchResponse, CutOrDamagedBytesAreRefusedAsByProtobuf) {
  std::mt19937 random(6);
  Fetched got;
  int refused = 0;
  for (int round = 0; round < 5000; ++round) {
    std::string bytes = some_response(random).SerializeAsString();
    if (bytes.empty()) continue;
    bytes.resize(random() % bytes.size());
    bus::FetchResponse parsed;
    const bool theirs = parsed.ParseFromString(bytes);
    ASSERT_EQ(read_fetch_response(bytes, got), theirs);
    if (theirs) expect_same(parsed, got);
    refused += theirs ? 0 : 1;
  }
  EXPECT_GT(refused, 1000);
}

TEST(FetchResponse, HostileBytesAreReadWithinTheirBounds) {
  std::mt19937 random(7);
  Fetched got;
  for (int round = 0; round < 20'000; ++round) {
    const std::string bytes = text(random, 60);
    if (!read_fetch_response(bytes, got)) continue;
    for (const auto& event : got.events) {
      EXPECT_LE(event.payload.size(), bytes.size());
    }
  }
}

}  // namespace
}  // namespace headwater::salesforce
