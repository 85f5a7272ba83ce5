#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace headwater {

using Sha256 = std::array<unsigned char, 32>;

Sha256 sha256(std::string_view bytes);
std::string sha256_hex(std::string_view bytes);
/// The first 8 bytes as a big-endian number: its 16 hex digits are a canonical record's hash.
std::uint64_t sha256_head(std::string_view bytes);

}  // namespace headwater
