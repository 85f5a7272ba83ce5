#include "schemas/crm/text.hpp"

#include <libpsl.h>

#include <algorithm>
#include <functional>
#include <memory>

namespace headwater::crm {
namespace {

/// Bytes of the white space character at the front of `text`, 0 if there is none.
/// Source: Unicode property White_Space.
std::size_t space_at_front(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  if (text.empty()) return 0;
  if (byte(0) == ' ' || (byte(0) >= 0x09 && byte(0) <= 0x0d)) return 1;
  if (byte(0) == 0xc2 && text.size() > 1) return byte(1) == 0x85 || byte(1) == 0xa0 ? 2 : 0;
  if (text.size() < 3) return 0;
  if (byte(0) == 0xe1) return byte(1) == 0x9a && byte(2) == 0x80 ? 3 : 0;  // 1680
  if (byte(0) == 0xe3) return byte(1) == 0x80 && byte(2) == 0x80 ? 3 : 0;  // 3000
  if (byte(0) != 0xe2) return 0;
  if (byte(1) == 0x81) return byte(2) == 0x9f ? 3 : 0;  // 205F
  if (byte(1) != 0x80) return 0;
  const bool listed = byte(2) <= 0x8a || byte(2) == 0xa8 || byte(2) == 0xa9 || byte(2) == 0xaf;
  return listed ? 3 : 0;  // 2000-200A 2028 2029 202F
}

/// Same at the back.
std::size_t space_at_back(std::string_view text) {
  if (text.empty()) return 0;
  const auto last = static_cast<unsigned char>(text.back());
  if (last < 0x80) return space_at_front(text.substr(text.size() - 1));
  for (std::size_t size = 2; size <= 3 && size <= text.size(); ++size) {
    if (space_at_front(text.substr(text.size() - size)) == size) return size;
  }
  return 0;
}

/// `https://user@www.acme.co.uk:8443/x?y` -> `www.acme.co.uk`.
std::string_view host_of(std::string_view address) {
  std::string_view host = trimmed(address);
  if (const auto scheme = host.find("://"); scheme != std::string_view::npos) {
    host.remove_prefix(scheme + 3);
  }
  host = host.substr(0, host.find_first_of("/?#\\"));
  if (const auto at = host.rfind('@'); at != std::string_view::npos) host.remove_prefix(at + 1);
  if (host.starts_with('[')) return {};  // an IPv6 address
  host = host.substr(0, host.find(':'));
  while (host.ends_with('.')) host.remove_suffix(1);
  return host;
}

/// What has only digits after its last dot is an IPv4 address or nonsense, never a name.
bool is_name(std::string_view host) {
  if (host.empty() || host.size() > 253) return false;
  const auto top = host.substr(host.rfind('.') + 1);
  if (std::all_of(top.begin(), top.end(), [](char c) { return c >= '0' && c <= '9'; }))
    return false;
  if (host.find("..") != std::string_view::npos || host.front() == '.') return false;
  return std::none_of(host.begin(), host.end(), [](char c) {
    return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f || c == ',' || c == ';';
  });
}

struct FreeString {
  void operator()(char* text) const { psl_free_string(text); }
};

}  // namespace

std::string_view trimmed(std::string_view text) {
  while (const auto size = space_at_front(text)) text.remove_prefix(size);
  while (const auto size = space_at_back(text)) text.remove_suffix(size);
  return text;
}

void append_squeezed(std::string& out, std::string_view text) {
  text = trimmed(text);
  while (!text.empty()) {
    std::size_t solid = 0;  // bytes up to the next white space
    while (solid < text.size() && space_at_front(text.substr(solid)) == 0) ++solid;
    out.append(text, 0, solid);
    text.remove_prefix(solid);
    if (!text.empty()) out.push_back(' ');  // trimmed: something follows
    while (const auto size = space_at_front(text)) text.remove_prefix(size);
  }
}

void append_registrable_domain(std::string& out, std::string_view address) {
  const std::string_view name = host_of(address);
  if (!is_name(name)) return;
  const std::size_t from = out.size();
  if (std::all_of(name.begin(), name.end(), [](char c) { return c >= 0; })) {
    for (const char c : name) {
      out.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
    }
  } else {
    char* lower = nullptr;
    if (psl_str_to_utf8lower(std::string(name).c_str(), "utf-8", nullptr, &lower) != PSL_SUCCESS)
      return;
    const std::unique_ptr<char, FreeString> owner(lower);
    out.append(lower);
  }
  // The domain is a tail of the host: cut off what stands before it.
  const char* host = out.c_str() + from;
  const char* domain = psl_registrable_domain(psl_builtin(), host);
  if (domain == nullptr) {
    out.resize(from);
  } else {
    out.erase(from, static_cast<std::size_t>(domain - host));
  }
}

std::string_view DomainMemo::find(std::string_view address) {
  Entry& entry = entries_[std::hash<std::string_view>{}(address) % entries_.size()];
  if (entry.address != address) {
    entry.address = address;
    entry.domain.clear();
    append_registrable_domain(entry.domain, address);
  }
  return entry.domain;
}

std::string public_suffix_version() { return std::string("psl ") + psl_builtin_sha1sum(); }

}  // namespace headwater::crm
