#pragma once

#include <memory_resource>
#include <string>
#include <string_view>

namespace headwater::crm {

/// Without Unicode white space at both ends.
std::string_view trimmed(std::string_view text);

/// Appends `text` trimmed and with one plain space for each run of white space.
void append_squeezed(std::string& out, std::string_view text);

/// The registrable domain of a web address or host name by the public suffix list, lower case:
/// `https://www.Acme.co.uk/x` -> `acme.co.uk`. Empty if there is none (an IP address, `co.uk`, no
/// host).
std::string registrable_domain(std::string_view address);

/// Names the version of the public suffix list in use; part of a mapping's digest.
std::string public_suffix_version();

/// A copy of `text` that lives as long as the arena.
inline std::string_view keep(std::pmr::memory_resource& arena, std::string_view text) {
  if (text.empty()) return {};
  auto* copy = static_cast<char*>(arena.allocate(text.size(), 1));
  text.copy(copy, text.size());
  return {copy, text.size()};
}

}  // namespace headwater::crm
