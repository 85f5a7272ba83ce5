// A text diff from outside: whatever it says, the patched text has the hash that it names, and any
// edit that we write ourselves comes back.

#include "schemas/model/text_patch.hpp"

#include "schemas/core/sha256.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace headwater;

namespace {

/// The diff that replaces one line by another under the right hash.
void check_replaced(std::string_view base, std::size_t line, std::string_view with) {
  if (with.find_first_of("\r\n") != std::string_view::npos) return;
  std::size_t at = 0;
  for (std::size_t i = 0; i < line; ++i) {
    const auto next = base.find('\n', at);
    if (next == std::string_view::npos) return;
    at = next + 1;
  }
  const auto end = std::min(base.find('\n', at), base.size());
  const auto was = base.substr(at, end - at);
  // Lines that the patcher counts otherwise: an empty text has none, a CR ends one.
  if (base.empty() || base.find('\r') != std::string_view::npos) return;
  const std::string after = std::string(base.substr(0, at)).append(with).append(base.substr(end));
  const std::string diff = "---\n+++ " + sha256_hex(after) + "\n@@ -" + std::to_string(line + 1) +
                           " +1 @@\n-" + std::string(was) + "\n+" + std::string(with);
  std::string out;
  const Patched patched = patch_text(base, diff, out);
  HEADWATER_ASSERT(patched == Patched::Already ? after == base
                                               : patched == Patched::Applied && out == after);
}

}  // namespace

FUZZ_TARGET(text_patch) {
  fuzz::Pieces pieces(input);
  const std::size_t line = pieces.byte();
  const std::string_view with = pieces.text();
  const auto base_size = static_cast<std::size_t>(pieces.number(2));
  const fuzz::Exact base(pieces.take(base_size));
  const fuzz::Exact rows(pieces.rest());
  check_replaced(base.view(), line, with);
  std::string out;
  if (patch_text(base.view(), rows.view(), out) == Patched::Applied) {
    std::string lower(rows.view());
    for (char& c : lower) c = c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
    HEADWATER_ASSERT(lower.find(sha256_hex(out)) != std::string::npos);
  }
  // The hash is hard to guess: one that the input does not name is put before its rows.
  for (const std::string_view after : {base.view(), with}) {
    const std::string diff = "---\n+++ " + sha256_hex(after) + "\n" + std::string(rows.view());
    const Patched patched = patch_text(base.view(), diff, out);
    HEADWATER_ASSERT(patched != Patched::Applied || out == after);
    HEADWATER_ASSERT(patched != Patched::Already || base.view() == after);
    HEADWATER_ASSERT(patched != Patched::Mismatch || base.view() != after);
  }
}
