#include "connectors/salesforce/errors.hpp"

#include <fmt/format.h>

#include <array>
#include <boost/json.hpp>
#include <chrono>
#include <utility>

#include "schemas/core/json_members.hpp"
#include "schemas/core/shown.hpp"

namespace headwater::salesforce {
namespace {

using namespace std::chrono_literals;
namespace json = boost::json;

constexpr std::string_view kPrefix = "sfdc.platform.eventbus.grpc.";

// The values of grpc::StatusCode, without including gRPC for five numbers.
constexpr int kInvalidArgument = 3, kNotFound = 5, kPermissionDenied = 7, kUnimplemented = 12,
              kUnauthenticated = 16;

struct Row {
  std::string_view code;
  Recovery recovery;
  std::string_view advice;
};

constexpr std::string_view kOurBug = "this is a fault of Headwater: report it with this line";
constexpr std::string_view kManaged = "managed subscriptions are not used by Headwater";

/// Source: Pub/Sub API guide, "Handle Errors".
constexpr std::array kRows = {
    Row{"service.unavailable",
        Recovery::Retry,
        "Salesforce's event bus is down; subscribing again"},
    Row{"service.auth.error", Recovery::Reauthenticate, "logging in again"},
    Row{"service.auth.headers.invalid",
        Recovery::Configuration,
        "check login_url and pubsub.endpoint: they must belong to the same org"},
    Row{"service.auth.refresh.invalid", Recovery::Reauthenticate, "logging in again"},
    Row{"service.protection.stream.limit.triggered", Recovery::Retry, "asking less often"},
    Row{"service.protection.triggered",
        Recovery::Retry,
        "too many connections to the org; waiting"},
    Row{"service.tenant.license",
        Recovery::Configuration,
        "the org has no licence for the Pub/Sub API: ask Salesforce"},
    Row{"concurrent.client.limit.exceeded",
        Recovery::Configuration,
        "too many clients are subscribed to this org: stop some"},
    Row{"topic.not.found",
        Recovery::Configuration,
        "check the topic's name (case matters) and that Change Data Capture is switched on for it "
        "in "
        "Setup"},
    Row{"topic.meta.permission",
        Recovery::Configuration,
        "give the integration user View All Data, or View All on the topic's objects"},
    Row{"topic.api.unavailable", Recovery::Retry, "subscribing again"},
    Row{"topic.validation.empty", Recovery::Bug, kOurBug},
    Row{"schema.meta.permission",
        Recovery::Configuration,
        "give the integration user access to the topic's objects"},
    Row{"schema.api.unavailable", Recovery::Retry, "asking again"},
    Row{"schema.validation.failed", Recovery::Bug, kOurBug},
    Row{"subscription.fetch.replayid.corrupted",
        Recovery::ResetPosition,
        "the stored position is older than 72 hours or of another org: starting at the earliest "
        "event"},
    Row{"subscription.fetch.replayid.validation.failed",
        Recovery::ResetPosition,
        "the stored position was not accepted: starting at the earliest event"},
    Row{"subscription.fetch.replay.repeated", Recovery::Retry, "subscribing again"},
    Row{"subscription.limit.exceeded",
        Recovery::Quota,
        "the org's event deliveries of the last 24 hours are used up; events stay retained for 72 "
        "hours"},
    Row{"subscription.fetch.overflow", Recovery::Bug, kOurBug},
    Row{"subscription.fetch.requested.events.invalid", Recovery::Bug, kOurBug},
    Row{"subscription.fetch.topic.mismatch", Recovery::Bug, kOurBug},
    Row{"subscription.fetch.request.invalid", Recovery::Bug, kOurBug},
    Row{"subscription.topic.cannot.subscribe",
        Recovery::Configuration,
        "give the integration user View All Data, or View All on the topic's objects"},
    Row{"subscription.internal.error", Recovery::Retry, "subscribing again"},
    Row{"publish.stream.sweeper.timeout", Recovery::Retry, "asking again"},
    Row{"publish.auth.refresh.invalid", Recovery::Bug, kOurBug},
    Row{"publish.event.count.invalid", Recovery::Bug, kOurBug},
    Row{"publish.topic.mismatch", Recovery::Bug, kOurBug},
    Row{"publish.topic.validation.empty", Recovery::Bug, kOurBug},
    Row{"managed.subscription.already.active", Recovery::Retry, "subscribing again"},
    Row{"managed.subscription.config.stopped", Recovery::Configuration, kManaged},
    Row{"managed.subscription.config.deleted", Recovery::Configuration, kManaged},
    Row{"managed.subscription.developer.name.not.found", Recovery::Configuration, kManaged},
    Row{"managed.subscription.subscription.id.not.found", Recovery::Configuration, kManaged},
    Row{"managed.subscription.subscription.id.invalid", Recovery::Bug, kManaged},
    Row{"managed.subscription.id.or.developer.name.empty", Recovery::Bug, kManaged},
    Row{"managed.subscription.fetch.request.events.invalid", Recovery::Bug, kManaged},
    Row{"managed.subscription.fetch.request.invalid", Recovery::Bug, kManaged},
    Row{"managed.subscription.fetch.request.commit.request.restricted", Recovery::Bug, kManaged},
    Row{"managed.subscription.fetch.request.auth.request.restricted", Recovery::Bug, kManaged},
};

Verdict verdict(Recovery recovery, std::string_view advice) {
  switch (recovery) {
    case Recovery::Retry:
    case Recovery::Reauthenticate:
    case Recovery::ResetPosition:
      return {recovery, ErrorKind::Transient, Millis{0}, advice};
    case Recovery::Configuration:
    case Recovery::Bug:
      return {recovery, ErrorKind::Blocked, 60s, advice};
    case Recovery::Quota:
      return {recovery, ErrorKind::Blocked, 15min, advice};
  }
  return {};
}

Verdict by_status(int status) {
  switch (status) {
    case kUnauthenticated:
      return verdict(Recovery::Reauthenticate, "logging in again");
    case kPermissionDenied:
      return verdict(Recovery::Configuration, "check the integration user's permissions");
    case kNotFound:
      return verdict(Recovery::Configuration, "check the topic's name");
    case kUnimplemented:
      return verdict(Recovery::Configuration, "pubsub.endpoint does not serve the Pub/Sub API");
    // Not a lost position, even if it may be one: replaying for a mistyped request would never end.
    case kInvalidArgument:
      return verdict(Recovery::Bug, kOurBug);
    default:
      return verdict(Recovery::Retry, "trying again");
  }
}

/// Longest code that a peer's answer names; codes are a few words.
constexpr std::size_t kCodeBytesMax = 80;

/// What a person does about a refused login. Source: Salesforce Help, "OAuth 2.0 flow errors".
std::string_view login_advice(std::string_view error, std::string_view description) {
  const auto says = [&](std::string_view words) {
    return description.find(words) != std::string_view::npos;
  };
  if (error == "invalid_grant") {
    if (says("udience"))
      return "set auth.audience to https://login.salesforce.com, or https://test.salesforce.com "
             "for a "
             "sandbox";
    if (says("approved")) return "authorize the user for the app, by its permission set or profile";
    if (says("expired access/refresh token"))
      return "authorize again and store a new refresh token";
    if (says("assertion") || says("expired"))
      return "check this machine's clock, auth.username and that the app holds the certificate of "
             "auth.private_key_file";
    if (says("locked") || says("inactive")) return "unlock or activate the user in Salesforce";
    return "check auth.username, the user's state and the app's policies";
  }
  if (error.starts_with("invalid_client"))
    return "check auth.client_id and the client secret or key";
  if (error == "invalid_app_access") return "allow the user to use the app, in the app's policies";
  if (error == "inactive_org") return "the org is locked or inactive: ask Salesforce";
  if (error == "unsupported_grant_type") return "switch the flow on in the app, or choose another";
  return "check login_url and auth";
}

bool has(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

}  // namespace

std::string_view without_prefix(std::string_view error_code) {
  if (error_code.starts_with(kPrefix)) error_code.remove_prefix(kPrefix.size());
  return error_code;
}

Verdict classify(std::string_view error_code, int grpc_status) {
  const auto code = without_prefix(error_code);
  for (const auto& row : kRows)
    if (row.code == code) return verdict(row.recovery, row.advice);
  return by_status(grpc_status);
}

Recovery recovery(const Error& error) {
  for (const auto& row : kRows)
    if (row.code == error.code) return row.recovery;
  return error.kind == ErrorKind::Transient ? Recovery::Retry : Recovery::Configuration;
}

Millis least_pause(const Error& error) { return verdict(recovery(error), {}).pause; }

Error rest_error(std::string_view doing, int status, std::string_view body) {
  std::string code, message;
  boost::system::error_code failed;
  const auto value = json::parse(body, failed);
  if (!failed && value.is_array() && !value.get_array().empty() &&
      value.get_array()[0].is_object()) {
    const auto& first = value.get_array()[0].get_object();
    code = quoted(text_of(first, "errorCode"), kCodeBytesMax);
    message = text_of(first, "message");
  }
  const auto what = fmt::format(
      "{}: HTTP {} {}{}{}", doing, status, code, message.empty() ? "" : ": ", quoted(message));
  const auto with = [&](ErrorKind kind, std::string_view advice) {
    return Error{kind, fmt::format("{}; {}", what, advice), code};
  };
  if (status >= 500 || status == 429) return with(ErrorKind::Transient, "trying again");
  if (status == 401) return with(ErrorKind::Transient, "logging in again");
  if (status == 403) {
    // The same code for too many requests at once, which passes within seconds.
    if (code == "REQUEST_LIMIT_EXCEEDED" && has(message, "Concurrent"))
      return with(ErrorKind::Transient, "too many requests at once; trying again");
    if (code == "REQUEST_LIMIT_EXCEEDED")
      return with(ErrorKind::Blocked, "the org's API requests of the last 24 hours are used up");
    if (code == "API_DISABLED_FOR_ORG" || code == "API_CURRENTLY_DISABLED")
      return with(ErrorKind::Blocked, "switch on API access for the org and the integration user");
    return with(ErrorKind::Blocked, "give the integration user the missing permission");
  }
  if (status == 420)
    return with(ErrorKind::Blocked, "no route to this org's host: check login_url, ask Salesforce");
  if (code == "INVALID_FIELD") return with(ErrorKind::Rejected, "describing the object again");
  if (code == "INVALID_TYPE")
    return with(ErrorKind::Rejected,
                "the object does not exist, or the integration user may not read it any more");
  if (code == "INVALID_QUERY_LOCATOR")
    return with(ErrorKind::Rejected, "a query's place lives 2 days: start the query again");
  if (code == "QUERY_TIMEOUT" || code == "OPERATION_TOO_LARGE")
    return with(ErrorKind::Rejected, "ask for fewer records at once");
  if (status == 404)
    return with(ErrorKind::Rejected, "it does not exist, or the integration user may not see it");
  return with(ErrorKind::Rejected, "not sent again as it is");
}

Error login_error(std::string_view doing, int status, std::string_view body) {
  std::string code, description;
  boost::system::error_code failed;
  const auto value = json::parse(body, failed);
  if (!failed && value.is_object()) {
    code = quoted(text_of(value.get_object(), "error"), kCodeBytesMax);
    description = text_of(value.get_object(), "error_description");
  }
  const auto what = fmt::format("{}: HTTP {} {}{}{}",
                                doing,
                                status,
                                code,
                                description.empty() ? "" : ": ",
                                quoted(description));
  if (status >= 500 || status == 429 || code == "rate_limit_exceeded" || has(code, "unavailable"))
    return transient(fmt::format("{}; trying again", what), code);
  return blocked(fmt::format("{}; {}", what, login_advice(code, description)), code);
}

std::string quoted(std::string_view text, std::size_t size_max) { return shown(text, size_max); }

}  // namespace headwater::salesforce
