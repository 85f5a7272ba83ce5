#include "connectors/postgres/identifiers.hpp"

#include "schemas/core/sha256.hpp"

namespace headwater::postgres {
namespace {

constexpr std::string_view kCustom = "custom:";

std::string doubled(std::string_view text, char quote) {
  std::string out(1, quote);
  for (const char c : text) {
    if (c == quote) out.push_back(quote);
    out.push_back(c);
  }
  out.push_back(quote);
  return out;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

/// The name itself if it has at most `most` bytes, else its head, `_` and 8 digits of its hash.
std::string cut(std::string name, std::size_t most) {
  if (name.size() <= most) return name;
  return name.substr(0, most - 9) + '_' + sha256_hex(name).substr(0, 8);
}

}  // namespace

bool is_schema_name(std::string_view text) {
  if (text.empty() || text.size() > kIdentifierBytesMax) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
    if (!letter && (i == 0 || c < '0' || c > '9')) return false;
  }
  return true;
}

std::string quoted(std::string_view name) { return doubled(name, '"'); }
std::string literal(std::string_view text) { return doubled(text, '\''); }

std::string table_of(std::string_view entity) {
  if (!entity.starts_with(kCustom)) return cut(std::string(entity), 58);
  return cut("custom_" + lower(entity.substr(kCustom.size())), 58);
}

std::string index_of(std::string_view table, std::string_view column) {
  return cut(std::string(table) + '_' + std::string(column) + "_idx", kIdentifierBytesMax);
}

}  // namespace headwater::postgres
