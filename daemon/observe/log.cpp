#include "daemon/observe/log.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstdlib>

#include "schemas/core/time.hpp"

namespace headwater::log {
namespace {

struct Names {
  std::string_view text;
  std::string_view priority;  // sd-daemon(3)
  spdlog::level::level_enum level;
};

const Names& names_of(Level level) {
  static constexpr Names kNames[] = {{"debug", "<7>", spdlog::level::debug},
                                     {"info", "<6>", spdlog::level::info},
                                     {"warning", "<4>", spdlog::level::warn},
                                     {"error", "<3>", spdlog::level::err},
                                     {"none", "", spdlog::level::off}};
  return kNames[static_cast<int>(level)];
}

spdlog::logger& logger() {
  static const auto instance = [] {
    auto made = spdlog::stderr_logger_mt("headwater");
    made->set_pattern("%v");
    made->flush_on(spdlog::level::debug);
    return made;
  }();
  return *instance;
}

/// journald stamps lines itself.
bool under_journald() {
  static const bool yes = std::getenv("JOURNAL_STREAM") != nullptr;
  return yes;
}

void append_value(std::string& out, std::string_view value) {
  const bool plain = !value.empty() && value.find_first_of(" =\"\\") == std::string_view::npos &&
                     std::none_of(value.begin(), value.end(), [](char c) {
                       return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
                     });
  if (plain) {
    out.append(value);
    return;
  }
  out.push_back('"');
  for (const char c : value) {
    if (c == '"' || c == '\\') {
      out.append(1, '\\').push_back(c);
    } else if (c == '\n') {
      out.append("\\n");
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out.append(fmt::format("\\x{:02x}", static_cast<unsigned char>(c)));
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
}

}  // namespace

std::string format_line(Level level,
                        std::string_view message,
                        std::initializer_list<Field> fields) {
  std::string line(names_of(level).priority);
  if (!under_journald())
    line.append("ts=").append(format_datetime(SystemClock().now_ms())).push_back(' ');
  line.append("level=").append(names_of(level).text).append(" msg=");
  append_value(line, message);
  for (const Field& field : fields) {
    line.append(1, ' ').append(field.key).push_back('=');
    append_value(line, field.value);
  }
  return line;
}

void write(Level level, std::string_view message, std::initializer_list<Field> fields) {
  auto& out = logger();
  if (out.should_log(names_of(level).level))
    out.log(names_of(level).level, format_line(level, message, fields));
}

void set_level(Level level) { logger().set_level(names_of(level).level); }

bool parse_level(std::string_view text, Level& out) {
  for (const Level level : {Level::Debug, Level::Info, Level::Warning, Level::Error}) {
    if (names_of(level).text == text) {
      out = level;
      return true;
    }
  }
  return false;
}

}  // namespace headwater::log
