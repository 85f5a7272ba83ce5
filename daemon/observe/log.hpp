#pragma once

#include <fmt/core.h>

#include <initializer_list>
#include <string>
#include <string_view>

namespace headwater::log {

enum class Level {
  Debug,
  Info,
  Warning,
  Error,
  None,  ///< for set_level() only: nothing is written
};

/// A key and what to print for it. Never a field's value or a secret: keys, counts, names, times.
struct Field {
  template <typename T>
  Field(std::string_view k, const T& v) : key(k), value(fmt::format("{}", v)) {}
  std::string_view key;
  std::string value;
};

/// One line on stderr: journald's priority prefix, then logfmt (`level=info msg="…" key=value`).
/// One line per change of state. Thread-safe.
void write(Level level, std::string_view message, std::initializer_list<Field> fields = {});

inline void debug(std::string_view m, std::initializer_list<Field> f = {}) {
  write(Level::Debug, m, f);
}
inline void info(std::string_view m, std::initializer_list<Field> f = {}) {
  write(Level::Info, m, f);
}
inline void warning(std::string_view m, std::initializer_list<Field> f = {}) {
  write(Level::Warning, m, f);
}
inline void error(std::string_view m, std::initializer_list<Field> f = {}) {
  write(Level::Error, m, f);
}

/// Lines below this level are not written. Default: Info.
void set_level(Level level);
bool parse_level(std::string_view text, Level& out);  ///< debug info warning error

/// `key=value` pairs as they stand in a line: quoted where needed, control characters escaped. For
/// tests.
std::string format_line(Level level, std::string_view message, std::initializer_list<Field> fields);

}  // namespace headwater::log
