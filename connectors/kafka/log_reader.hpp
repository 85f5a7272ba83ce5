#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "connectors/kafka/client.hpp"
#include "connectors/kafka/config.hpp"
#include "connectors/kafka/cursor_record.hpp"
#include "connectors/kafka/reader.hpp"

namespace headwater::kafka {

/// Reads our topics as a consumer would, for comparing: committed messages alone if the sink uses
/// transactions. Never writes, joins no group. One thread; librdkafka stays inside.
class LogReader {
 public:
  virtual ~LogReader() = default;
  /// Transient, Blocked: the brokers cannot be reached or refuse us.
  static Result<std::unique_ptr<LogReader>> open(const KafkaConfig& config);

  /// Where the topics whose names begin with `topic_prefix` + `kind` (`changes.`, `records.`) begin
  /// and end now.
  struct Extent {
    TopicEnds first, ends;
  };
  virtual Result<Extent> extent(const std::string& kind);
  /// Every message from `from` to `to`, partitions side by side, each in its order. A topic or
  /// partition that `from` lacks is read from its beginning.
  virtual Result<void> read(const TopicEnds& from,
                            const TopicEnds& to,
                            const std::function<void(const ReadMessage&)>& each);
  /// The newest cursor record of the sink and org; nothing: there is none.
  virtual Result<std::optional<CursorRecord>> cursor(const std::string& sink,
                                                     const std::string& org);

 protected:
  explicit LogReader(const KafkaConfig& config) : config_(config) {}

 private:
  const KafkaConfig config_;
  std::unique_ptr<Client> client_;
};

}  // namespace headwater::kafka
