#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "schemas/core/assert.hpp"

namespace headwater {

/// What a failure means for the part that met it. One place per part decides what follows.
enum class ErrorKind {
  Transient,  ///< may work later: network, timeout, expired token. Reopen, back off, repeat.
  Rejected,   ///< this input is never accepted: halve until it stands alone, quarantine it.
  Blocked,    ///< needs a person: credentials, privilege, missing topic. Red; tried every 60 s.
  Fatal,      ///< no point in going on: fenced, wrong org, newer format. That part stops, red.
};

constexpr const char* to_string(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::Transient:
      return "transient";
    case ErrorKind::Rejected:
      return "rejected";
    case ErrorKind::Blocked:
      return "blocked";
    case ErrorKind::Fatal:
      return "fatal";
  }
  return "?";
}

/// What happened, in one sentence: what we did, to what, what came back, what to do.
/// `code` is the peer's own code where it has one (SQLSTATE, error-code trailer, HTTP errorCode).
struct Error {
  ErrorKind kind = ErrorKind::Transient;
  std::string message;
  std::string code = {};
};

inline Error transient(std::string message, std::string code = {}) {
  return {ErrorKind::Transient, std::move(message), std::move(code)};
}
inline Error rejected(std::string message, std::string code = {}) {
  return {ErrorKind::Rejected, std::move(message), std::move(code)};
}
inline Error blocked(std::string message, std::string code = {}) {
  return {ErrorKind::Blocked, std::move(message), std::move(code)};
}
inline Error fatal(std::string message, std::string code = {}) {
  return {ErrorKind::Fatal, std::move(message), std::move(code)};
}

/// A value or an Error: the part of C++23's std::expected that we use.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value)
      : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT: implicit by design
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& value() & { return check(), std::get<0>(state_); }
  const T& value() const& { return check(), std::get<0>(state_); }
  T&& value() && { return check(), std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const Error& error() const& {
    HEADWATER_ASSERT(!ok());
    return std::get<1>(state_);
  }
  Error&& error() && {
    HEADWATER_ASSERT(!ok());
    return std::get<1>(std::move(state_));
  }

 private:
  void check() const { HEADWATER_ASSERT(ok()); }
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT: implicit by design

  bool ok() const { return !error_; }
  explicit operator bool() const { return ok(); }
  const Error& error() const& {
    HEADWATER_ASSERT(!ok());
    return *error_;
  }
  Error&& error() && {
    HEADWATER_ASSERT(!ok());
    return std::move(*error_);
  }

 private:
  std::optional<Error> error_;
};

}  // namespace headwater
