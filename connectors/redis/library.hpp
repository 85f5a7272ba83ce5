#pragma once

#include <cstdint>
#include <string_view>

namespace headwater::redis {

/// schemas/lua/headwater.lua, byte for byte: what FUNCTION LOAD is given.
extern const std::string_view kLibraryCode;
inline constexpr std::string_view kLibraryName = "headwater";

/// Most records or relation changes in one call. Grouping saves the server the start of a script
/// per record; more than a hundred gains nothing and keeps other clients waiting.
inline constexpr std::size_t kCallItemsMax = 100;

/// The number in the library's `-- version: N` line; 0 if there is none.
std::uint64_t library_version(std::string_view code);

}  // namespace headwater::redis
