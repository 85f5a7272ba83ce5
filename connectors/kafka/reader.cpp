#include "connectors/kafka/reader.hpp"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include <charconv>
#include <chrono>
#include <map>
#include <memory>
#include <vector>

#include "connectors/kafka/errors.hpp"
#include "connectors/kafka/headers.hpp"

namespace headwater::kafka {
namespace {

using Deadline = std::chrono::steady_clock::time_point;

std::string_view header(const rd_kafka_headers_t* headers, std::string_view name) {
  const void* value = nullptr;
  std::size_t size = 0;
  // Names are literals, so they end in a zero byte.
  if (rd_kafka_header_get_last(headers, name.data(), &value, &size) != RD_KAFKA_RESP_ERR_NO_ERROR ||
      value == nullptr) {
    return {};
  }
  return {static_cast<const char*>(value), size};
}

std::uint64_t number(std::string_view text) {
  std::uint64_t out = 0;
  std::from_chars(text.data(), text.data() + text.size(), out);
  return out;
}

ReadMessage view_of(const rd_kafka_message_t& message) {
  ReadMessage out;
  out.topic = rd_kafka_topic_name(message.rkt);
  out.partition = message.partition;
  out.offset = message.offset;
  if (message.key != nullptr) out.key = {static_cast<const char*>(message.key), message.key_len};
  if (message.payload != nullptr) {
    out.value = std::string_view{static_cast<const char*>(message.payload), message.len};
  }
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(&message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR) {
    out.org = header(headers, kOrgHeader);
    out.op = header(headers, kOpHeader);
    out.rev = number(header(headers, kRevHeader));
    out.epoch = number(header(headers, kEpochHeader));
    out.retried = !header(headers, kRetriedHeader).empty();
  }
  return out;
}

/// The ranges being read, all into one queue. Stops what it started.
class Reading {
 public:
  Reading(Client& client,
          std::span<const Range> ranges,
          const std::function<void(const ReadMessage&)>& each)
      : client_(client), each_(each), queue_(rd_kafka_queue_new(client.handle())) {
    for (const Range& range : ranges) {
      if (range.from < range.to)
        open_.emplace(std::pair(range.topic, range.partition), Part{&range, nullptr});
    }
  }
  ~Reading() {
    for (auto& [name, part] : open_) stop(part);
    rd_kafka_queue_destroy(queue_);
    for (auto& [name, topic] : topics_) rd_kafka_topic_destroy(topic);
  }
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;

  Result<void> start() {
    for (auto& [name, part] : open_) {
      auto& topic = topics_[name.first];
      if (topic == nullptr)
        topic = rd_kafka_topic_new(client_.handle(), name.first.c_str(), nullptr);
      if (topic == nullptr ||
          rd_kafka_consume_start_queue(topic, name.second, part.range->from, queue_) != 0) {
        return client_.error(rd_kafka_last_error(),
                             fmt::format("read {}[{}]", name.first, name.second));
      }
      part.topic = topic;
    }
    return {};
  }

  bool done() const { return open_.empty(); }

  /// Takes what has come. True if anything did.
  Result<bool> step() {
    constexpr std::size_t kBatch = 1'000;
    rd_kafka_message_t* messages[kBatch];
    const auto count = rd_kafka_consume_batch_queue(queue_, 100, messages, kBatch);
    Result<bool> out = count > 0;
    for (ssize_t i = 0; i < count; ++i) {
      if (out.ok()) {
        if (auto taken = take(*messages[i]); !taken) out = std::move(taken).error();
      }
      rd_kafka_message_destroy(messages[i]);
    }
    return out;
  }

  /// For the sentence about a stall.
  std::string first_open() const {
    return fmt::format("{}[{}]", open_.begin()->first.first, open_.begin()->first.second);
  }

 private:
  struct Part {
    const Range* range;
    rd_kafka_topic_t* topic;
  };

  Result<void> take(const rd_kafka_message_t& message) {
    if (message.rkt == nullptr) return client_.error(message.err, "read our topics");
    // Messages come in runs of one partition.
    if (last_ == open_.end() || last_->second.topic != message.rkt ||
        last_->first.second != message.partition) {
      last_ =
          open_.find(std::pair(std::string(rd_kafka_topic_name(message.rkt)), message.partition));
    }
    if (last_ == open_.end()) return {};  // beyond the range, already fetched
    const auto found = last_;
    Part& part = found->second;
    std::int64_t next = message.offset;
    if (message.err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      if (message.offset < part.range->to) each_(view_of(message));
      ++next;
    } else if (message.err != RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      return client_.error(message.err, "read " + first_open(), rd_kafka_message_errstr(&message));
    }
    // An end before `to`: an open transaction holds committed readers back, more will come.
    if (next >= part.range->to) {
      stop(part);
      open_.erase(found);
      last_ = open_.end();
    }
    return {};
  }

  static void stop(const Part& part) {
    if (part.topic != nullptr) rd_kafka_consume_stop(part.topic, part.range->partition);
  }

  Client& client_;
  const std::function<void(const ReadMessage&)>& each_;
  rd_kafka_queue_t* queue_;
  std::map<std::pair<std::string, std::int32_t>, Part> open_;
  std::map<std::pair<std::string, std::int32_t>, Part>::iterator last_ = open_.end();
  std::map<std::string, rd_kafka_topic_t*> topics_;
};

}  // namespace

Result<void> read_ranges(Client& client,
                         std::span<const Range> ranges,
                         Millis stall,
                         const std::function<void(const ReadMessage&)>& each) {
  Reading reading(client, ranges, each);
  if (auto started = reading.start(); !started) return started;
  Deadline deadline = std::chrono::steady_clock::now() + stall;
  while (!reading.done()) {
    auto moved = reading.step();
    if (!moved) return std::move(moved).error();
    if (*moved) deadline = std::chrono::steady_clock::now() + stall;
    if (std::chrono::steady_clock::now() > deadline) {
      return client.error(RD_KAFKA_RESP_ERR__TIMED_OUT, "read " + reading.first_open());
    }
  }
  return {};
}

}  // namespace headwater::kafka
