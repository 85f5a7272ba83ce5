#include "connectors/redis/errors.hpp"

#include <gtest/gtest.h>

namespace headwater::redis {
namespace {

ErrorKind kind(std::string_view reply) { return classify("h:1", "headwater_put", reply).kind; }

TEST(RedisClassify, WhatPassesByItselfIsTransient) {
  for (const auto* reply : {"OOM command not allowed when used memory > 'maxmemory'.",
                            "LOADING Redis is loading the dataset in memory",
                            "READONLY You can't write against a read only replica.",
                            "CLUSTERDOWN Hash slot not served",
                            "BUSY Redis is busy running a script.",
                            "MISCONF Redis is configured to save RDB snapshots",
                            "MASTERDOWN Link with MASTER is down",
                            "ERR Function not found",
                            "ERR max number of clients reached",
                            "SOMETHING new"}) {
    EXPECT_EQ(kind(reply), ErrorKind::Transient) << reply;
  }
  EXPECT_EQ(connection_error("h:1", "send", "Connection refused").kind, ErrorKind::Transient);
}

TEST(RedisClassify, WhatNeedsAPersonIsBlocked) {
  for (const auto* reply : {"NOAUTH Authentication required.",
                            "WRONGPASS invalid username-password pair or user is disabled.",
                            "NOPERM this user has no permissions to run the 'fcall' command",
                            "MOVED 3999 127.0.0.1:6381",
                            "CROSSSLOT Keys in request don't hash to the same slot",
                            "ERR DB index is out of range",
                            "ERR unknown command 'FCALL', with args beginning with: 'a'"}) {
    EXPECT_EQ(kind(reply), ErrorKind::Blocked) << reply;
  }
}

TEST(RedisClassify, AKeyOfAnotherTypeIsRejected) {
  EXPECT_EQ(kind("WRONGTYPE Operation against a key holding the wrong kind of value"),
            ErrorKind::Rejected);
}

TEST(RedisClassify, AFenceIsFatalAndAServerThatWentBackIsNot) {
  EXPECT_EQ(kind("FENCED epoch 3 holder m:/b"), ErrorKind::Fatal);
  const auto back = classify("h:1", "headwater_cursor", "CURSOR epoch 0 rev 0");
  EXPECT_EQ(back.kind, ErrorKind::Transient);
  EXPECT_EQ(back.code, "CURSOR");
  EXPECT_EQ(back.message,
            "redis h:1: headwater_cursor: CURSOR epoch 0 rev 0; the server went back (flushed, "
            "restored or failed over), or one that we have fenced wrote late: reopening at its "
            "cursor");
}

TEST(RedisClassify, ArgumentsThatRedisRepeatsAreCutOff) {
  const auto error = classify(
      "h:1", "FCALL", "ERR unknown command 'FCALL', with args beginning with: 'ann@acme.example' ");
  EXPECT_EQ(error.message.find("acme"), std::string::npos);
}

TEST(RedisClassify, WhateverTheServerSaysIsOneLineOfUtf8) {
  const auto error = classify("h:1", "FCALL", "BAD\x01\xff\n" + std::string(500, 'x'));
  EXPECT_TRUE(error.message.starts_with("redis h:1: FCALL: BAD \xEF\xBF\xBD x"));
  EXPECT_LT(error.message.size(), 300U);
  EXPECT_LT(error.code.size(), 60U);
}

}  // namespace
}  // namespace headwater::redis
