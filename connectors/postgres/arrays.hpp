#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace headwater::postgres {

/// Element types that we send, by their object ids. Source: PostgreSQL's pg_type.dat; these never
/// change.
enum class Element : std::uint32_t {
  Bool = 16,
  Int8 = 20,
  Int4 = 23,
  Text = 25,
  Date = 1082,
  Time = 1083,
  Timestamptz = 1184,
  Jsonb = 3802
};

std::string_view array_type(Element element);  ///< `text[]`, for the cast of a parameter

/// Appends text as Postgres can hold it: NUL and bytes that are not UTF-8 become U+FFFD.
void append_clean_text(std::string& out, std::string_view text);

/// From `from` on, `out` is JSON: its `\u0000` escapes, which jsonb refuses, become `\ufffd`.
void clean_json_tail(std::string& out, std::size_t from);

/// A one-dimensional array in Postgres' binary format, built element by element. Reused: clear()
/// keeps the memory. Source: array_send() and the types' *_send() functions; integers are
/// big-endian, times count from 2000-01-01.
///
/// Nulls behind the last value are left out, because unnest() fills what is missing beside a longer
/// array with nulls: a column that no row fills costs the server nothing.
class ArrayBuffer {
 public:
  explicit ArrayBuffer(Element element) : element_(element) { clear(); }

  Element element() const { return element_; }
  void clear();
  void add_null() { ++count_; }
  void add_bool(bool value);
  void add_int4(std::int32_t value);  ///< also a date: days since 2000-01-01
  void add_int8(std::int64_t value);  ///< also a time: microseconds
  void add_text(std::string_view text);

  /// Opens an element of any length: append its bytes to what this returns, then end_element().
  std::string& begin_element();
  void end_element();

  /// The finished parameter; valid until the next change. REQUIRES: every begun element was ended.
  std::string_view finish();
  std::uint32_t size() const { return count_; }  ///< elements added, nulls included

 private:
  void begin_value();
  void put_pending_nulls();
  void put_length(std::size_t at, std::uint32_t value);

  Element element_;
  std::string bytes_;
  std::size_t element_at_ = 0;
  std::uint32_t count_ = 0, written_ = 0;  ///< added; of these, in bytes_
  bool has_null_ = false;
};

}  // namespace headwater::postgres
