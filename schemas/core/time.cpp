#include "schemas/core/time.hpp"

#include <array>

#include "schemas/core/digits.hpp"

namespace headwater {
namespace {

constexpr std::int64_t floor_div(std::int64_t a, std::int64_t b) {
  return a / b - ((a % b != 0 && (a % b < 0) != (b < 0)) ? 1 : 0);
}

std::uint64_t magnitude(std::int64_t value) {
  return static_cast<std::uint64_t>(value < 0 ? -value : value);
}

/// Digits read off the front of `text`, exactly `count` of them.
std::optional<int> take_digits(std::string_view& text, std::size_t count) {
  if (text.size() < count) return std::nullopt;
  int value = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(count);
  return value;
}

bool take_char(std::string_view& text, char wanted) {
  if (text.empty() || text.front() != wanted) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<EpochDays> take_date(std::string_view& text) {
  const auto year = take_digits(text, 4);
  if (!year || !take_char(text, '-')) return std::nullopt;
  const auto month = take_digits(text, 2);
  if (!month || !take_char(text, '-')) return std::nullopt;
  const auto day = take_digits(text, 2);
  if (!day) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year{*year},
                                         std::chrono::month{static_cast<unsigned>(*month)},
                                         std::chrono::day{static_cast<unsigned>(*day)}};
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days{date}.time_since_epoch().count();
}

std::optional<std::int64_t> take_time(std::string_view& text) {
  const auto hour = take_digits(text, 2);
  if (!hour || *hour > 23 || !take_char(text, ':')) return std::nullopt;
  const auto minute = take_digits(text, 2);
  if (!minute || *minute > 59) return std::nullopt;
  int second = 0;
  int millis = 0;
  if (take_char(text, ':')) {
    const auto read = take_digits(text, 2);
    if (!read || *read > 60) return std::nullopt;
    second = *read;
    if (take_char(text, '.')) {
      int scale = 100;
      bool any = false;
      while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
        millis += (text.front() - '0') * scale;
        scale /= 10;
        any = true;
        text.remove_prefix(1);
      }
      if (!any) return std::nullopt;
    }
  }
  return ((*hour * 60LL + *minute) * 60 + second) * 1000 + millis;
}

/// Offset from UTC in milliseconds; `Z` is 0, nothing written is an error.
std::optional<std::int64_t> take_offset(std::string_view& text) {
  if (take_char(text, 'Z')) return 0;
  const bool minus = !text.empty() && text.front() == '-';
  if (!minus && (text.empty() || text.front() != '+')) return std::nullopt;
  text.remove_prefix(1);
  const auto hour = take_digits(text, 2);
  if (!hour) return std::nullopt;
  take_char(text, ':');
  const auto minute = take_digits(text, 2);
  if (!minute) return std::nullopt;
  const std::int64_t ms = (*hour * 60LL + *minute) * 60'000;
  return minus ? -ms : ms;
}

}  // namespace

std::int64_t SystemClock::now_us() const {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::int64_t SystemClock::monotonic_ms() const {
  return std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

char* write_date(char* to, EpochDays days) {
  const std::chrono::year_month_day date{std::chrono::sys_days{std::chrono::days{days}}};
  const int year = static_cast<int>(date.year());
  if (year < 0) *to++ = '-';
  to = write_digits(to, magnitude(year), 4);
  *to++ = '-';
  to = write_digits(to, static_cast<unsigned>(date.month()), 2);
  *to++ = '-';
  return write_digits(to, static_cast<unsigned>(date.day()), 2);
}

char* write_time(char* to, std::int64_t ms_of_day) {
  to = write_digits(to, magnitude(ms_of_day / 3'600'000), 2);
  *to++ = ':';
  to = write_digits(to, magnitude(ms_of_day / 60'000 % 60), 2);
  *to++ = ':';
  to = write_digits(to, magnitude(ms_of_day / 1000 % 60), 2);
  *to++ = '.';
  to = write_digits(to, magnitude(ms_of_day % 1000), 3);
  *to++ = 'Z';
  return to;
}

char* write_datetime(char* to, EpochMs ms) {
  to = write_date(to, floor_div(ms, kMsPerDay));
  *to++ = 'T';
  // Not what the days leave: of the earliest times, their product is out of range.
  const std::int64_t rest = ms % kMsPerDay;
  return write_time(to, rest < 0 ? rest + kMsPerDay : rest);
}

void append_date(std::string& out, EpochDays days) {
  std::array<char, kTimeTextRoom> text;
  out.append(text.data(), write_date(text.data(), days));
}

void append_time(std::string& out, std::int64_t ms_of_day) {
  std::array<char, kTimeTextRoom> text;
  out.append(text.data(), write_time(text.data(), ms_of_day));
}

void append_datetime(std::string& out, EpochMs ms) {
  std::array<char, kTimeTextRoom> text;
  out.append(text.data(), write_datetime(text.data(), ms));
}

std::string format_datetime(EpochMs ms) {
  std::string out;
  append_datetime(out, ms);
  return out;
}

std::optional<EpochMs> parse_datetime(std::string_view text) {
  const auto days = take_date(text);
  if (!days || !take_char(text, 'T')) return std::nullopt;
  const auto time = take_time(text);
  if (!time) return std::nullopt;
  const auto offset = take_offset(text);
  if (!offset || !text.empty()) return std::nullopt;
  return *days * kMsPerDay + *time - *offset;
}

std::optional<EpochDays> parse_date(std::string_view text) {
  const auto days = take_date(text);
  if (!text.empty()) return std::nullopt;
  return days;
}

std::optional<std::int64_t> parse_time_of_day(std::string_view text) {
  const auto time = take_time(text);
  take_char(text, 'Z');
  if (!text.empty() || (time && *time >= kMsPerDay))
    return std::nullopt;  // 23:59:60 is no time of a day
  return time;
}

}  // namespace headwater
