#include "tests/org/subscribe_stream.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "tests/org/grpc_error.hpp"

namespace headwater::org {
namespace {

constexpr std::string_view kRpc = "Subscribe";
/// Most bytes of events in one response (salesforce.md 1.6: summarised as 3 MB).
constexpr std::size_t kResponseBytesMax = 3'000'000;

/// The id of an event: a UUID, as captures show; the same whenever it is delivered.
void set_uuid(std::string& out, std::uint64_t replay) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  out.assign("00000000-0000-4000-8000-000000000000");
  std::uint64_t mixed = replay * 0x9e3779b97f4a7c15U;
  for (std::size_t at = 0; at < 8; ++at, mixed >>= 4) out[at] = kDigits[mixed & 15];
  for (std::size_t at = out.size(); at-- > 24; replay >>= 4) out[at] = kDigits[replay & 15];
}

}  // namespace

Topic find_topic(const Catalog& catalog,
                 Bus& changes,
                 PlatformEvents& platform,
                 std::string_view name) {
  if (name == "/data/ChangeEvents") return {&changes, nullptr};
  for (const auto& object : catalog.objects()) {
    if (object->captured && object->topic() == name) return {&changes, object.get()};
  }
  const auto* event = platform.find_topic(name);
  if (event != nullptr) return {&platform.bus_of(*event), event};
  return {};
}

SubscribeStream::SubscribeStream(std::uint64_t id,
                                 grpc::CallbackServerContext* context,
                                 World world)
    : id_(id), context_(context), world_(world), last_response_(std::chrono::steady_clock::now()) {}

void SubscribeStream::begin(grpc::Status refused) {
  if (refused.ok()) {
    StartRead(&request_);
    return;
  }
  finish_with(std::move(refused));
  advance();
}

grpc::Status SubscribeStream::fail(grpc::StatusCode status,
                                   std::string_view code,
                                   std::string_view message) {
  return pubsub_error(*context_, kRpc, status, code, message);
}

void SubscribeStream::finish_with(grpc::Status status) {
  const std::lock_guard lock(mutex_);
  if (ending_) return;
  ending_ = true;
  status_ = std::move(status);
}

void SubscribeStream::end(const StreamEnd& how) {
  {
    const std::lock_guard lock(mutex_);
    if (ending_) return;
    ending_ = true;
    status_ = how.clean ? grpc::Status::OK
                        : fail(static_cast<grpc::StatusCode>(how.status),
                               how.error_code,
                               "The stream was ended by the service.");
  }
  advance();
}

void SubscribeStream::OnReadDone(bool ok) {
  if (!ok) {
    finish_with(grpc::Status::OK);  // the client is done, or gone
    advance();
    return;
  }
  bool more = false;
  {
    const std::lock_guard lock(mutex_);
    if (!ending_) take_request();
    more = !ending_;
  }
  if (more) StartRead(&request_);
  advance();
}

void SubscribeStream::take_request() {
  using grpc::StatusCode;
  grpc::Status status;
  if (request_.num_requested() <= 0) {
    status = fail(StatusCode::INVALID_ARGUMENT,
                  "subscription.fetch.requested.events.invalid",
                  "The number of requested events must be greater than zero.");
  } else if (!positioned_) {
    status = position(request_);
  } else if (!request_.topic_name().empty() && request_.topic_name() != topic_name_) {
    status = fail(StatusCode::INVALID_ARGUMENT,
                  "subscription.fetch.topic.mismatch",
                  "The topic name of a stream cannot change.");
  }
  if (!status.ok()) {
    ending_ = true;
    status_ = std::move(status);
    return;
  }
  outstanding_ += request_.num_requested();
  credit_max_ = std::max(credit_max_, outstanding_);
  outstanding_ = std::min(outstanding_, kCreditMax);
}

grpc::Status SubscribeStream::position(const eventbus::v1::FetchRequest& request) {
  using grpc::StatusCode;
  topic_name_ = request.topic_name();
  if (topic_name_.empty()) {
    return fail(StatusCode::INVALID_ARGUMENT, "topic.validation.empty", "The topic name is blank.");
  }
  const auto held = world_.catalog.hold();
  topic_ = find_topic(world_.catalog, world_.changes, world_.platform, topic_name_);
  if (topic_.bus == nullptr) {
    return fail(StatusCode::NOT_FOUND,
                "topic.not.found",
                fmt::format("The topic {} does not exist or change data capture is not enabled.",
                            topic_name_));
  }
  if (const auto code = world_.faults.refused_topic(topic_name_); code == Faults::kLimitExceeded) {
    return fail(StatusCode::RESOURCE_EXHAUSTED,
                code,
                "You have exceeded the limit of events delivered in 24 hours.");
  } else if (!code.empty()) {
    return fail(StatusCode::PERMISSION_DENIED, code, "You do not have access to the topic.");
  }
  switch (request.replay_preset()) {
    case eventbus::v1::EARLIEST:
      cursor_ = topic_.bus->earliest();
      break;
    case eventbus::v1::CUSTOM: {
      if (request.replay_id().empty()) {
        return fail(StatusCode::INVALID_ARGUMENT,
                    "subscription.fetch.replayid.validation.failed",
                    "A custom replay needs a replay id.");
      }
      const auto after = topic_.bus->after(request.replay_id(), topic_.object);
      if (!after || world_.faults.take_position(topic_name_)) {
        return fail(StatusCode::INVALID_ARGUMENT,
                    "subscription.fetch.replayid.corrupted",
                    "The replay id is invalid, or outside the retention window.");
      }
      cursor_ = *after;
      break;
    }
    default:
      cursor_ = topic_.bus->latest();
  }
  positioned_ = true;
  return grpc::Status::OK;
}

void SubscribeStream::OnWriteDone(bool ok) {
  {
    const std::lock_guard lock(mutex_);
    writing_ = false;
    if (!ok && !ending_) {
      ending_ = true;
      status_ = grpc::Status::OK;
    }
  }
  advance();
}

void SubscribeStream::OnDone() {
  const auto gone = std::move(on_gone);  // it destroys this stream
  gone();
}

void SubscribeStream::advance() {
  Next next;
  {
    const std::lock_guard lock(mutex_);
    next = decide();
  }
  if (next == Next::Write) StartWrite(&response_);
  if (next == Next::Finish) Finish(status_);
}

SubscribeStream::Next SubscribeStream::decide() {
  if (finished_ || writing_) return Next::Nothing;
  if (ending_) {
    finished_ = true;
    return Next::Finish;
  }
  const auto now = std::chrono::steady_clock::now();
  if (outstanding_ == 0) {
    if (now - last_response_ < world_.settings.credit_timeout) return Next::Nothing;
    finished_ = ending_ = true;
    status_ = grpc::Status::OK;
    return Next::Finish;
  }
  const std::int64_t withheld = world_.faults.half_credit_withheld ? kCreditMax / 2 : 0;
  const auto room = outstanding_ - withheld;
  if (room > 0 && !world_.faults.events_held && topic_.bus->has_more(cursor_, topic_.object)) {
    const Millis latency(world_.faults.latency_ms);
    if (!waiting_since_) waiting_since_ = now;
    if (now - *waiting_since_ < latency) return Next::Nothing;  // a tick will come
    waiting_since_.reset();
    fill_batch(room);
  } else {
    if (world_.faults.keepalives_off) return Next::Nothing;
    if (now - last_response_ < world_.settings.keepalive_interval) return Next::Nothing;
    response_.clear_events();
    if (const auto tip = topic_.bus->tip(cursor_, topic_.object)) {
      response_.set_latest_replay_id(*tip);
    } else if (response_.latest_replay_id().empty()) {
      return Next::Nothing;  // credit is withheld and nothing was told yet: no position to tell
    }
  }
  response_.set_rpc_id(new_rpc_id());
  response_.set_pending_num_requested(static_cast<std::int32_t>(outstanding_));
  last_response_ = now;
  writing_ = true;
  return Next::Write;
}

void SubscribeStream::fill_batch(std::int64_t room) {
  auto& events = *response_.mutable_events();
  events.Clear();
  std::size_t bytes = 0;
  std::uint64_t last = 0;
  const auto taken = topic_.bus->read(cursor_,
                                      topic_.object,
                                      static_cast<std::size_t>(std::min(room, kCreditMax)),
                                      [&](const BusEvent& event) {
                                        auto& consumer = *events.Add();
                                        auto& producer = *consumer.mutable_event();
                                        if (event.uuid.empty()) {
                                          set_uuid(*producer.mutable_id(), event.replay);
                                        } else {
                                          producer.mutable_id()->assign(event.uuid);
                                        }
                                        producer.mutable_schema_id()->assign(event.schema_id);
                                        producer.mutable_payload()->assign(event.payload);
                                        put_replay(*consumer.mutable_replay_id(), event.replay);
                                        last = event.replay;
                                        bytes += event.payload.size();
                                        return bytes < kResponseBytesMax;
                                      });
  outstanding_ -= static_cast<std::int64_t>(taken);
  delivered_ += taken;
  put_replay(*response_.mutable_latest_replay_id(), last);
}

StreamStats SubscribeStream::stats() const {
  const std::lock_guard lock(mutex_);
  return {id_, topic_name_, delivered_, outstanding_, !finished_};
}

std::int64_t SubscribeStream::credit_max() const {
  const std::lock_guard lock(mutex_);
  return credit_max_;
}

}  // namespace headwater::org
