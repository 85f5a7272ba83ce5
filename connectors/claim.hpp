#pragma once

#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "schemas/core/result.hpp"
#include "schemas/core/time.hpp"

namespace headwater {

/// The code of what a holder meets whose target another one has taken over.
inline constexpr std::string_view kTakenOver = "FENCED";

/// Fatal: another holder has the target, and this one never claims again by itself.
inline Error taken_over(std::string message) {
  return fatal(std::move(message), std::string(kTakenOver));
}

/// First word of the code of a refused claim; the milliseconds follow.
inline constexpr std::string_view kClaimRefused = "HELD";

/// Blocked, because another holder is alive: its row is free once it has been silent for the
/// claim's wait, which is `free_in` from now unless it is touched before.
inline Error claim_refused(std::string message, Millis free_in) {
  return blocked(std::move(message),
                 std::string(kClaimRefused) + ' ' + std::to_string(free_in.count()));
}

/// When a claim that was refused may succeed; nothing: the error is another one. A living holder
/// touches its row meanwhile, so this asks two or three times a minute.
inline std::optional<Millis> claim_free_in(const Error& error) {
  std::string_view code = error.code;
  if (!code.starts_with(kClaimRefused) || code.size() <= kClaimRefused.size() + 1)
    return std::nullopt;
  code.remove_prefix(kClaimRefused.size() + 1);
  Millis::rep ms = 0;
  if (std::from_chars(code.data(), code.data() + code.size(), ms).ec != std::errc{})
    return std::nullopt;
  return Millis{ms};
}

}  // namespace headwater
