#include "tests/org/publish_stream.hpp"

#include <fmt/format.h>

#include <vector>

#include "tests/org/grpc_error.hpp"

namespace headwater::org {
namespace {

constexpr std::string_view kRpc = "PublishStream";

}  // namespace

grpc::Status publish(grpc::ServerContextBase& context,
                     std::string_view rpc,
                     PlatformEvents& platform,
                     const std::string& topic,
                     const eventbus::v1::PublishRequest& request,
                     eventbus::v1::PublishResponse& response) {
  using grpc::StatusCode;
  if (request.ByteSizeLong() > kPublishBytesMax) {
    return {StatusCode::UNAVAILABLE, "The request is larger than 4 MB."};
  }
  if (topic.empty()) {
    return pubsub_error(context,
                        rpc,
                        StatusCode::INVALID_ARGUMENT,
                        "publish.topic.validation.empty",
                        "The topic name is blank.");
  }
  const auto* event = platform.find_topic(topic);
  if (event == nullptr) {
    return pubsub_error(context,
                        rpc,
                        StatusCode::NOT_FOUND,
                        "topic.not.found",
                        fmt::format("The topic {} does not exist or takes no events.", topic));
  }
  if (request.events().empty()) {
    return pubsub_error(context,
                        rpc,
                        StatusCode::INVALID_ARGUMENT,
                        "publish.event.count.invalid",
                        "The request holds no events.");
  }
  std::vector<PlatformEvents::Draft> drafts;
  for (const auto& one : request.events())
    drafts.push_back({one.id(), one.schema_id(), one.payload()});
  const auto published = platform.publish(*event, drafts);
  response.Clear();
  for (int i = 0; i < request.events_size(); ++i) {
    const auto& what = published[static_cast<std::size_t>(i)];
    auto& result = *response.add_results();
    result.set_correlation_key(request.events(i).id());
    result.set_replay_id(what.replay_id);
    if (what.refused.empty()) continue;
    result.mutable_error()->set_code(eventbus::v1::PUBLISH);
    result.mutable_error()->set_msg(what.refused);
  }
  response.set_schema_id(event->schema_id);
  response.set_rpc_id(new_rpc_id());
  return grpc::Status::OK;
}

void PublishStream::begin(grpc::Status refused) {
  if (refused.ok()) {
    StartRead(&request_);
  } else {
    finish_with(std::move(refused));
  }
}

void PublishStream::finish_with(grpc::Status status) {
  {
    const std::lock_guard lock(mutex_);
    if (finished_) return;
    if (!ending_) status_ = std::move(status);
    ending_ = true;
    if (writing_) return;  // OnWriteDone comes back
    finished_ = true;
  }
  Finish(status_);
}

grpc::Status PublishStream::take_request() {
  if (topic_.empty()) {
    topic_ = request_.topic_name();
  } else if (!request_.topic_name().empty() && request_.topic_name() != topic_) {
    return pubsub_error(*context_,
                        kRpc,
                        grpc::StatusCode::INVALID_ARGUMENT,
                        "publish.topic.mismatch",
                        "The topic name of a stream cannot change.");
  }
  return publish(*context_, kRpc, platform_, topic_, request_, response_);
}

void PublishStream::OnReadDone(bool ok) {
  if (!ok) return finish_with(grpc::Status::OK);  // the client is done, or gone
  grpc::Status status;
  {
    const std::lock_guard lock(mutex_);
    if (ending_) return;
    status = take_request();
    if (status.ok()) {
      published_at_ = std::chrono::steady_clock::now();
      writing_ = true;
    }
  }
  if (!status.ok()) return finish_with(std::move(status));
  StartWrite(&response_);
}

void PublishStream::OnWriteDone(bool ok) {
  bool ending;
  {
    const std::lock_guard lock(mutex_);
    writing_ = false;
    ending = ending_;
  }
  if (ending || !ok) return finish_with(grpc::Status::OK);
  StartRead(&request_);
}

void PublishStream::OnDone() {
  const auto gone = std::move(on_gone);  // it destroys this stream
  gone();
}

void PublishStream::tick() {
  {
    const std::lock_guard lock(mutex_);
    if (ending_ || std::chrono::steady_clock::now() - published_at_ < timeout_) return;
  }
  finish_with(pubsub_error(*context_,
                           kRpc,
                           grpc::StatusCode::UNAVAILABLE,
                           "publish.stream.sweeper.timeout",
                           "No events were published on the stream for too long."));
}

void PublishStream::end(const StreamEnd& how) {
  finish_with(how.clean ? grpc::Status::OK
                        : pubsub_error(*context_,
                                       kRpc,
                                       static_cast<grpc::StatusCode>(how.status),
                                       how.error_code,
                                       "The stream was ended by the service."));
}

}  // namespace headwater::org
