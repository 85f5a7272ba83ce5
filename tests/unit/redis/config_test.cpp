#include "connectors/redis/config.hpp"

#include <gtest/gtest.h>

namespace headwater::redis {
namespace {

struct Parsed {
  RedisConfig config;
  std::string problems;
};

Parsed parse(const std::string& yaml) {
  config::Problems problems;
  auto node = config::Node::parse("h.yaml", yaml, problems);
  Parsed out{RedisConfig::parse(node), {}};
  node.finish();
  out.problems = problems.str();
  return out;
}

TEST(RedisConfig, DefaultsStandWhereNothingIsSaid) {
  const auto [config, problems] = parse("url: redis://127.0.0.1:6379/0\n");
  EXPECT_EQ(problems, "");
  EXPECT_EQ(config.prefix, "crm:");
  EXPECT_TRUE(config.feed);
  EXPECT_EQ(config.feed_maxlen, 100'000U);
  EXPECT_EQ(config.tombstone_ttl, Millis(96 * 3'600'000));
  EXPECT_EQ(config.claim_wait, Millis(30'000));
}

TEST(RedisConfig, UnknownKeyIsTold) {
  EXPECT_NE(parse("url: redis://localhost\nfeeed: true\n").problems.find("did you mean feed"),
            std::string::npos);
}

TEST(RedisConfig, PlainTextOverTheNetworkMustBeAskedFor) {
  EXPECT_EQ(parse("url: redis://10.0.0.7:6379\n").problems,
            "h.yaml:1:6: url: plain text to a host that is not this one; set insecure: true if the "
            "network between is trusted\n");
  EXPECT_EQ(parse("url: redis://10.0.0.7:6379\ninsecure: true\n").problems, "");
}

TEST(RedisConfig, PrefixMustNotHoldAHashTag) {
  EXPECT_NE(parse("prefix: '{a}:'\n").problems.find("must not contain { or }"), std::string::npos);
}

TEST(RedisEndpoint, TcpUrlInAllItsForms) {
  const auto full = Endpoint::parse("redis://app@db.example:7000/3");
  ASSERT_TRUE(full);
  EXPECT_EQ(full->host, "db.example");
  EXPECT_EQ(full->port, 7000);
  EXPECT_EQ(full->user, "app");
  EXPECT_EQ(full->database, 3);
  EXPECT_FALSE(full->loopback());

  const auto least = Endpoint::parse("redis://localhost");
  ASSERT_TRUE(least);
  EXPECT_EQ(least->str(), "localhost:6379");
  EXPECT_TRUE(least->loopback());

  const auto v6 = Endpoint::parse("redis://[::1]:6380/");
  ASSERT_TRUE(v6);
  EXPECT_EQ(v6->host, "::1");
  EXPECT_EQ(v6->port, 6380);
  EXPECT_EQ(v6->str(), "[::1]:6380");
}

TEST(RedisEndpoint, SocketUrlInBothSpellings) {
  for (const auto* url : {"unix:///run/redis.sock?db=2", "redis+unix:///run/redis.sock?db=2"}) {
    const auto endpoint = Endpoint::parse(url);
    ASSERT_TRUE(endpoint) << url;
    EXPECT_EQ(endpoint->socket, "/run/redis.sock");
    EXPECT_EQ(endpoint->database, 2);
    EXPECT_TRUE(endpoint->loopback());
  }
}

TEST(RedisEndpoint, TlsIsRefusedWithASentence) {
  const auto endpoint = Endpoint::parse("rediss://db.example:6379");
  ASSERT_FALSE(endpoint);
  EXPECT_EQ(endpoint.error().message,
            "rediss:// is not supported: this build's Redis client has no TLS; use a socket, or a "
            "TLS proxy such as stunnel on this host with redis://127.0.0.1");
}

TEST(RedisEndpoint, PasswordInTheUrlIsRefusedWithoutRepeatingIt) {
  const auto endpoint = Endpoint::parse("redis://app:hunter2@db.example");
  ASSERT_FALSE(endpoint);
  EXPECT_EQ(endpoint.error().message.find("hunter2"), std::string::npos);
  EXPECT_NE(endpoint.error().message.find("password_file"), std::string::npos);
}

TEST(RedisEndpoint, NonsenseIsRefused) {
  for (const auto* url : {"",
                          "http://x",
                          "redis://",
                          "redis://h:0",
                          "redis://h:70000",
                          "redis://h/x",
                          "redis://h/-1",
                          "redis://[::1",
                          "unix://relative",
                          "redis://h:12x"}) {
    EXPECT_FALSE(Endpoint::parse(url)) << url;
  }
}

}  // namespace
}  // namespace headwater::redis
