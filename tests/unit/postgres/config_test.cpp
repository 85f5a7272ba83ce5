#include "connectors/postgres/config.hpp"

#include <gtest/gtest.h>

namespace headwater::postgres {
namespace {

struct Parsed {
  PostgresConfig config;
  std::string problems;
};

Parsed parse(const std::string& yaml) {
  config::Problems problems;
  auto root = config::Node::parse("headwater.yaml", "postgres:\n" + yaml, problems);
  auto node = root.child("postgres");
  Parsed out{PostgresConfig::parse(node), {}};
  root.finish();
  out.problems = problems.str();
  return out;
}

TEST(PostgresConfig, AUrlIsEnough) {
  const auto [config, problems] =
      parse("  url: postgresql://writer@db.example:5433/crm?sslmode=verify-full\n");
  EXPECT_EQ(problems, "");
  EXPECT_EQ(config.schema, "crm");
  EXPECT_EQ(config.entries_max, 1'000U);
  EXPECT_EQ(config.claim_wait, Millis{30'000});
}

TEST(PostgresConfig, AllProblemsComeAtOnce) {
  const auto [config, problems] = parse(
      "  url: postgresql://writer:hunter2@db/crm\n  schema: a-b\n  entries_max: 0\n  lock_timeout: "
      "0s\n  fillfactor: 5\n");
  EXPECT_EQ(problems.find("hunter2"), std::string::npos);
  EXPECT_NE(problems.find("headwater.yaml:2:8: postgres.url: must not hold a password; put it in a "
                          "file and name it in "
                          "password_file"),
            std::string::npos)
      << problems;
  EXPECT_NE(
      problems.find(
          "postgres.schema: must be a letter or _, then letters, digits and _, at most 63 in all"),
      std::string::npos)
      << problems;
  EXPECT_NE(problems.find("postgres.entries_max: must be between 1 and 10000, got 0"),
            std::string::npos)
      << problems;
  EXPECT_NE(problems.find("postgres.lock_timeout: must be longer than 0"), std::string::npos)
      << problems;
  EXPECT_NE(problems.find("postgres.fillfactor: must be between 10 and 100, got 5"),
            std::string::npos)
      << problems;
}

TEST(PostgresConfig, PlainTextOverTheNetworkMustBeAskedFor) {
  const std::string refusal = "may go in plain text to a host that is not this one";
  for (const std::string url : {"postgresql://u@db.example/crm",
                                "postgresql://u@db.example/crm?sslmode=prefer",
                                "postgresql://u@127.0.0.1,db.example/crm",
                                "'host=localhost hostaddr=10.0.0.7'"}) {
    EXPECT_NE(parse("  url: " + url + "\n").problems.find(refusal), std::string::npos) << url;
    const auto asked = parse("  url: " + url + "\n  insecure: true\n");
    EXPECT_EQ(asked.problems, "");
    EXPECT_TRUE(asked.config.plain_text);
  }
  for (const std::string url : {"postgresql://u@db.example/crm?sslmode=require",
                                "postgresql://u@127.0.0.1:5433/crm",
                                "postgresql://u@[::1]/crm",
                                "postgresql:///crm?host=/run/postgresql",
                                "postgresql:///crm"}) {
    EXPECT_EQ(parse("  url: " + url + "\n").problems, "") << url;
  }
}

TEST(PostgresConfig, WhatLibpqCannotReadIsAProblem) {
  EXPECT_NE(parse("  url: 'host=db nonsense=1'\n")
                .problems.find("is not a libpq connection string or URI"),
            std::string::npos);
}

}  // namespace
}  // namespace headwater::postgres
