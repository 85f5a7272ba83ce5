#pragma once

#include <cstdint>
#include <string>

#include "schemas/core/bytes.hpp"
#include "schemas/core/time.hpp"

namespace headwater {

/// When, in the order of the source, a value was committed or read (unified-model.md section 3).
struct Version {
  std::uint32_t epoch = 0;  ///< grows when commit numbers restart (org migration); 0: none
  std::int64_t commit_number = 0;
  std::uint64_t sequence =
      0;              ///< of the event in its transaction; rows: kRowSequence + query count
  EpochMs at_ms = 0;  ///< an event's commitTimestamp, a row's SystemModstamp

  /// Rows read by query or by id get sequences from here on; no transaction has that many events.
  static constexpr std::uint64_t kRowSequence = 9'000'000'000;

  bool is_row() const { return sequence >= kRowSequence; }
  bool none() const { return epoch == 0; }
  /// Salesforce's clocks tick whole seconds.
  std::int64_t second() const { return at_ms / 1000; }

  /// Place in the order of numbers alone, without the rule for rows below.
  friend bool number_less(const Version& a, const Version& b) {
    if (a.epoch != b.epoch) return a.epoch < b.epoch;
    if (a.commit_number != b.commit_number) return a.commit_number < b.commit_number;
    return a.sequence < b.sequence;
  }
  /// Same place in the source's order; at_ms is no part of it.
  friend bool same(const Version& a, const Version& b) {
    return a.epoch == b.epoch && a.commit_number == b.commit_number && a.sequence == b.sequence;
  }
  /// True if `a` is newer than `b`. By numbers, but an event is newer than a row only if it was
  /// also not committed in a second before the row's SystemModstamp: the row already contains such
  /// an event, so a stream that lags cannot walk a record back through values it has left behind.
  friend bool newer(const Version& a, const Version& b) {
    if (b.none()) return !a.none();
    if (a.none() || same(a, b)) return false;
    if (a.is_row() == b.is_row()) return number_less(b, a);
    if (b.is_row()) return number_less(b, a) && a.second() >= b.second();
    return !(number_less(a, b) && b.second() >= a.second());
  }

  /// `EEE-C{20}-S{10}`: string order is number order.
  std::string str() const;
};

/// Appends what str() returns.
void append_version(std::string& out, const Version& version);

void put_version(std::string& out, const Version& version);
inline constexpr std::size_t kVersionRoom = 4 * kVarintRoom;
char* write_version(char* to, const Version& version);  ///< REQUIRES: kVersionRoom bytes
Version read_version(ByteReader& reader);

}  // namespace headwater
