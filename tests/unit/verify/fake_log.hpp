#pragma once

#include <string>
#include <vector>

#include "connectors/kafka/log_reader.hpp"

namespace headwater::verify {

/// Topics with one partition each, in memory.
class FakeLog final : public kafka::LogReader {
 public:
  struct Message {
    std::string topic, key;
    std::optional<std::string> value;
    std::uint64_t rev = 0, epoch = 1;
  };
  FakeLog() : LogReader({}) {}

  std::vector<Message> messages;
  std::int64_t begins_at = 0;  ///< of every topic: what was before is gone
  std::uint64_t cursor_rev = 0;

  Result<Extent> extent(const std::string& kind) override {
    Extent out;
    for (const auto& message : messages) {
      if (!message.topic.starts_with("crm." + kind)) continue;
      out.first[message.topic] = {begins_at};
      out.ends.try_emplace(message.topic, std::vector<std::int64_t>{begins_at}).first->second[0]++;
    }
    return out;
  }
  Result<void> read(const kafka::TopicEnds& from,
                    const kafka::TopicEnds& to,
                    const std::function<void(const kafka::ReadMessage&)>& each) override {
    std::map<std::string, std::int64_t> next;
    for (const auto& message : messages) {
      const auto offset = begins_at + next[message.topic]++;
      const auto end = to.find(message.topic);
      if (end == to.end() || offset >= end->second[0]) continue;
      if (const auto begin = from.find(message.topic);
          begin != from.end() && offset < begin->second[0])
        continue;
      kafka::ReadMessage read;
      read.topic = message.topic;
      read.key = message.key;
      read.offset = offset;
      if (message.value) read.value = *message.value;
      read.org = "demo";
      read.rev = message.rev;
      read.epoch = message.epoch;
      each(read);
    }
    return {};
  }
  Result<std::optional<kafka::CursorRecord>> cursor(const std::string&,
                                                    const std::string&) override {
    kafka::CursorRecord out;
    out.ledger = "L1";
    out.rev = Rev{cursor_rev};
    out.epoch = 1;
    return std::optional(out);
  }
};

}  // namespace headwater::verify
