#include "connectors/kafka/config.hpp"

#include <gtest/gtest.h>

namespace headwater::kafka {
namespace {

KafkaConfig parse(const std::string& yaml, std::string& problems) {
  config::Problems list;
  auto root = config::Node::parse("h.yaml", yaml, list);
  const auto out = KafkaConfig::parse(root);
  root.finish();
  problems = list.str();
  return out;
}

TEST(KafkaConfig, OnlyTheBrokersAreRequired) {
  std::string problems;
  const auto config = parse("brokers: 'a:9092,b:9092'\n", problems);
  EXPECT_EQ(problems, "");
  EXPECT_EQ(config.brokers, "a:9092,b:9092");
  EXPECT_EQ(config.topic_prefix, "crm.");
  EXPECT_FALSE(config.transactions);
  EXPECT_EQ(config.partitions, 6);
  EXPECT_EQ(config.replication, 0);
}

TEST(KafkaConfig, PropertiesAreTriedOnLibrdkafka) {
  std::string problems;
  const auto config =
      parse("brokers: a\nproperties: {linger.ms: 2, sasl.mechanism: PLAIN}\n", problems);
  EXPECT_EQ(problems, "");
  EXPECT_EQ(config.properties.at("linger.ms"), "2");
}

TEST(KafkaConfig, AnUnknownPropertyOrAWrongValueIsAProblem) {
  std::string problems;
  parse("brokers: a\nproperties:\n  linger.mss: 2\n  linger.ms: soon\n", problems);
  EXPECT_NE(problems.find("h.yaml:3:"), std::string::npos) << problems;
  EXPECT_NE(problems.find("No such configuration property: \"linger.mss\""), std::string::npos)
      << problems;
  EXPECT_NE(problems.find("h.yaml:4:"), std::string::npos) << problems;
}

TEST(KafkaConfig, WhatOurPromiseRestsOnCannotBeChanged) {
  std::string problems;
  parse("brokers: a\nproperties: {acks: 1}\n", problems);
  EXPECT_NE(problems.find("is set by Headwater and cannot be changed"), std::string::npos)
      << problems;
}

TEST(KafkaConfig, TheSizeOfMessagesIsOursToSay) {
  std::string problems;
  EXPECT_EQ(parse("brokers: a\nmessage_bytes_max: 2MiB\n", problems).message_bytes_max, 2U << 20);
  EXPECT_EQ(problems, "");
  parse("brokers: a\nmessage_bytes_max: 1KiB\n", problems);
  EXPECT_NE(problems.find("message_bytes_max: must be from 16KiB to 512MiB"), std::string::npos)
      << problems;
  parse("brokers: a\nproperties: {message.max.bytes: 1000000}\n", problems);
  EXPECT_NE(problems.find("is set by sinks.kafka.message_bytes_max"), std::string::npos)
      << problems;
}

TEST(KafkaConfig, WhatMayBeSentCanBeReadBack) {
  KafkaConfig config;
  EXPECT_GE(answer_bytes_max(config), 100'000'000U) << "librdkafka's own";
  constexpr std::size_t kFetchBytesMax = 52'428'800;  // librdkafka's default of fetch.max.bytes
  config.message_bytes_max = std::size_t{512} << 20;
  EXPECT_GE(answer_bytes_max(config), config.message_bytes_max + kFetchBytesMax + 512);
  EXPECT_LE(answer_bytes_max(config), 2'147'483'647U) << "the most that librdkafka takes";
  std::string problems;
  parse("brokers: a\nproperties: {receive.message.max.bytes: 1000000}\n", problems);
  EXPECT_NE(problems.find("is set by Headwater and cannot be changed"), std::string::npos)
      << problems;
}

TEST(KafkaConfig, ATopicPrefixMustBeATopicName) {
  std::string problems;
  parse("brokers: a\ntopic_prefix: 'crm/'\n", problems);
  EXPECT_NE(problems.find("topic_prefix: may hold letters, digits"), std::string::npos) << problems;
}

}  // namespace
}  // namespace headwater::kafka
