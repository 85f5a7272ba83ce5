#pragma once

#include <algorithm>
#include <cstdint>
#include <random>

#include "schemas/core/time.hpp"

namespace headwater {

/// When to try again: exponential with full jitter, so that many clients of one broken peer do not
/// return together. Reset only after success was seen, not after a mere connect.
class Backoff {
 public:
  Backoff(Millis least, Millis most, std::uint64_t seed)
      : least_(least), most_(most), random_(seed) {}

  /// How long to wait before the next try: between half of `least` and the doubled bound, at most
  /// `most`.
  Millis next() {
    const std::int64_t bound =
        std::min(most_.count(), least_.count() << std::min<unsigned>(failures_, 20));
    ++failures_;
    return Millis(std::uniform_int_distribution<std::int64_t>(
        least_.count() / 2, std::max(bound, least_.count()))(random_));
  }
  void reset() { failures_ = 0; }
  unsigned failures() const { return failures_; }

 private:
  Millis least_;
  Millis most_;
  unsigned failures_ = 0;
  std::mt19937_64 random_;
};

/// A blocked part is tried again this often: credentials and topics are mended by people.
inline constexpr Millis kBlockedRetry = std::chrono::seconds{60};

}  // namespace headwater
