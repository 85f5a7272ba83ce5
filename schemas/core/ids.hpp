#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "schemas/core/result.hpp"
#include "schemas/core/strong.hpp"

namespace headwater {

/// Our place in the journal's one total order; the only thing sinks order by. Below 2^53 (JSON,
/// Lua).
using Rev = Strong<struct RevTag, std::uint64_t>;

/// A Salesforce record id: always 18 characters, compared byte-wise.
class RecordId {
 public:
  static constexpr std::size_t kSize = 18;

  RecordId() { text_.fill('0'); }
  /// Takes 15 characters (widened) or 18 (its suffix is checked against the first 15).
  static Result<RecordId> parse(std::string_view text);

  std::string_view view() const { return {text_.data(), text_.size()}; }
  std::string str() const { return std::string(view()); }
  std::string_view prefix() const { return view().substr(0, 3); }
  friend auto operator<=>(const RecordId&, const RecordId&) = default;

 private:
  std::array<char, kSize> text_;
};

/// Writes the three-character case suffix of a 15-character id (salesforce.md section 13).
/// REQUIRES: id15.size() == 15, out has room for 3.
void id_suffix(std::string_view id15, char* out);

/// True for 15 or 18 letters and digits: what may stand where a record id is expected.
bool looks_like_id(std::string_view text);

/// Our slug for an org, `^[a-z0-9][a-z0-9-]{0,23}$`.
class OrgName {
 public:
  OrgName() = default;
  static Result<OrgName> parse(std::string_view text);
  const std::string& str() const { return text_; }
  friend auto operator<=>(const OrgName&, const OrgName&) = default;

 private:
  std::string text_;
};

/// `org:Object:id18`: the Kafka key, the Redis hash tag, JSON `key`. Called rkey in text.
struct RecordKey {
  std::string org;
  std::string object;  ///< API name, namespace kept
  RecordId id;

  static Result<RecordKey> parse(std::string_view rkey);
  std::string str() const;
  friend auto operator<=>(const RecordKey&, const RecordKey&) = default;
};

/// Salesforce's replay id: opaque bytes, only ever compared for equality.
class ReplayId {
 public:
  ReplayId() = default;
  explicit ReplayId(std::string bytes) : bytes_(std::move(bytes)) {}
  const std::string& bytes() const { return bytes_; }
  bool empty() const { return bytes_.empty(); }
  std::string hex() const;
  friend bool operator==(const ReplayId&, const ReplayId&) = default;

 private:
  std::string bytes_;
};

std::string to_hex(std::string_view bytes);  ///< lower case

}  // namespace headwater
