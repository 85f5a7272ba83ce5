#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "schemas/core/result.hpp"
#include "schemas/core/time.hpp"

namespace headwater::salesforce {

/// What an error of the Pub/Sub API asks for (salesforce.md section 3.2, column R).
enum class Recovery : std::uint8_t {
  Retry,           ///< back off, subscribe again after the stored position
  Reauthenticate,  ///< the same with a new token
  ResetPosition,   ///< the position is lost: open a hole, start at the earliest event
  Configuration,   ///< a person must act; tried slowly
  Bug,             ///< we sent something wrong; tried slowly, loudly
  Quota,           ///< the day's deliveries are used up; events stay retained for 72 h
};

struct Verdict {
  Recovery recovery = Recovery::Retry;
  ErrorKind kind = ErrorKind::Transient;
  Millis pause{0};          ///< least time until the next try; 0: the caller's own backoff
  std::string_view advice;  ///< what to do, for the end of a sentence
};

/// Judges how a call ended. Branches on the `error-code` trailer (with or without its prefix) and
/// only without one, or with one we do not know, on the gRPC status: an outage was seen with status
/// INTERNAL.
Verdict classify(std::string_view error_code, int grpc_status);

/// The same from what an Error carries: for who gets only that.
Recovery recovery(const Error& error);

/// Least time until what ended with this error is tried again; 0: the caller's own backoff.
Millis least_pause(const Error& error);

/// `sfdc.platform.eventbus.grpc.topic.not.found` -> `topic.not.found`.
std::string_view without_prefix(std::string_view error_code);

/// An answer of the REST API above 299: `[{"errorCode": …, "message": …}]`. `doing` begins the
/// sentence: `describe Account`.
Error rest_error(std::string_view doing, int status, std::string_view body);

/// An answer of the token endpoint above 299: `{"error": …, "error_description": …}`.
Error login_error(std::string_view doing, int status, std::string_view body);

/// A peer's text made fit for a message: one line, at most `size_max` bytes.
std::string quoted(std::string_view text, std::size_t size_max = 300);

}  // namespace headwater::salesforce
