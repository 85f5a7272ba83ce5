#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "schemas/crm/expression.hpp"

namespace headwater::crm {

/// A name of unified-model.md section 9's list of functions.
struct FunctionInfo {
  std::string_view name;
  std::size_t least = 1;                  ///< arguments
  std::size_t most = 1;                   ///< kAnyNumber: no bound
  std::optional<Function> function = {};  ///< nothing: part of the language, not of this build
};
inline constexpr std::size_t kAnyNumber = static_cast<std::size_t>(-1);

/// nullptr if the language has no such function.
const FunctionInfo* find_function(std::string_view name);
std::optional<Variable> find_variable(std::string_view scope, std::string_view name);
/// The known function nearest to `name`, empty if none is near.
std::string_view nearest_function(std::string_view name);

}  // namespace headwater::crm
