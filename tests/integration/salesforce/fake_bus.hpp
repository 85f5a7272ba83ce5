#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "pubsub_api.grpc.pb.h"

namespace headwater::salesforce {

namespace bus = eventbus::v1;

/// A Pub/Sub API whose answers the test writes, as functions. Every call's metadata is kept.
class FakeBus final : public bus::PubSub::Service {
 public:
  using Stream = grpc::ServerReaderWriter<bus::FetchResponse, bus::FetchRequest>;
  using Metadata = std::multimap<std::string, std::string>;

  explicit FakeBus(
      std::shared_ptr<grpc::ServerCredentials> credentials = grpc::InsecureServerCredentials()) {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", credentials, &port);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
    endpoint_ = "127.0.0.1:" + std::to_string(port);
  }
  ~FakeBus() override {
    stopping_ = true;
    server_->Shutdown(std::chrono::system_clock::now());
    server_.reset();  // nobody notes a call behind this
    const std::lock_guard lock(mutex_);
    calls_.clear();
  }

  const std::string& endpoint() const { return endpoint_; }

  // The scripts; set before the call they answer.
  std::function<grpc::Status(grpc::ServerContext&, Stream&)> on_subscribe;
  std::function<grpc::Status(grpc::ServerContext&, bus::TopicInfo&)> on_topic;
  std::function<grpc::Status(grpc::ServerContext&, const std::string&, bus::SchemaInfo&)> on_schema;

  std::vector<Metadata> calls() const {
    const std::lock_guard lock(mutex_);
    return calls_;
  }
  /// True once the server goes down: scripts that wait for ever look at it.
  bool stopping() const { return stopping_; }

  /// An end as Salesforce sends it, with its trailers.
  static grpc::Status fail(grpc::ServerContext& context,
                           grpc::StatusCode status,
                           const std::string& code,
                           const std::string& text = "no") {
    if (!code.empty())
      context.AddTrailingMetadata("error-code", "sfdc.platform.eventbus.grpc." + code);
    context.AddTrailingMetadata("rpc-id", "f5a2b8e0");
    context.AddTrailingMetadata("type", "Subscribe");
    return {status, text};
  }
  /// A response of `count` events of `bytes` each, numbered from `first`.
  static bus::FetchResponse events(int first, int count, std::size_t bytes = 10) {
    bus::FetchResponse response;
    for (int i = first; i < first + count; ++i) {
      auto& consumed = *response.add_events();
      consumed.set_replay_id("replay-" + std::to_string(i));
      consumed.mutable_event()->set_schema_id("schema");
      consumed.mutable_event()->set_payload(std::string(bytes, static_cast<char>('a' + i % 26)));
    }
    response.set_latest_replay_id("replay-" + std::to_string(first + count - 1));
    return response;
  }

  grpc::Status Subscribe(grpc::ServerContext* context, Stream* stream) override {
    note(*context);
    return on_subscribe(*context, *stream);
  }
  grpc::Status GetTopic(grpc::ServerContext* context,
                        const bus::TopicRequest* request,
                        bus::TopicInfo* info) override {
    note(*context);
    info->set_topic_name(request->topic_name());
    info->set_can_subscribe(true);
    return on_topic ? on_topic(*context, *info) : grpc::Status::OK;
  }
  grpc::Status GetSchema(grpc::ServerContext* context,
                         const bus::SchemaRequest* request,
                         bus::SchemaInfo* info) override {
    note(*context);
    return on_schema(*context, request->schema_id(), *info);
  }

 private:
  void note(const grpc::ServerContext& context) {
    Metadata seen;
    for (const auto& [key, value] : context.client_metadata())
      seen.emplace(std::string(key.data(), key.size()), std::string(value.data(), value.size()));
    const std::lock_guard lock(mutex_);
    calls_.push_back(std::move(seen));
  }

  std::unique_ptr<grpc::Server> server_;
  std::string endpoint_;
  mutable std::mutex mutex_;
  std::vector<Metadata> calls_;
  std::atomic<bool> stopping_{false};
};

}  // namespace headwater::salesforce
