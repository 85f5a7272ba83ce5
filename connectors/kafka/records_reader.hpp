#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/kafka/config.hpp"
#include "connectors/kafka/log_reader.hpp"
#include "connectors/target_reader.hpp"

namespace headwater::kafka {

/// The records topics as a target: what stands under a record's key is its last message there.
///
/// A log cannot be asked for one key: read() and each_key() read all of it each, so they are asked
/// seldom, and for many records at once. Where a record lives in the topic of an entity that its
/// object has left, that message is what is held: nothing right. Memory: the messages of the
/// records asked for.
class RecordsReader final : public TargetReader {
 public:
  /// `sink`: its name, as in the cursors topic.
  RecordsReader(KafkaConfig config, std::string sink)
      : config_(std::move(config)), sink_(std::move(sink)) {}

  Result<void> open() override;
  Result<std::optional<Cursor>> cursor(const std::string& org) override;
  Result<std::vector<std::optional<Held>>> read(std::span<const RecordName> names) override;
  Result<void> each_key(const std::string& org, const KeyVisitor& visit) override;
  bool is_log() const override { return true; }

 private:
  const KafkaConfig config_;
  const std::string sink_;
  std::unique_ptr<LogReader> reader_;
};

}  // namespace headwater::kafka
