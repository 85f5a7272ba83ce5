#pragma once

#include <span>
#include <string_view>

namespace headwater::postgres {

/// One numbered file of schemas/sql, compiled in. Never changed once released: a change is a new
/// file.
struct Migration {
  int number = 0;
  std::string_view name;  ///< of the file, without `.sql`
  std::string_view sql;   ///< statements with unqualified names: the schema is on the search path
};

/// All migrations, by number.
std::span<const Migration> migrations();

}  // namespace headwater::postgres
