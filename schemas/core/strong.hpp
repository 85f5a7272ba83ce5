#pragma once

#include <compare>
#include <functional>

namespace headwater {

/// A number or text that is not interchangeable with others of the same representation.
template <typename Tag, typename T>
struct Strong {
  T value{};
  constexpr Strong() = default;
  constexpr explicit Strong(T v) : value(std::move(v)) {}
  friend constexpr auto operator<=>(const Strong&, const Strong&) = default;
};

}  // namespace headwater

template <typename Tag, typename T>
struct std::hash<headwater::Strong<Tag, T>> {
  std::size_t operator()(const headwater::Strong<Tag, T>& s) const {
    return std::hash<T>{}(s.value);
  }
};
