#include "tests/org/pubsub_service.hpp"

#include <fmt/format.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <stop_token>
#include <thread>

#include "tests/org/grpc_error.hpp"
#include "tests/org/publish_stream.hpp"
#include "tests/org/subscribe_stream.hpp"

namespace headwater::org {
namespace {

using eventbus::v1::SchemaInfo;
using eventbus::v1::SchemaRequest;
using eventbus::v1::TopicInfo;
using eventbus::v1::TopicRequest;

std::string metadata(const grpc::CallbackServerContext& context, const char* key) {
  const auto found = context.client_metadata().find(key);
  if (found == context.client_metadata().end()) return {};
  return {found->second.data(), found->second.size()};
}

/// `{org id}` of 15 or 18 characters, or `core/{subdomain}/{org id}`.
bool names_org(std::string_view tenant, std::string_view org_id) {
  if (tenant.starts_with("core/")) tenant = tenant.substr(tenant.rfind('/') + 1);
  return tenant == org_id || tenant == org_id.substr(0, 15);
}

}  // namespace

struct PubsubServer::Impl final : eventbus::v1::PubSub::CallbackService {
  Impl(PubsubSettings s, const Catalog& c, Bus& b, PlatformEvents& p, Oauth& o, Faults& f)
      : settings(std::move(s)), catalog(c), bus(b), platform(p), oauth(o), faults(f) {}

  grpc::Status authenticate(grpc::CallbackServerContext& context, std::string_view rpc) {
    const auto token = metadata(context, "accesstoken");
    const auto instance = metadata(context, "instanceurl");
    const auto tenant = metadata(context, "tenantid");
    if (token.empty() || tenant.empty() || instance != oauth.instance_url()) {
      return pubsub_error(
          context,
          rpc,
          grpc::StatusCode::UNAUTHENTICATED,
          "service.auth.headers.invalid",
          "The metadata accesstoken, instanceurl and tenantid must be set and valid.");
    }
    if (!names_org(tenant, oauth.org_id()) || !oauth.valid(token)) {
      return pubsub_error(context,
                          rpc,
                          grpc::StatusCode::UNAUTHENTICATED,
                          "service.auth.error",
                          "Authentication exception occurred: the session is invalid or expired.");
    }
    return grpc::Status::OK;
  }

  grpc::ServerBidiReactor<eventbus::v1::FetchRequest, eventbus::v1::FetchResponse>* Subscribe(
      grpc::CallbackServerContext* context) override {
    auto refused = authenticate(*context, "Subscribe");
    std::shared_ptr<SubscribeStream> stream;
    {
      const std::lock_guard lock(mutex);
      const auto id = ++subscribe_calls;
      stream = std::make_shared<SubscribeStream>(
          id, context, SubscribeStream::World{settings, catalog, bus, platform, faults});
      stream->on_gone = [this, id] { forget(id); };
      streams.emplace(id, stream);
    }
    stream->begin(std::move(refused));
    return stream.get();
  }

  void forget(std::uint64_t id) {
    std::shared_ptr<SubscribeStream> gone;  // destroyed after the lock
    const std::lock_guard lock(mutex);
    const auto found = streams.find(id);
    gone = std::move(found->second);
    streams.erase(found);
    auto stats = gone->stats();
    stats.open = false;
    ended_delivered += stats.delivered;
    ended_credit_max = std::max(ended_credit_max, gone->credit_max());
    ended.push_back(std::move(stats));
    all_gone.notify_all();
  }

  grpc::ServerBidiReactor<eventbus::v1::PublishRequest, eventbus::v1::PublishResponse>*
  PublishStream(grpc::CallbackServerContext* context) override {
    auto refused = authenticate(*context, "PublishStream");
    auto stream = std::make_shared<org::PublishStream>(context, platform, settings.publish_timeout);
    {
      const std::lock_guard lock(mutex);
      publishers.push_back(stream);
    }
    stream->on_gone = [this, one = stream.get()] {
      std::shared_ptr<org::PublishStream> gone;  // destroyed after the lock
      const std::lock_guard lock(mutex);
      const auto found =
          std::ranges::find(publishers, one, &std::shared_ptr<org::PublishStream>::get);
      gone = std::move(*found);
      publishers.erase(found);
      all_gone.notify_all();
    };
    stream->begin(std::move(refused));
    return stream.get();
  }

  grpc::ServerUnaryReactor* Publish(grpc::CallbackServerContext* context,
                                    const eventbus::v1::PublishRequest* request,
                                    eventbus::v1::PublishResponse* response) override {
    auto* reactor = context->DefaultReactor();
    auto status = authenticate(*context, "Publish");
    if (status.ok()) {
      status = publish(*context, "Publish", platform, request->topic_name(), *request, *response);
    }
    reactor->Finish(status);
    return reactor;
  }

  grpc::ServerUnaryReactor* GetSchema(grpc::CallbackServerContext* context,
                                      const SchemaRequest* request,
                                      SchemaInfo* response) override {
    auto* reactor = context->DefaultReactor();
    ++get_schema_calls;
    reactor->Finish(get_schema(*context, *request, *response));
    return reactor;
  }

  grpc::Status get_schema(grpc::CallbackServerContext& context,
                          const SchemaRequest& request,
                          SchemaInfo& response) {
    using grpc::StatusCode;
    constexpr std::string_view kRpc = "GetSchema";
    if (auto status = authenticate(context, kRpc); !status.ok()) return status;
    if (Faults::take(faults.getschema_unavailable)) {
      return pubsub_error(context,
                          kRpc,
                          StatusCode::UNAVAILABLE,
                          "schema.api.unavailable",
                          "The schema service is not available.");
    }
    if (request.schema_id().empty()) {
      return pubsub_error(context,
                          kRpc,
                          StatusCode::INVALID_ARGUMENT,
                          "schema.validation.failed",
                          "The schema ID can't be blank.");
    }
    const auto held = catalog.hold();
    const auto* schema = catalog.schema_text(request.schema_id());
    if (schema == nullptr) schema = platform.catalog().schema_text(request.schema_id());
    if (schema == nullptr || faults.schema_refused(request.schema_id())) {
      return pubsub_error(context,
                          kRpc,
                          StatusCode::INVALID_ARGUMENT,
                          "schema.validation.failed",
                          "The schema ID is not valid.");
    }
    response.set_schema_id(request.schema_id());
    response.set_schema_json(*schema);
    response.set_rpc_id(new_rpc_id());
    return grpc::Status::OK;
  }

  grpc::ServerUnaryReactor* GetTopic(grpc::CallbackServerContext* context,
                                     const TopicRequest* request,
                                     TopicInfo* response) override {
    auto* reactor = context->DefaultReactor();
    ++get_topic_calls;
    reactor->Finish(get_topic(*context, *request, *response));
    return reactor;
  }

  grpc::Status get_topic(grpc::CallbackServerContext& context,
                         const TopicRequest& request,
                         TopicInfo& response) {
    using grpc::StatusCode;
    constexpr std::string_view kRpc = "GetTopic";
    if (auto status = authenticate(context, kRpc); !status.ok()) return status;
    if (request.topic_name().empty()) {
      return pubsub_error(context,
                          kRpc,
                          StatusCode::INVALID_ARGUMENT,
                          "topic.validation.empty",
                          "The topic name is blank.");
    }
    const auto held = catalog.hold();
    const auto topic = find_topic(catalog, bus, platform, request.topic_name());
    if (topic.bus == nullptr) {
      return pubsub_error(context,
                          kRpc,
                          StatusCode::NOT_FOUND,
                          "topic.not.found",
                          fmt::format("The topic {} does not exist.", request.topic_name()));
    }
    const auto refused = faults.refused_topic(request.topic_name());
    if (refused == "topic.meta.permission") {
      return pubsub_error(context,
                          kRpc,
                          StatusCode::PERMISSION_DENIED,
                          refused,
                          "You do not have access to the topic.");
    }
    response.set_topic_name(request.topic_name());
    response.set_tenant_guid("core/headwater/" + oauth.org_id());
    response.set_can_subscribe(refused.empty() || refused == Faults::kLimitExceeded);
    response.set_can_publish(topic.object != nullptr && topic.object->platform);
    if (topic.object != nullptr) response.set_schema_id(topic.object->schema_id);
    response.set_rpc_id(new_rpc_id());
    return grpc::Status::OK;
  }

  std::vector<std::shared_ptr<SubscribeStream>> living() const {
    const std::lock_guard lock(mutex);
    std::vector<std::shared_ptr<SubscribeStream>> out;
    for (const auto& [id, stream] : streams) out.push_back(stream);
    return out;
  }

  std::vector<std::shared_ptr<org::PublishStream>> publishing() const {
    const std::lock_guard lock(mutex);
    return publishers;
  }

  void run_ticker(const std::stop_token& stop) {
    const auto interval = std::clamp(settings.keepalive_interval / 8, Millis(2), Millis(250));
    std::mutex idle;
    std::condition_variable_any wake;
    while (!stop.stop_requested()) {
      std::unique_lock lock(idle);
      wake.wait_for(lock, stop, faults.latency_ms > 0 ? Millis(2) : interval, [] { return false; });
      for (const auto& stream : living()) stream->tick();
      for (const auto& stream : publishing()) stream->tick();
    }
  }

  const PubsubSettings settings;
  const Catalog& catalog;
  Bus& bus;
  PlatformEvents& platform;
  Oauth& oauth;
  Faults& faults;

  mutable std::mutex mutex;
  std::condition_variable all_gone;
  std::map<std::uint64_t, std::shared_ptr<SubscribeStream>> streams;
  std::vector<std::shared_ptr<org::PublishStream>> publishers;
  std::vector<StreamStats> ended;
  std::uint64_t ended_delivered = 0;
  std::int64_t ended_credit_max = 0;
  std::uint64_t subscribe_calls = 0;
  std::atomic<std::uint64_t> get_schema_calls{0};
  std::atomic<std::uint64_t> get_topic_calls{0};

  std::unique_ptr<grpc::Server> server;
  std::jthread ticker;
};

PubsubServer::PubsubServer(PubsubSettings settings,
                           const Catalog& catalog,
                           Bus& bus,
                           PlatformEvents& platform,
                           Oauth& oauth,
                           Faults& faults)
    : impl_(std::make_unique<Impl>(std::move(settings), catalog, bus, platform, oauth, faults)) {}

PubsubServer::~PubsubServer() { stop(); }

Result<int> PubsubServer::start() {
  auto& impl = *impl_;
  std::shared_ptr<grpc::ServerCredentials> credentials = grpc::InsecureServerCredentials();
  if (!impl.settings.tls_certificate_pem.empty()) {
    grpc::SslServerCredentialsOptions options;
    options.pem_key_cert_pairs.push_back(
        {impl.settings.tls_key_pem, impl.settings.tls_certificate_pem});
    credentials = grpc::SslServerCredentials(options);
  }
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort(fmt::format("127.0.0.1:{}", impl.settings.port), credentials, &port);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  // Above what a publisher may send: that it was too much is our answer, not the library's.
  builder.SetMaxReceiveMessageSize(4 * static_cast<int>(kPublishBytesMax));
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 10'000);
  if (const auto age = static_cast<int>(impl.settings.connection_age.count()); age > 0) {
    builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, age);
    builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, age);
  }
  builder.RegisterService(&impl);
  impl.server = builder.BuildAndStart();
  if (!impl.server || port == 0) {
    return transient(fmt::format(
        "serving the Pub/Sub API on 127.0.0.1:{}: the port is taken or the certificate is unusable",
        impl.settings.port));
  }
  const auto tell = [&impl] {
    for (const auto& stream : impl.living()) stream->on_published();
  };
  impl.bus.on_published(tell);
  for (Bus* bus : impl.platform.buses()) bus->on_published(tell);
  impl.ticker = std::jthread([&impl](const std::stop_token& stop) { impl.run_ticker(stop); });
  return port;
}

void PubsubServer::stop() {
  auto& impl = *impl_;
  if (!impl.server) return;
  impl.bus.on_published(nullptr);
  for (Bus* bus : impl.platform.buses()) bus->on_published(nullptr);
  impl.ticker = {};
  end_streams({});
  impl.server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
  std::unique_lock lock(impl.mutex);
  impl.all_gone.wait(lock, [&impl] { return impl.streams.empty() && impl.publishers.empty(); });
  lock.unlock();
  impl.server.reset();
}

std::size_t PubsubServer::end_streams(const StreamEnd& end) {
  const auto streams = impl_->living();
  for (const auto& stream : streams) stream->end(end);
  for (const auto& stream : impl_->publishing()) stream->end(end);
  return streams.size();
}

PubsubStats PubsubServer::stats() const {
  PubsubStats out;
  const std::lock_guard lock(impl_->mutex);
  out.streams = impl_->ended;
  out.delivered = impl_->ended_delivered;
  out.credit_max = impl_->ended_credit_max;
  for (const auto& [id, stream] : impl_->streams) {
    out.streams.push_back(stream->stats());
    out.delivered += out.streams.back().delivered;
    out.credit_max = std::max(out.credit_max, stream->credit_max());
  }
  out.subscribe_calls = impl_->subscribe_calls;
  out.get_schema_calls = impl_->get_schema_calls;
  out.get_topic_calls = impl_->get_topic_calls;
  return out;
}

}  // namespace headwater::org
