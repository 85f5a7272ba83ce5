#pragma once

#include <pubsub_api.grpc.pb.h>

#include <chrono>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

#include "tests/org/platform.hpp"
#include "tests/org/pubsub_service.hpp"

namespace headwater::org {

/// A larger request fails as a whole (Pub/Sub API guide, "Pub/Sub API Allocations").
inline constexpr std::size_t kPublishBytesMax = 4U << 20;

/// Publishes the events of one request to `topic`; one result for each, in order. Not OK: nothing
/// was published, and a stream ends. Used by Publish and PublishStream.
grpc::Status publish(grpc::ServerContextBase& context,
                     std::string_view rpc,
                     PlatformEvents& platform,
                     const std::string& topic,
                     const eventbus::v1::PublishRequest& request,
                     eventbus::v1::PublishResponse& response);

/// One PublishStream call: reads a request, publishes it, writes what came of it, reads the next.
/// It ends when no request with events came for `publish_timeout`. gRPC's threads and the ticker
/// meet under one mutex; gRPC is called without it.
class PublishStream final
    : public grpc::ServerBidiReactor<eventbus::v1::PublishRequest, eventbus::v1::PublishResponse> {
 public:
  PublishStream(grpc::CallbackServerContext* context,
                PlatformEvents& platform,
                Millis publish_timeout)
      : context_(context), platform_(platform), timeout_(publish_timeout) {}

  /// REQUIRES: called once, after the stream is in the registry. Refuses at once if `refused` is
  /// not OK.
  void begin(grpc::Status refused);
  void tick();
  void end(const StreamEnd& how);
  /// Told once when gRPC is done with this stream; set by the registry.
  std::function<void()> on_gone;

 private:
  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override {}
  void OnDone() override;

  grpc::Status take_request();
  void finish_with(grpc::Status status);

  grpc::CallbackServerContext* const context_;
  PlatformEvents& platform_;
  const Millis timeout_;

  std::mutex mutex_;
  eventbus::v1::PublishRequest request_;
  eventbus::v1::PublishResponse response_;
  std::string topic_;
  bool writing_ = false;   ///< finishing waits for it
  bool finished_ = false;  ///< Finish was called
  bool ending_ = false;    ///< status_ is to be sent
  grpc::Status status_;
  std::chrono::steady_clock::time_point published_at_ = std::chrono::steady_clock::now();
};

}  // namespace headwater::org
