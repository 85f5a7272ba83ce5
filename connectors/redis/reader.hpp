#pragma once

#include <optional>
#include <string>
#include <vector>

#include "connectors/redis/client.hpp"
#include "connectors/redis/config.hpp"
#include "connectors/target_reader.hpp"

namespace headwater::redis {

/// Reads the sink's keys as they are: records, and whether the relation sets that a record's
/// document names hold it.
class RedisReader final : public TargetReader {
 public:
  explicit RedisReader(RedisConfig config) : config_(std::move(config)) {}

  Result<void> open() override;
  Result<std::optional<Cursor>> cursor(const std::string& org) override;
  Result<std::vector<std::optional<headwater::Held>>> read(
      std::span<const RecordName> names) override;
  Result<void> each_key(const std::string& org, const KeyVisitor& visit) override;
  /// Members of relation sets whose records are gone or name another target.
  Result<std::vector<std::string>> strays(const std::string& org, std::size_t most) override;

 private:
  Result<void> strays_of_set(const std::string& set,
                             std::size_t most,
                             std::vector<std::string>& out);
  std::string pattern(const std::string& org, std::string_view tail) const;
  Result<void> visit_living(std::vector<std::string> keys, const KeyVisitor& visit);

  const RedisConfig config_;
  std::optional<Client> client_;
};

}  // namespace headwater::redis
