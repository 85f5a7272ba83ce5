#include "connectors/salesforce/errors.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>

namespace headwater::salesforce {
namespace {

using testing::HasSubstr;

constexpr int kUnknown = 2, kInvalidArgument = 3, kNotFound = 5, kPermissionDenied = 7,
              kInternal = 13, kUnavailable = 14, kUnauthenticated = 16;

struct Row {
  const char* code;
  Recovery recovery;
  ErrorKind kind;
};

/// Salesforce's error table, row by row.
const Row kTable[] = {
    {"service.unavailable", Recovery::Retry, ErrorKind::Transient},
    {"service.auth.error", Recovery::Reauthenticate, ErrorKind::Transient},
    {"service.auth.headers.invalid", Recovery::Configuration, ErrorKind::Blocked},
    {"service.auth.refresh.invalid", Recovery::Reauthenticate, ErrorKind::Transient},
    {"service.protection.stream.limit.triggered", Recovery::Retry, ErrorKind::Transient},
    {"service.protection.triggered", Recovery::Retry, ErrorKind::Transient},
    {"service.tenant.license", Recovery::Configuration, ErrorKind::Blocked},
    {"concurrent.client.limit.exceeded", Recovery::Configuration, ErrorKind::Blocked},
    {"topic.not.found", Recovery::Configuration, ErrorKind::Blocked},
    {"topic.meta.permission", Recovery::Configuration, ErrorKind::Blocked},
    {"topic.api.unavailable", Recovery::Retry, ErrorKind::Transient},
    {"topic.validation.empty", Recovery::Bug, ErrorKind::Blocked},
    {"schema.meta.permission", Recovery::Configuration, ErrorKind::Blocked},
    {"schema.api.unavailable", Recovery::Retry, ErrorKind::Transient},
    {"schema.validation.failed", Recovery::Bug, ErrorKind::Blocked},
    {"subscription.fetch.replayid.corrupted", Recovery::ResetPosition, ErrorKind::Transient},
    {"subscription.fetch.replayid.validation.failed",
     Recovery::ResetPosition,
     ErrorKind::Transient},
    {"subscription.fetch.replay.repeated", Recovery::Retry, ErrorKind::Transient},
    {"subscription.limit.exceeded", Recovery::Quota, ErrorKind::Blocked},
    {"subscription.fetch.overflow", Recovery::Bug, ErrorKind::Blocked},
    {"subscription.fetch.requested.events.invalid", Recovery::Bug, ErrorKind::Blocked},
    {"subscription.fetch.topic.mismatch", Recovery::Bug, ErrorKind::Blocked},
    {"subscription.fetch.request.invalid", Recovery::Bug, ErrorKind::Blocked},
    {"subscription.topic.cannot.subscribe", Recovery::Configuration, ErrorKind::Blocked},
    {"subscription.internal.error", Recovery::Retry, ErrorKind::Transient},
    {"publish.stream.sweeper.timeout", Recovery::Retry, ErrorKind::Transient},
    {"publish.auth.refresh.invalid", Recovery::Bug, ErrorKind::Blocked},
    {"publish.event.count.invalid", Recovery::Bug, ErrorKind::Blocked},
    {"publish.topic.mismatch", Recovery::Bug, ErrorKind::Blocked},
    {"publish.topic.validation.empty", Recovery::Bug, ErrorKind::Blocked},
    {"managed.subscription.already.active", Recovery::Retry, ErrorKind::Transient},
    {"managed.subscription.config.stopped", Recovery::Configuration, ErrorKind::Blocked},
    {"managed.subscription.config.deleted", Recovery::Configuration, ErrorKind::Blocked},
    {"managed.subscription.developer.name.not.found", Recovery::Configuration, ErrorKind::Blocked},
    {"managed.subscription.subscription.id.not.found", Recovery::Configuration, ErrorKind::Blocked},
    {"managed.subscription.subscription.id.invalid", Recovery::Bug, ErrorKind::Blocked},
    {"managed.subscription.id.or.developer.name.empty", Recovery::Bug, ErrorKind::Blocked},
    {"managed.subscription.fetch.request.events.invalid", Recovery::Bug, ErrorKind::Blocked},
    {"managed.subscription.fetch.request.invalid", Recovery::Bug, ErrorKind::Blocked},
    {"managed.subscription.fetch.request.commit.request.restricted",
     Recovery::Bug,
     ErrorKind::Blocked},
    {"managed.subscription.fetch.request.auth.request.restricted",
     Recovery::Bug,
     ErrorKind::Blocked},
};

TEST(Classify, FollowsTheTableWhateverTheStatus) {
  for (const auto& row : kTable) {
    for (const int status :
         {kUnknown, kInvalidArgument, kInternal, kUnavailable, kUnauthenticated}) {
      const auto verdict = classify("sfdc.platform.eventbus.grpc." + std::string(row.code), status);
      EXPECT_EQ(verdict.recovery, row.recovery) << row.code;
      EXPECT_EQ(verdict.kind, row.kind) << row.code;
      EXPECT_FALSE(verdict.advice.empty()) << row.code;
    }
  }
}

TEST(Classify, KnowsACodeWithoutItsPrefix) {
  EXPECT_EQ(classify("topic.not.found", kUnknown).recovery, Recovery::Configuration);
}

TEST(Classify, WithoutACodeTheStatusDecides) {
  EXPECT_EQ(classify("", kUnavailable).recovery, Recovery::Retry);
  EXPECT_EQ(classify("", kInternal).recovery, Recovery::Retry);
  EXPECT_EQ(classify("", kUnauthenticated).recovery, Recovery::Reauthenticate);
  EXPECT_EQ(classify("", kPermissionDenied).recovery, Recovery::Configuration);
  EXPECT_EQ(classify("", kNotFound).recovery, Recovery::Configuration);
}

TEST(Classify, ABareInvalidArgumentNeverResetsThePosition) {
  EXPECT_EQ(classify("", kInvalidArgument).recovery, Recovery::Bug);
}

TEST(Classify, WhatNeedsAPersonIsNotTriedAtOnce) {
  EXPECT_EQ(classify("topic.not.found", kNotFound).pause, std::chrono::seconds{60});
  EXPECT_EQ(classify("subscription.limit.exceeded", kUnknown).pause, std::chrono::minutes{15});
  EXPECT_EQ(classify("service.unavailable", kInternal).pause, Millis{0});
}

TEST(Recovery, IsReadFromAnErrorsCode) {
  EXPECT_EQ(recovery(transient("", "subscription.fetch.replayid.corrupted")),
            Recovery::ResetPosition);
  EXPECT_EQ(recovery(blocked("", "subscription.limit.exceeded")), Recovery::Quota);
  EXPECT_EQ(recovery(transient("reset")), Recovery::Retry);
  EXPECT_EQ(recovery(blocked("no key")), Recovery::Configuration);
}

TEST(LeastPause, FollowsTheError) {
  EXPECT_EQ(least_pause(blocked("", "subscription.limit.exceeded")), std::chrono::minutes{15});
  EXPECT_EQ(least_pause(blocked("", "invalid_grant")), std::chrono::seconds{60});
  EXPECT_EQ(least_pause(transient("", "service.unavailable")), Millis{0});
}

TEST(RestError, ReadsTheArrayOfErrors) {
  const auto error = rest_error(
      "describe Account", 400, R"([{"message":"No such column 'X'","errorCode":"INVALID_FIELD"}])");
  EXPECT_EQ(error.kind, ErrorKind::Rejected);
  EXPECT_EQ(error.code, "INVALID_FIELD");
  EXPECT_EQ(
      error.message,
      "describe Account: HTTP 400 INVALID_FIELD: No such column 'X'; describing the object again");
}

TEST(RestError, SortsByStatusAndCode) {
  const auto kind = [](int status, const std::string& code) {
    return rest_error("read", status, R"([{"message":"m","errorCode":")" + code + "\"}]").kind;
  };
  EXPECT_EQ(kind(401, "INVALID_SESSION_ID"), ErrorKind::Transient);
  EXPECT_EQ(kind(403, "REQUEST_LIMIT_EXCEEDED"), ErrorKind::Blocked);
  EXPECT_EQ(kind(403, "API_DISABLED_FOR_ORG"), ErrorKind::Blocked);
  EXPECT_EQ(kind(404, "NOT_FOUND"), ErrorKind::Rejected);
  EXPECT_EQ(kind(420, ""), ErrorKind::Blocked);
  EXPECT_EQ(kind(429, ""), ErrorKind::Transient);
  EXPECT_EQ(kind(500, "UNKNOWN_EXCEPTION"), ErrorKind::Transient);
  EXPECT_EQ(kind(503, "SERVER_UNAVAILABLE"), ErrorKind::Transient);
}

TEST(RestError, ABodyThatIsNoJsonIsStillASentence) {
  const auto error = rest_error("read", 502, "<html>Bad\nGateway</html>");
  EXPECT_EQ(error.kind, ErrorKind::Transient);
  EXPECT_EQ(error.message, "read: HTTP 502 ; trying again");
}

TEST(RestError, ACodeIsShownAsCarefullyAsAMessage) {
  const auto error =
      rest_error("describe", 400, R"([{"errorCode":"A\nB)" + std::string(1'000, 'x') + "\"}]");
  EXPECT_TRUE(error.message.starts_with("describe: HTTP 400 A Bx")) << error.message;
  EXPECT_LT(error.message.size(), 200U);
}

TEST(LoginError, NamesTheRemedy) {
  const auto advice = [](const std::string& error, const std::string& description) {
    const auto told =
        login_error("log in to https://x",
                    400,
                    R"({"error":")" + error + R"(","error_description":")" + description + "\"}");
    EXPECT_EQ(told.kind, ErrorKind::Blocked) << error;
    EXPECT_EQ(told.code, error);
    return told.message;
  };
  EXPECT_THAT(advice("invalid_grant", "audience is invalid"), HasSubstr("set auth.audience"));
  EXPECT_THAT(advice("invalid_grant", "user hasn't approved this consumer"),
              HasSubstr("authorize the user for the app"));
  EXPECT_THAT(advice("invalid_grant", "expired access/refresh token"),
              HasSubstr("store a new refresh token"));
  EXPECT_THAT(advice("invalid_grant", "invalid assertion"), HasSubstr("certificate"));
  EXPECT_THAT(advice("invalid_grant", "user is locked"), HasSubstr("unlock"));
  EXPECT_THAT(advice("invalid_client_id", "client identifier invalid"),
              HasSubstr("auth.client_id"));
  EXPECT_THAT(advice("invalid_client", "invalid client credentials"), HasSubstr("client secret"));
}

TEST(LoginError, PassingTroubleIsTransient) {
  EXPECT_EQ(login_error("log in", 503, "").kind, ErrorKind::Transient);
  EXPECT_EQ(login_error("log in", 429, "").kind, ErrorKind::Transient);
  EXPECT_EQ(login_error("log in", 400, R"({"error":"rate_limit_exceeded"})").kind,
            ErrorKind::Transient);
}

TEST(Quoted, IsOneLineOfBoundedLength) {
  EXPECT_EQ(quoted("a\nb\x01"), "a b ");
  EXPECT_EQ(quoted("abcdef", 3), "abc…");
  EXPECT_EQ(quoted("ab\xc3\xa4", 3), "ab…");
}

}  // namespace
}  // namespace headwater::salesforce
