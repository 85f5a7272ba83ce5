#include "connectors/postgres/errors.hpp"

#include <fmt/format.h>

#include <array>
#include <utility>

namespace headwater::postgres {
namespace {

using Word = std::pair<std::string_view, std::string_view>;

constexpr std::array kRemedies{
    Word{"28P01", "check the user in url and the password in password_file"},
    Word{"28000", "check the user in url, its LOGIN right and pg_hba.conf"},
    Word{"3D000", "create the database, or correct url"},
    Word{"3F000", "create the schema, or grant CREATE on the database"},
    Word{"42501",
         "grant the role CREATE on the database once, or USAGE and CREATE on the schema and all "
         "rights on its tables"},
    Word{"42P01",
         "a table is missing: within a minute it is made again and filled with every record"},
    Word{"42703", "a column is missing: within a minute it is added again and filled"},
    Word{"25006", "let url name the primary, or make the server writable"},
    Word{"53100", "free disk space on the server"},
    Word{"53200", "give the server more memory"},
    Word{"53300", "raise the server's max_connections, or close other clients"},
    Word{"0A000", "this server cannot do it: PostgreSQL 15 or newer is needed"},
    Word{"42P04", "another object has that name: rename it or choose another schema"},
    Word{"42P07", "another object has that name: rename it or choose another schema"},
};

constexpr std::array kDataExceptions{
    Word{"21000", "two rows of one statement have the same key"},
    Word{"22001", "a text is too long for its column"},
    Word{"22003", "a number is out of range"},
    Word{"22007", "a date or time cannot be read"},
    Word{"22008", "a date or time is out of range"},
    Word{"22021", "a text is not UTF-8"},
    Word{"22P02", "a value cannot be read as its column's type"},
    Word{"22P03", "a value has the wrong binary form"},
    Word{"22P05", "a character cannot be stored"},
    Word{"22023", "a parameter is invalid"},
    Word{"23502", "a value is missing"},
    Word{"23503", "a foreign key is violated"},
    Word{"23505", "a unique constraint is violated"},
    Word{"23514", "a check constraint is violated"},
    Word{"54000", "a limit of the server is exceeded"},
};

std::string_view look_up(const auto& words, std::string_view code) {
  for (const auto& [key, text] : words) {
    if (key == code) return text;
  }
  return {};
}

}  // namespace

ErrorKind classify(std::string_view sqlstate) {
  if (sqlstate.size() != 5) return ErrorKind::Transient;
  if (sqlstate == kFenced) return ErrorKind::Fatal;
  // Read-only: a standby or a server in recovery, which may be promoted. Not one of the rejections
  // below.
  if (sqlstate == "25006") return ErrorKind::Transient;
  const std::string_view group = sqlstate.substr(0, 2);
  if (group == "22" || group == "23" || group == "44" || group == "54" || sqlstate == "21000") {
    return ErrorKind::Rejected;
  }
  // Credentials, database, schema, privileges, and whatever someone did to our tables: all of class
  // 42 but what follows is a mistake of ours or a change of theirs, and no repeat by itself mends
  // it.
  if (group == "28" || group == "3D" || group == "3F" || group == "42" || group == "0A" ||
      group == "0L" || group == "0P" || group == "2B") {
    return ErrorKind::Blocked;
  }
  return ErrorKind::Transient;
}

std::string_view remedy(std::string_view sqlstate) {
  if (const auto text = look_up(kRemedies, sqlstate); !text.empty()) return text;
  if (classify(sqlstate) != ErrorKind::Blocked) return {};
  return sqlstate.starts_with("28") ? "check the user in url and pg_hba.conf"
                                    : "compare the schema with schemas/sql and mend what differs";
}

Error in_words(std::string_view doing, const Error& error) {
  std::string message = fmt::format("postgres: {}: {}", doing, error.message);
  if (!error.code.empty()) message += fmt::format(" ({})", error.code);
  if (const auto help = remedy(error.code); !help.empty()) message += fmt::format("; {}", help);
  return {error.kind, std::move(message), error.code};
}

std::string_view data_exception(std::string_view sqlstate) {
  if (classify(sqlstate) != ErrorKind::Rejected) return {};
  const auto text = look_up(kDataExceptions, sqlstate);
  return text.empty() ? "the server refused a value" : text;
}

}  // namespace headwater::postgres
