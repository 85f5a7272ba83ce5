#include "connectors/redis/errors.hpp"

#include <fmt/format.h>

#include <array>

#include "connectors/claim.hpp"
#include "schemas/core/shown.hpp"

namespace headwater::redis {
namespace {

struct Meaning {
  std::string_view code;  // first word of the reply
  ErrorKind kind;
  std::string_view remedy;
};

constexpr std::size_t kCodeBytesMax = 40;

constexpr std::array kMeanings = {
    Meaning{kTakenOver,
            ErrorKind::Fatal,
            "another daemon has taken over this target; stop one of the two, then restart"},
    Meaning{"CURSOR",
            ErrorKind::Transient,
            "the server went back (flushed, restored or failed over), or one that we have fenced "
            "wrote late: reopening at its cursor"},
    Meaning{
        "NOAUTH",
        ErrorKind::Blocked,
        "the server wants a password: set password_file, and the user in the url if it has one"},
    Meaning{"WRONGPASS",
            ErrorKind::Blocked,
            "correct the password in password_file or the user in the url; the file is read again"},
    Meaning{
        "NOPERM",
        ErrorKind::Blocked,
        "grant the user: ACL SETUSER <user> ~<prefix>* +@read +@write +@scripting +function +info "
        "+select"},
    Meaning{"WRONGTYPE",
            ErrorKind::Rejected,
            "another program keeps a key of another type under our prefix: remove it, or change "
            "prefix"},
    Meaning{"MOVED", ErrorKind::Blocked, "a single node of Redis Cluster cannot take all our keys"},
    Meaning{"ASK", ErrorKind::Blocked, "a single node of Redis Cluster cannot take all our keys"},
    Meaning{
        "CROSSSLOT", ErrorKind::Blocked, "a single node of Redis Cluster cannot take all our keys"},
    Meaning{"OOM", ErrorKind::Transient, "raise the server's maxmemory; trying again"},
    Meaning{"MISCONF", ErrorKind::Transient, "the server cannot save to its disk; trying again"},
    Meaning{"READONLY", ErrorKind::Transient, "a replica answered; trying again"},
};

// Replies under the general word ERR, by what follows it.
constexpr std::array kErrTexts = {
    Meaning{"Client sent AUTH, but no password is set",
            ErrorKind::Blocked,
            "the server has no password: remove password_file"},
    Meaning{"AUTH <password> called without any password",
            ErrorKind::Blocked,
            "the server has no password: remove password_file"},
    Meaning{"invalid password", ErrorKind::Blocked, "correct the password in password_file"},
    Meaning{"DB index is out of range",
            ErrorKind::Blocked,
            "the server has fewer databases: correct the number at the url's end"},
    Meaning{"SELECT is not allowed in cluster mode",
            ErrorKind::Blocked,
            "a single node of Redis Cluster cannot take all our keys"},
    Meaning{"unknown command",
            ErrorKind::Blocked,
            "Redis 7.0 or newer is needed, with FUNCTION and FCALL not renamed or disabled"},
    Meaning{"Function not found", ErrorKind::Transient, "reopening, which loads our functions"},
    Meaning{"Protocol error", ErrorKind::Rejected, "an argument is larger than the server takes"},
    Meaning{"string exceeds maximum allowed size", ErrorKind::Rejected, "the record is too large"},
    Meaning{"user_function", ErrorKind::Rejected, "the function refused this input"},
    Meaning{"user_script", ErrorKind::Rejected, "the function refused this input"},
};

// Redis repeats arguments after these words.
std::string without_arguments(std::string_view reply) {
  constexpr std::size_t kLengthMax = 200;
  for (const std::string_view mark : {", with args", " script: ", " Error from "}) {
    if (const auto at = reply.find(mark); at != std::string_view::npos) reply = reply.substr(0, at);
  }
  return shown(reply, kLengthMax);
}

}  // namespace

Error classify(std::string_view server, std::string_view doing, std::string_view reply) {
  const auto code = reply.substr(0, reply.find(' '));
  // Everything else (LOADING, CLUSTERDOWN, BUSY, MASTERDOWN, TRYAGAIN, NOREPLICAS …) passes by
  // itself.
  Meaning meaning{code, ErrorKind::Transient, "trying again"};
  for (const auto& known : kMeanings) {
    if (known.code == code) meaning = known;
  }
  if (code == "ERR") {
    for (const auto& known : kErrTexts) {
      if (reply.find(known.code) != std::string_view::npos) {
        meaning = known;
        break;
      }
    }
  }
  return {
      meaning.kind,
      fmt::format("redis {}: {}: {}; {}", server, doing, without_arguments(reply), meaning.remedy),
      shown(code, kCodeBytesMax)};
}

Error connection_error(std::string_view server, std::string_view doing, std::string_view reason) {
  return transient(fmt::format("redis {}: {}: {}; reconnecting", server, doing, reason));
}

}  // namespace headwater::redis
