#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace headwater {

using Millis = std::chrono::milliseconds;

/// Milliseconds since 1970-01-01T00:00:00Z, may be negative. The unit of every time we store.
using EpochMs = std::int64_t;
/// Days since 1970-01-01, may be negative.
using EpochDays = std::int64_t;

inline constexpr std::int64_t kMsPerDay = 86'400'000;

/// Where code gets its time from, so that a test or the simulator can give it.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual std::int64_t now_us() const = 0;        ///< wall clock, microseconds since the epoch
  virtual std::int64_t monotonic_ms() const = 0;  ///< never goes back; for deadlines and backoff
  EpochMs now_ms() const { return now_us() / 1000; }
};

class SystemClock final : public Clock {
 public:
  std::int64_t now_us() const override;
  std::int64_t monotonic_ms() const override;
};

/// Room that each of the three writers below needs.
inline constexpr std::size_t kTimeTextRoom = 64;
char* write_datetime(char* to, EpochMs ms);
char* write_date(char* to, EpochDays days);
char* write_time(char* to, std::int64_t ms_of_day);

/// Writes `2026-03-01T12:00:00.000Z` (24 characters for the years 0..9999, else a signed year).
void append_datetime(std::string& out, EpochMs ms);
/// Writes `2026-03-01`.
void append_date(std::string& out, EpochDays days);
/// Writes `12:00:00.000Z` for milliseconds of the day, 0 <= ms < 86,400,000.
void append_time(std::string& out, std::int64_t ms_of_day);

std::string format_datetime(EpochMs ms);

/// Reads ISO 8601 as Salesforce prints it: `2024-04-26T18:38:23.000+0000`, `…Z`, `…+02:00`, with or
/// without fractions. Nothing if it is anything else.
std::optional<EpochMs> parse_datetime(std::string_view text);
std::optional<EpochDays> parse_date(std::string_view text);       ///< `2024-06-30`
std::optional<std::int64_t> parse_time_of_day(std::string_view);  ///< `14:30:00.000Z` -> ms of day

}  // namespace headwater
