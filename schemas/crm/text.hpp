#pragma once

#include <array>
#include <memory_resource>
#include <string>
#include <string_view>

namespace headwater::crm {

/// Without Unicode white space at both ends.
std::string_view trimmed(std::string_view text);

/// Appends `text` trimmed and with one plain space for each run of white space.
void append_squeezed(std::string& out, std::string_view text);

/// Appends the registrable domain of a web address or host name by the public suffix list, in lower
/// case: `https://www.Acme.co.uk/x` -> `acme.co.uk`. Nothing if there is none (an IP address,
/// `co.uk`).
void append_registrable_domain(std::string& out, std::string_view address);

/// Remembers the domains of the addresses seen last: a look into the list costs as much as all the
/// rest of a record, and busy records come again and again.
class DomainMemo {
 public:
  /// What append_registrable_domain finds. Valid until the next call.
  std::string_view find(std::string_view address);

 private:
  struct Entry {
    std::string address, domain;
  };
  std::array<Entry, 256> entries_;  // by the address's hash; a newcomer takes the place
};

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
