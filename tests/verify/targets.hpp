#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "schemas/core/result.hpp"
#include "tests/verify/truth.hpp"

namespace headwater::verify {

/// Living records of a target: rkey -> `"fields":…,"refs":…` as Expected::sections.
using Documents = std::map<std::string, std::string>;

/// What the changes topics say, read by the consumer rule (engineering.md 3.4).
struct ChangeHistory {
  std::uint64_t messages = 0;
  std::uint64_t late_repeats = 0;  ///< dropped: rev at or below the last of their org and partition
  std::uint64_t accepted = 0;
  std::vector<std::string> faults;  ///< lost, doubled or disordered changes, the first few
  std::map<std::string, std::string> last_message;  ///< rkey -> value of its last change
};

/// Hashes `<prefix>{<rkey>}:rec` with del = 0. `url`: redis://host:port/db.
Result<Documents> read_redis(const std::string& url, const std::string& prefix);

/// Last value per key of every records topic; a null value is no record.
Result<Documents> read_kafka_records(const std::string& brokers,
                                     const std::string& topic_prefix,
                                     std::map<std::string, std::string>* raw);

/// All changes topics. Between two changes of a record nothing may be missing: each `before`
/// carries the rev of the change before it, so a lost or doubled change breaks the chain.
Result<ChangeHistory> read_kafka_changes(const std::string& brokers,
                                         const std::string& topic_prefix);

/// Compares every entity table's living rows and their edges with the truth, column by column.
/// Returns the differences, the first few of them; `rows`: how many rows were read.
Result<std::vector<std::string>> compare_postgres(const std::string& url,
                                                  const std::string& schema,
                                                  const Truth& truth,
                                                  std::uint64_t* rows);

}  // namespace headwater::verify
