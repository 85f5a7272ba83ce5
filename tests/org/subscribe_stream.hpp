#pragma once

#include <pubsub_api.grpc.pb.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "tests/org/bus.hpp"
#include "tests/org/faults.hpp"
#include "tests/org/platform.hpp"
#include "tests/org/pubsub_service.hpp"

namespace headwater::org {

/// What a topic's name stands for.
struct Topic {
  Bus* bus = nullptr;                 ///< null: there is no such topic
  const ObjectDef* object = nullptr;  ///< null: all objects
};
Topic find_topic(const Catalog& catalog,
                 Bus& changes,
                 PlatformEvents& platform,
                 std::string_view name);

/// Most events outstanding on a stream; more asked for counts as this (salesforce.md 2.2).
inline constexpr std::int64_t kCreditMax = 100;

/// One Subscribe call.
///
/// A small machine under one mutex: what arrives (requests, finished writes, published events,
/// ticks) changes the state, then advance() does the one thing that is due: write a batch, write a
/// keepalive, or finish. At most one write is in flight, and finishing waits for it, so gRPC is
/// never asked for two things at once. gRPC is called without the mutex. Events go out in one
/// reused message: its strings keep their memory.
class SubscribeStream final
    : public grpc::ServerBidiReactor<eventbus::v1::FetchRequest, eventbus::v1::FetchResponse> {
 public:
  struct World {
    const PubsubSettings& settings;
    const Catalog& catalog;
    Bus& changes;
    PlatformEvents& platform;
    Faults& faults;
  };
  using Now = std::chrono::steady_clock::time_point;

  SubscribeStream(std::uint64_t id, grpc::CallbackServerContext* context, World world);

  /// REQUIRES: called once, after the stream is in the registry. Refuses at once if `refused` is
  /// not OK.
  void begin(grpc::Status refused);
  void on_published() { advance(); }
  void tick() { advance(); }
  void end(const StreamEnd& how);
  StreamStats stats() const;
  std::int64_t credit_max() const;
  /// Told once when gRPC is done with this stream; set by the registry.
  std::function<void()> on_gone;

 private:
  enum class Next : std::uint8_t { Nothing, Write, Finish };

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override {}
  void OnDone() override;

  void advance();
  Next decide();
  void take_request();
  grpc::Status position(const eventbus::v1::FetchRequest& request);
  void fill_batch(std::int64_t room);
  void finish_with(grpc::Status status);
  grpc::Status fail(grpc::StatusCode status, std::string_view code, std::string_view message);

  const std::uint64_t id_;
  grpc::CallbackServerContext* const context_;
  const World world_;

  mutable std::mutex mutex_;
  eventbus::v1::FetchRequest request_;
  eventbus::v1::FetchResponse response_;
  std::string topic_name_;
  Topic topic_;
  Bus::Cursor cursor_ = 0;
  bool positioned_ = false;
  std::int64_t outstanding_ = 0;
  std::int64_t credit_max_ = 0;
  std::uint64_t delivered_ = 0;
  bool writing_ = false;
  bool ending_ = false;    ///< status_ is to be sent
  bool finished_ = false;  ///< Finish was called
  grpc::Status status_;
  Now last_response_;
  std::optional<Now> waiting_since_;  ///< under latency: since when events are ready
};

}  // namespace headwater::org
