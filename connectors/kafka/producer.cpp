#include "connectors/kafka/producer.hpp"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include <algorithm>

#include "connectors/kafka/errors.hpp"

namespace headwater::kafka {
namespace {

/// Delivery reports are taken after so many messages, so that they do not pile up during a large
/// write.
constexpr std::size_t kPollEvery = 512;

int left_ms(Deadline deadline) {
  const auto left =
      std::chrono::duration_cast<Millis>(deadline - std::chrono::steady_clock::now()).count();
  return static_cast<int>(std::max<std::int64_t>(left, 0));
}

rd_kafka_headers_t* headers_of(const HeaderList& list) {
  rd_kafka_headers_t* headers = rd_kafka_headers_new(list.size());
  for (std::size_t i = 0; i < list.size(); ++i) {
    const auto [name, value] = list[i];
    rd_kafka_header_add(headers,
                        name.data(),
                        static_cast<ssize_t>(name.size()),
                        value.data(),
                        static_cast<ssize_t>(value.size()));
  }
  return headers;
}

/// The parts that every message has; the number of them.
std::size_t begin_parts(rd_kafka_vu_t* parts,
                        const Producer::Topic& topic,
                        std::string_view key,
                        int flags) {
  parts[0].vtype = RD_KAFKA_VTYPE_RKT;
  parts[0].u.rkt = topic.handle;
  parts[1].vtype = RD_KAFKA_VTYPE_KEY;
  parts[1].u.mem = {const_cast<char*>(key.data()), key.size()};
  parts[2].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
  parts[2].u.i = flags;
  return 3;
}

void add_value(rd_kafka_vu_t& part, std::string_view value) {
  part.vtype = RD_KAFKA_VTYPE_VALUE;
  part.u.mem = {const_cast<char*>(value.data()), value.size()};
}

}  // namespace

Result<std::unique_ptr<Producer>> Producer::create(const KafkaConfig& config,
                                                   const std::string& transactional_id,
                                                   TopicEnds& ends) {
  std::unique_ptr<Producer> producer{new Producer(ends)};
  Client::Options options;
  options.role = transactional_id.empty() ? Client::Role::Producer : Client::Role::Transactional;
  options.transactional_id = transactional_id;
  options.on_delivery = &Producer::on_delivery;
  options.owner = producer.get();
  auto client = Client::create(config, options);
  if (!client) return std::move(client).error();
  producer->client_ = std::move(client).value();
  return producer;
}

void add_gap(Gaps& gaps, const Range& gap) {
  const auto [found, added] = gaps.try_emplace({gap.topic, gap.partition}, gap);
  if (added) return;
  found->second.from = std::min(found->second.from, gap.from);
  found->second.to = std::max(found->second.to, gap.to);
}

Producer::~Producer() {
  if (client_ == nullptr) return;
  rd_kafka_purge(client_->handle(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  rd_kafka_flush(client_->handle(), 0);  // takes the reports of what was purged
  for (auto& [name, topic] : topics_) rd_kafka_topic_destroy(topic.handle);
}

void Producer::on_delivery(rd_kafka_s*, const rd_kafka_message_s* message, void* owner) {
  auto* self = static_cast<Producer*>(owner);
  auto* topic = static_cast<Topic*>(rd_kafka_topic_opaque(message->rkt));
  if (message->_private != nullptr) {
    self->take_back(*message, *static_cast<HeaderPool::Set*>(message->_private));
  }
  if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    // Purged ones follow an error that says why.
    const bool purged = message->err == RD_KAFKA_RESP_ERR__PURGE_QUEUE ||
                        message->err == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT;
    self->purged_ = self->purged_ || purged;
    if (self->failed_ == 0 && !purged) {
      self->failed_ = message->err;
      self->failed_topic_ = rd_kafka_topic_name(message->rkt);
    }
    return;
  }
  // A repeat that the broker recognised has no offset: the end then stays lower, which is only
  // cautious.
  const auto partition = static_cast<std::size_t>(message->partition);
  if (partition >= topic->ends->size()) {
    // Partitions were added while we ran, so keys move: opening again sees it and starts over.
    self->failed_ = RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION;
    self->failed_topic_ = rd_kafka_topic_name(message->rkt);
    return;
  }
  auto& end = (*topic->ends)[partition];
  if (message->offset >= 0 && message->offset < end) {
    // The broker took it without a word: an unknown topic has no sequence to compare.
    self->failed_ = RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE;
    self->failed_topic_ = self->made_anew_ = rd_kafka_topic_name(message->rkt);
    return;
  }
  if (topic->gaps != nullptr && message->offset > end) {
    const std::string name = rd_kafka_topic_name(message->rkt);
    add_gap(*topic->gaps, {name, message->partition, end, message->offset});
  }
  end = std::max(end, message->offset + 1);
  if (topic->offsets != nullptr) topic->offsets->push_back(message->offset);
}

Producer::Topic& Producer::topic(const std::string& name) {
  auto [found, added] = topics_.try_emplace(name);
  Topic& topic = found->second;
  if (added) {
    topic.ends = &ends_.at(name);
    rd_kafka_topic_conf_t* conf = rd_kafka_default_topic_conf_dup(client_->handle());
    rd_kafka_topic_conf_set_opaque(conf, &topic);
    topic.handle = rd_kafka_topic_new(client_->handle(), name.c_str(), conf);
    HEADWATER_ASSERT(topic.handle != nullptr);
  }
  return topic;
}

/// What a delivered or refused message no longer needs.
void Producer::take_back(const rd_kafka_message_s& message, HeaderPool::Set& set) {
  rd_kafka_headers_t* headers = nullptr;
  rd_kafka_message_detach_headers(const_cast<rd_kafka_message_t*>(&message), &headers);
  HEADWATER_ASSERT(headers == set.handle);
  if (set.chunk != nullptr) values_.let_go(*set.chunk);
  header_pool_.give_back(set);
}

Result<void> Producer::produce(Topic& topic,
                               std::string_view key,
                               std::optional<std::string_view> value,
                               const HeaderList& headers,
                               Deadline deadline) {
  rd_kafka_vu_t parts[5];
  std::size_t count = begin_parts(parts, topic, key, RD_KAFKA_MSG_F_COPY);
  if (value) add_value(parts[count++], *value);
  rd_kafka_headers_t* own_headers = nullptr;
  if (headers.size() != 0) {
    own_headers = headers_of(headers);
    parts[count].vtype = RD_KAFKA_VTYPE_HEADERS;
    parts[count++].u.headers = own_headers;
  }
  auto done = hand_over(parts, count, topic, key, value ? value->size() : 0, deadline);
  if (!done && own_headers != nullptr) rd_kafka_headers_destroy(own_headers);
  return done;
}

Result<void> Producer::produce(Topic& topic,
                               std::string_view key,
                               std::optional<ValueStore::Value> value,
                               HeaderPool::Set& headers,
                               Deadline deadline) {
  rd_kafka_vu_t parts[6];
  std::size_t count = begin_parts(parts, topic, key, 0);
  if (value) add_value(parts[count++], value->text);
  parts[count].vtype = RD_KAFKA_VTYPE_HEADERS;
  parts[count++].u.headers = headers.handle;
  parts[count].vtype = RD_KAFKA_VTYPE_OPAQUE;
  parts[count++].u.ptr = &headers;
  headers.out = true;  // from here on the report may come
  headers.chunk = value ? value->chunk : nullptr;
  auto done = hand_over(parts, count, topic, key, value ? value->text.size() : 0, deadline);
  if (!done) {
    if (headers.chunk != nullptr) values_.let_go(*headers.chunk);
    header_pool_.give_back(headers);
  }
  return done;
}

Result<void> Producer::hand_over(const rd_kafka_vu_s* parts,
                                 std::size_t count,
                                 const Topic& topic,
                                 std::string_view key,
                                 std::size_t size,
                                 Deadline deadline) {
  // Before, not after: what was handed over last is not reported, and so in place, until the next
  // message is on its way.
  if (++since_poll_ >= kPollEvery) {
    since_poll_ = 0;
    rd_kafka_poll(client_->handle(), 0);
  }
  for (;;) {
    rd_kafka_error_t* error = rd_kafka_produceva(client_->handle(), parts, count);
    if (error == nullptr) return {};
    if (rd_kafka_error_code(error) == RD_KAFKA_RESP_ERR__QUEUE_FULL && left_ms(deadline) > 0) {
      rd_kafka_error_destroy(error);
      rd_kafka_poll(client_->handle(), std::min(left_ms(deadline), 50));
      continue;
    }
    return settle(
        error,
        fmt::format("send {} ({} bytes) to {}", key, size, rd_kafka_topic_name(topic.handle)));
  }
}

void Producer::shrink() {
  values_.shrink();
  header_pool_.shrink();
}

Result<void> Producer::wait(Deadline deadline) {
  const auto err = rd_kafka_flush(client_->handle(), left_ms(deadline));
  if (failed_ != 0) {
    const int code = std::exchange(failed_, 0);
    return client_->error(code, fmt::format("deliver to {}", failed_topic_));
  }
  char why[512] = "";
  if (const auto fatal_code = rd_kafka_fatal_error(client_->handle(), why, sizeof why);
      fatal_code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return client_->error(fatal_code, "deliver", why);
  }
  if (err != RD_KAFKA_RESP_ERR_NO_ERROR || std::exchange(purged_, false)) {
    return client_->error(
        err != RD_KAFKA_RESP_ERR_NO_ERROR ? err : RD_KAFKA_RESP_ERR__PURGE_QUEUE,
        fmt::format("deliver: {} messages without a report", rd_kafka_outq_len(client_->handle())));
  }
  return {};
}

Result<void> Producer::settle(rd_kafka_error_s* error, std::string_view doing) {
  if (error == nullptr) return {};
  Error out = client_->error(rd_kafka_error_code(error), doing, rd_kafka_error_string(error));
  rd_kafka_error_destroy(error);
  return out;
}

Result<void> Producer::init_transactions(Deadline deadline) {
  return settle(rd_kafka_init_transactions(client_->handle(), left_ms(deadline)),
                "take over our transactional id");
}

Result<void> Producer::begin() {
  failed_ = 0;
  purged_ = false;
  return settle(rd_kafka_begin_transaction(client_->handle()), "begin a transaction");
}

Result<void> Producer::commit(Deadline deadline) {
  auto done = settle(rd_kafka_commit_transaction(client_->handle(), left_ms(deadline)),
                     "commit a transaction");
  if (failed_ != 0) {
    // The delivery that failed says more than the commit that therefore could not be.
    const int code = std::exchange(failed_, 0);
    return client_->error(code, fmt::format("deliver to {}", failed_topic_));
  }
  return done;
}

Result<void> Producer::abort(Deadline deadline) {
  return settle(rd_kafka_abort_transaction(client_->handle(), left_ms(deadline)),
                "abort a transaction");
}

}  // namespace headwater::kafka
