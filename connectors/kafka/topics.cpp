#include "connectors/kafka/topics.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace headwater::kafka {
namespace {

constexpr std::string_view kCustom = "custom:";

std::string in_ms(std::chrono::hours hours) {
  return fmt::format("{}", std::chrono::milliseconds(hours).count());
}

}  // namespace

TopicSpec Topics::spec(std::string_view kind, std::string_view entity) const {
  TopicSpec topic;
  topic.name = prefix_ + std::string(kind);
  if (!entity.empty()) {
    topic.name += '.';
    if (entity.substr(0, kCustom.size()) == kCustom) {
      topic.name += "custom.";
      entity.remove_prefix(kCustom.size());
    }
    topic.name += entity;
  }
  topic.partitions = partitions_;
  topic.replication = replication_;
  return topic;
}

TopicSpec Topics::changes(std::string_view entity) const {
  TopicSpec topic = spec("changes", entity);
  topic.settings = {{"cleanup.policy", "delete"}, {"retention.ms", in_ms(kChangesKept)}};
  return topic;
}

TopicSpec Topics::records(std::string_view entity) const {
  TopicSpec topic = spec("records", entity);
  topic.settings = {{"cleanup.policy", "compact"}, {"delete.retention.ms", in_ms(kTombstonesKept)}};
  return topic;
}

TopicSpec Topics::events(std::string_view event) const {
  TopicSpec topic = spec("events", event);
  topic.settings = {{"cleanup.policy", "delete"}, {"retention.ms", in_ms(kChangesKept)}};
  return topic;
}

TopicSpec Topics::cursors() const {
  TopicSpec topic = spec("cursors", {});
  topic.partitions = 1;
  // Read whole at every open: small segments, so that compaction reaches all but the last few
  // records.
  topic.settings = {{"cleanup.policy", "compact"},
                    {"delete.retention.ms", in_ms(kTombstonesKept)},
                    {"segment.bytes", "8388608"},
                    {"min.cleanable.dirty.ratio", "0.1"}};
  return topic;
}

TopicSpec Topics::quarantine() const {
  TopicSpec topic = spec("quarantine", {});
  topic.settings = {{"cleanup.policy", "delete"}, {"retention.ms", in_ms(kQuarantineKept)}};
  return topic;
}

std::vector<std::string> Topics::clashes(const std::vector<std::string>& entities) const {
  std::vector<std::string> out;
  std::map<std::string, const std::string*> seen;
  for (const std::string& entity : entities) {
    std::string folded = changes(entity).name;
    std::replace(folded.begin(), folded.end(), '.', '_');
    const auto [first, added] = seen.try_emplace(std::move(folded), &entity);
    if (added) continue;
    out.push_back(fmt::format(
        "the topics of {} ({}) and {} ({}) differ in '.' and '_' at most, which Kafka refuses: "
        "rename one of the two entities in the mapping",
        *first->second,
        changes(*first->second).name,
        entity,
        changes(entity).name));
  }
  return out;
}

Error hidden_topic(std::string_view name) {
  return blocked(
      fmt::format("kafka: topic {} exists, but the broker does not show it to us; grant Describe, "
                  "Read and Write on the topics of our prefix",
                  name));
}

Error missing_topic(const TopicSpec& topic, std::string_view brokers, const Creation& asked) {
  if (asked.existing.contains(topic.name)) return hidden_topic(topic.name);
  const auto command = create_command(topic, brokers);
  if (!asked.answered) {
    return transient(
        fmt::format("kafka: topic {} does not exist yet: its creation was not answered in time; "
                    "trying again. If that goes on, run: {}",
                    topic.name,
                    command));
  }
  if (asked.forbidden.contains(topic.name)) {
    return blocked(fmt::format(
        "kafka: topic {} does not exist and we may not create it, or it is not shown to us; grant "
        "Describe, Read and Write on the topics of our prefix, or run: {}",
        topic.name,
        command));
  }
  return blocked(fmt::format(
      "kafka: topic {} does not exist and could not be created; run: {}", topic.name, command));
}

std::string create_command(const TopicSpec& topic, std::string_view brokers) {
  std::string out =
      fmt::format("kafka-topics.sh --bootstrap-server {} --create --topic {} --partitions {}",
                  brokers,
                  topic.name,
                  topic.partitions);
  if (topic.replication > 0) out += fmt::format(" --replication-factor {}", topic.replication);
  for (const auto& [key, value] : topic.settings) out += fmt::format(" --config {}={}", key, value);
  return out;
}

}  // namespace headwater::kafka
