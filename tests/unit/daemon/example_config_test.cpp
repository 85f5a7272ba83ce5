// config/headwater.example.yaml against the code: it reads without a problem, has every key that
// the code asks for, and what it gives is the default. Keys that have no default are left out of
// the comparison.

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "connectors/kafka/config.hpp"
#include "connectors/postgres/config.hpp"
#include "connectors/redis/config.hpp"
#include "daemon/daemon_config.hpp"

namespace headwater {
namespace {

const std::string kExample = std::string(HEADWATER_SOURCE_DIR) + "/config/headwater.example.yaml";

class ExampleConfig : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = std::filesystem::temp_directory_path() / "headwater-example.XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    secrets_ = pattern;
    for (const char* name : {"emea.key", "postgres.password", "redis.password", "kafka.password"}) {
      std::ofstream(secrets_ / name) << "secret\n";
      chmod((secrets_ / name).c_str(), S_IRUSR | S_IWUSR);
    }
    setenv("CREDENTIALS_DIRECTORY", secrets_.c_str(), 1);
  }
  void TearDown() override {
    unsetenv("CREDENTIALS_DIRECTORY");
    std::filesystem::remove_all(secrets_);
  }
  config::Node root() { return config::Node::load(kExample, problems_); }

  std::filesystem::path secrets_;
  config::Problems problems_;
};

TEST_F(ExampleConfig, ReadsWithoutAProblem) {
  const auto config = DaemonConfig::load(kExample, problems_);
  EXPECT_EQ(problems_.str(), "");
  EXPECT_EQ(config.orgs.size(), 1U);
  EXPECT_EQ(config.sinks.size(), 3U);
}

TEST_F(ExampleConfig, HasEveryKeyThatTheCodeAsksFor) {
  config::Node node = root();
  DaemonConfig::parse(node);
  EXPECT_EQ(node.unanswered(), std::vector<std::string>{});
}

TEST_F(ExampleConfig, GivesTheDaemonsDefaults) {
  config::Node node = root();
  const auto given = DaemonConfig::parse(node);
  const DaemonConfig fresh;
  EXPECT_EQ(given.journal.journal_bytes_max, fresh.journal.journal_bytes_max);
  EXPECT_EQ(given.journal.journal_keep, fresh.journal.journal_keep);
  EXPECT_EQ(given.http_listen, fresh.http_listen);
  EXPECT_EQ(given.control_socket, given.state_dir + "/control.sock");
  EXPECT_EQ(given.log_level, fresh.log_level);
  EXPECT_EQ(given.stop_deadline, fresh.stop_deadline);
}

TEST_F(ExampleConfig, GivesTheOrgsDefaults) {
  config::Node node = root();
  const auto given = DaemonConfig::parse(node).orgs.at(0);
  const salesforce::OrgConfig fresh;
  EXPECT_EQ(given.login_url, fresh.login_url);
  EXPECT_EQ(given.insecure, fresh.insecure);
  EXPECT_EQ(given.api_version, fresh.api_version);
  EXPECT_EQ(given.http_timeout, fresh.http_timeout);
  EXPECT_EQ(given.auth.flow, fresh.auth.flow);
  EXPECT_EQ(given.auth.audience, "https://login.salesforce.com");
  EXPECT_EQ(given.auth.refresh_every, fresh.auth.refresh_every);
  EXPECT_EQ(given.pubsub.endpoint, fresh.pubsub.endpoint);
  EXPECT_EQ(given.pubsub.tls, fresh.pubsub.tls);
  EXPECT_EQ(given.pubsub.insecure, fresh.pubsub.insecure);
  EXPECT_EQ(given.pubsub.silence_max, fresh.pubsub.silence_max);
  EXPECT_EQ(given.pubsub.channel_settle, fresh.pubsub.channel_settle);
  EXPECT_EQ(given.streams.at(0).start, salesforce::StreamConfig{}.start);
  for (const auto& unset :
       {given.org_id, given.ca_file, given.pubsub.ca_file, given.region, given.currency})
    EXPECT_EQ(unset, "");
}

TEST_F(ExampleConfig, GivesPostgresDefaults) {
  config::Node node = root().child("sinks").child("postgres");
  const auto given = postgres::PostgresConfig::parse(node);
  const postgres::PostgresConfig fresh;
  EXPECT_EQ(given.schema, fresh.schema);
  EXPECT_EQ(given.entries_max, fresh.entries_max);
  EXPECT_EQ(given.bytes_max, fresh.bytes_max);
  EXPECT_EQ(given.fillfactor, fresh.fillfactor);
  EXPECT_EQ(given.connect_timeout, fresh.connect_timeout);
  EXPECT_EQ(given.statement_timeout, fresh.statement_timeout);
  EXPECT_EQ(given.lock_timeout, fresh.lock_timeout);
  EXPECT_EQ(given.claim_wait, fresh.claim_wait);
}

TEST_F(ExampleConfig, GivesRedisDefaults) {
  config::Node node = root().child("sinks").child("redis");
  const auto given = redis::RedisConfig::parse(node);
  const redis::RedisConfig fresh;
  EXPECT_EQ(given.endpoint.str(), "127.0.0.1:6379");
  EXPECT_EQ(given.insecure, fresh.insecure);
  EXPECT_EQ(given.prefix, fresh.prefix);
  EXPECT_EQ(given.feed, fresh.feed);
  EXPECT_EQ(given.feed_name, fresh.feed_name);
  EXPECT_EQ(given.feed_maxlen, fresh.feed_maxlen);
  EXPECT_EQ(given.entries_max, fresh.entries_max);
  EXPECT_EQ(given.bytes_max, fresh.bytes_max);
  EXPECT_EQ(given.timeout, fresh.timeout);
  EXPECT_EQ(given.claim_wait, fresh.claim_wait);
  EXPECT_EQ(given.tombstone_ttl, fresh.tombstone_ttl);
}

TEST_F(ExampleConfig, GivesKafkaDefaults) {
  config::Node node = root().child("sinks").child("kafka");
  const auto given = kafka::KafkaConfig::parse(node);
  const kafka::KafkaConfig fresh;
  EXPECT_EQ(given.topic_prefix, fresh.topic_prefix);
  EXPECT_EQ(given.transactions, fresh.transactions);
  EXPECT_EQ(given.partitions, fresh.partitions);
  EXPECT_EQ(given.replication, fresh.replication);
  EXPECT_EQ(given.entries_max, fresh.entries_max);
  EXPECT_EQ(given.bytes_max, fresh.bytes_max);
  EXPECT_EQ(given.timeout, fresh.timeout);
  EXPECT_EQ(given.claim_wait, fresh.claim_wait);
  EXPECT_TRUE(given.properties.empty());
}

}  // namespace
}  // namespace headwater
