#include <fmt/format.h>
#include <grpcpp/alarm.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>

#include "connectors/salesforce/credit.hpp"
#include "connectors/salesforce/errors.hpp"
#include "connectors/salesforce/fetch_response.hpp"
#include "connectors/salesforce/grpc_channel.hpp"
#include "connectors/salesforce/org.hpp"
#include "pubsub_api.grpc.pb.h"

namespace headwater::salesforce {
namespace {

namespace bus = eventbus::v1;
using namespace std::chrono_literals;

constexpr auto kTopicDeadline = 10s;
constexpr auto kSchemaDeadline = 20s;

constexpr const char* kSubscribeMethod = "/eventbus.v1.PubSub/Subscribe";

/// Memory of a larger response is given back once the next one comes.
constexpr std::size_t kResponseBytesKept = 256 << 10;

/// Streams and calls refused in a row, each with a fresh token, until a person is asked.
constexpr int kFreshRefusedMax = 3;

enum Tag : std::intptr_t { kStarted = 1, kRead, kWritten, kFinished, kWoken };

void* tag(Tag t) { return reinterpret_cast<void*>(static_cast<std::intptr_t>(t)); }

bus::ReplayPreset preset(Start start) {
  switch (start) {
    case Start::Latest:
      return bus::LATEST;
    case Start::Earliest:
      return bus::EARLIEST;
    case Start::After:
      return bus::CUSTOM;
  }
  return bus::CUSTOM;
}

/// What can be final about one schema: everything else may pass. An unknown or forbidden schema id
/// stays so.
bool refused_for_good(const CallEnd& end) {
  const auto& code = end.error.code;
  if (end.auth || code == "schema.api.unavailable") return false;
  if (code == "schema.meta.permission" || code == "schema.validation.failed") return true;
  if (!code.empty() && end.error.kind == ErrorKind::Transient) return false;
  return end.status == grpc::StatusCode::NOT_FOUND ||
         end.status == grpc::StatusCode::INVALID_ARGUMENT ||
         end.status == grpc::StatusCode::PERMISSION_DENIED;
}

/// One topic of the Pub/Sub API, over gRPC. Owns its completion queue: all that happens on the
/// stream happens inside next(), on the ingest thread, so nothing here needs a lock but the
/// wake-up.
///
///   subscribe: token -> new channel -> GetTopic -> start the call
///   next:      wait on the queue for: started -> first request, first read
///                                     read    -> start the next read, hand out the response
///                                     written -> send the credit that has gathered meanwhile
///                                     alarm   -> Woken
///              a read that fails, or silence beyond silence_max: finish, collect all that is
///              pending, Ended
///
/// A response is taken as bytes, laid out in one piece and read in place (fetch_response.hpp). A
/// read is always under way while ingest works on what came before; what it can bring is bounded by
/// the credit given. One write at most is under way: credit asked for meanwhile is added up and
/// goes out when it returns, so no answer can be missed by asking only upon reads. A channel of its
/// own for every subscribe(): after a half-open connection the next stream must not go the same
/// way.
class Subscription final : public EventSource {
 public:
  Subscription(const OrgConfig& config,
               std::string topic,
               std::shared_ptr<TokenSource> tokens,
               std::shared_ptr<OrgMetrics> metrics,
               const Clock& clock)
      : config_(config),
        topic_(std::move(topic)),
        tokens_(std::move(tokens)),
        metrics_(std::move(metrics)),
        clock_(clock) {}

  /// Cancels. REQUIRES: no wake() is running or comes later.
  ~Subscription() override {
    cancel();
    {
      const std::lock_guard lock(wake_mutex_);
      alarm_.Cancel();
    }
    queue_.Shutdown();
    void* at = nullptr;
    bool ok = false;
    while (queue_.Next(&at, &ok)) continue;
  }

  /// Blocks for the login (at most http_timeout) and GetTopic. Errors: Transient; Blocked (topic
  /// missing or forbidden, login refused, certificate not trusted); Fatal (wrong org).
  Result<void> subscribe(Start start, const ReplayId& position, std::size_t credit) override;
  void request(std::size_t events) override;
  void next(std::int64_t until_ms, Fetched& out) override;
  void wake() override;
  void cancel() override;
  /// Blocks as subscribe().
  Result<std::string> fetch_schema(std::string_view schema_id) override;

 private:
  /// One open call. Its memory must stay until every tag given to the queue has come back.
  struct Call {
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientAsyncReaderWriter<bus::FetchRequest, grpc::ByteBuffer>> stream;
    bus::FetchRequest request;
    grpc::ByteBuffer response;  // what the read under way fills
    int pending = 0;            // tags not yet back
    bool started = false, writing = false, finishing = false, finished = false;
    std::int32_t credit_owed = 0;  // asked for while a write was under way
    std::uint64_t generation = 0;  // of the token
    grpc::Status status;
  };
  /// A call of one answer. `send` may run twice.
  struct Unary {
    std::string doing;
    std::chrono::seconds deadline;
    std::function<grpc::Status(bus::PubSub::Stub&, grpc::ClientContext&)> send;
  };
  enum class Seen : std::uint8_t { Nothing, Response, Woken };

  std::string doing() const {
    return fmt::format("subscribe to {} of org {}", topic_, config_.name);
  }
  Result<void> connect();
  Result<bus::PubSub::Stub*> stub();
  Seen handle(void* at, bool ok);
  void read();
  void write();
  void finish();
  void drain();
  bool hand_out(Fetched& out);
  void give_up(Error error, Fetched& out);
  void end(Fetched& out);
  Error refused(CallEnd end, std::uint64_t generation);
  Result<void> unary(const Unary& call, CallEnd& end);
  Result<void> check_topic();

  const OrgConfig config_;
  const std::string topic_;
  const std::shared_ptr<TokenSource> tokens_;
  const std::shared_ptr<OrgMetrics> metrics_;
  const Clock& clock_;

  grpc::CompletionQueue queue_;
  std::unique_ptr<bus::PubSub::Stub> stub_;
  /// Of the same channel: a stream whose answers are left to us to read.
  std::unique_ptr<grpc::TemplatedGenericStub<bus::FetchRequest, grpc::ByteBuffer>> bytes_stub_;
  std::unique_ptr<Call> call_;
  Credit credit_;
  std::int64_t silent_from_ms_ = 0;  // when the stream last said something
  std::string response_;             // handed out last: Fetched borrows from it
  int keepalive_ms_ = kKeepaliveMs;
  int fresh_refused_ = 0;

  // Alarm::Set must not meet itself: set_ is taken back only when its tag has come, and the mutex
  // lets a Set that is still returning in one thread end before the next begins in another.
  std::mutex wake_mutex_;
  grpc::Alarm alarm_;
  std::atomic<bool> alarm_set_{false};
};

Result<void> Subscription::connect() {
  auto channel = make_channel(config_, keepalive_ms_);
  if (!channel) return std::move(channel).error();
  stub_ = bus::PubSub::NewStub(*channel);
  bytes_stub_ = std::make_unique<decltype(bytes_stub_)::element_type>(*channel);
  return {};
}

Result<bus::PubSub::Stub*> Subscription::stub() {
  if (!stub_)
    if (auto connected = connect(); !connected) return std::move(connected).error();
  return stub_.get();
}

/// The token was refused: the next call gets another. After some fresh ones in a row a person is
/// asked, since a session locked to an address, or a token of the wrong form, is refused for ever.
Error Subscription::refused(CallEnd end, std::uint64_t generation) {
  if (!end.auth) return std::move(end.error);
  tokens_->invalidate(generation);
  if (++fresh_refused_ < kFreshRefusedMax) return std::move(end.error);
  end.error.kind = ErrorKind::Blocked;
  end.error.message +=
      "; fresh tokens are refused again and again: check that the app issues opaque tokens and "
      "that "
      "its sessions are not locked to an address";
  return std::move(end.error);
}

/// A token for this call, and a new one for a repeat if it is refused. `end` tells of the call, if
/// it was one that failed.
Result<void> Subscription::unary(const Unary& call, CallEnd& end) {
  for (bool again = false;; again = true) {
    const auto token = tokens_->get();
    if (!token) return token.error();
    const auto service = stub();
    if (!service) return service.error();
    grpc::ClientContext context;
    add_metadata(context, *token);
    context.set_deadline(std::chrono::system_clock::now() + call.deadline);
    const auto status = call.send(**service, context);
    if (status.ok()) return {};
    end = call_end(call.doing, context, status);
    auto error = refused(end, token->generation);
    if (!end.auth || again) return error;
  }
}

Result<void> Subscription::check_topic() {
  bus::TopicRequest request;
  bus::TopicInfo info;
  request.set_topic_name(topic_);
  CallEnd end;
  auto asked = unary(
      {doing(),
       kTopicDeadline,
       [&](auto& service, auto& context) { return service.GetTopic(&context, request, &info); }},
      end);
  if (!asked || info.can_subscribe()) return asked;
  return blocked(
      fmt::format("{}: the integration user may not subscribe; give it View All Data, or "
                  "View All on the topic's objects",
                  doing()),
      "subscription.topic.cannot.subscribe");
}

Result<void> Subscription::subscribe(Start start, const ReplayId& position, std::size_t credit) {
  HEADWATER_ASSERT(credit > 0 && credit <= kEventsRequestedMax);
  HEADWATER_ASSERT(start != Start::After || !position.empty());
  cancel();
  if (auto connected = connect(); !connected) return connected;
  if (auto checked = check_topic(); !checked) return checked;
  const auto token = tokens_->get();
  if (!token) return token.error();

  call_ = std::make_unique<Call>();
  call_->generation = token->generation;
  add_metadata(call_->context, *token);
  call_->request.set_topic_name(topic_);
  call_->request.set_replay_preset(preset(start));
  if (start == Start::After) call_->request.set_replay_id(position.bytes());
  call_->request.set_num_requested(static_cast<std::int32_t>(credit));
  credit_.reset();
  credit_.requested(credit);
  silent_from_ms_ = clock_.monotonic_ms();
  call_->stream = bytes_stub_->PrepareCall(&call_->context, kSubscribeMethod, &queue_);
  call_->stream->StartCall(tag(kStarted));
  ++call_->pending;
  return {};
}

void Subscription::request(std::size_t events) {
  if (!call_ || events == 0) return;
  credit_.requested(events);
  call_->credit_owed += static_cast<std::int32_t>(events);
  if (call_->started && !call_->writing && !call_->finishing) write();
}

void Subscription::write() {
  auto& call = *call_;
  if (call.credit_owed > 0) {
    call.request.Clear();
    call.request.set_topic_name(topic_);
    call.request.set_num_requested(call.credit_owed);
    call.credit_owed = 0;
  }
  call.stream->Write(call.request, tag(kWritten));
  call.writing = true;
  ++call.pending;
}

void Subscription::read() {
  auto& call = *call_;
  call.stream->Read(&call.response, tag(kRead));
  ++call.pending;
}

void Subscription::finish() {
  if (call_->finishing) return;
  call_->finishing = true;
  call_->stream->Finish(&call_->status, tag(kFinished));
  ++call_->pending;
}

Subscription::Seen Subscription::handle(void* at, bool ok) {
  const auto what = static_cast<Tag>(reinterpret_cast<std::intptr_t>(at));
  if (what == kWoken) {
    alarm_set_ = false;
    return Seen::Woken;
  }
  auto& call = *call_;
  --call.pending;
  switch (what) {
    case kStarted:
      if (!ok) {
        finish();
        break;
      }
      call.started = true;
      call.stream->Write(call.request, tag(kWritten));  // the first request, as subscribe() made it
      call.writing = true;
      ++call.pending;
      read();
      break;
    case kWritten:
      call.writing = false;
      // A write that failed says nothing: the read fails as well and brings the status.
      if (ok && call.credit_owed > 0 && !call.finishing) write();
      break;
    case kRead:
      if (ok) return Seen::Response;
      finish();
      break;
    case kFinished:
      call.finished = true;
      break;
    case kWoken:
      break;
  }
  return Seen::Nothing;
}

void Subscription::next(std::int64_t until_ms, Fetched& out) {
  out.events.clear();
  out.latest_replay_id = {};
  out.what = Fetched::What::Woken;
  for (;;) {
    if (call_ && call_->finished && call_->pending == 0) return end(out);
    const auto silent_until = silent_from_ms_ + config_.pubsub.silence_max.count();
    const auto until = call_ ? std::min(until_ms, silent_until) : until_ms;
    const auto wait = std::max<std::int64_t>(until - clock_.monotonic_ms(), 0);
    const auto deadline =
        gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(wait, GPR_TIMESPAN));
    void* at = nullptr;
    bool ok = false;
    if (queue_.AsyncNext(&at, &ok, deadline) == grpc::CompletionQueue::GOT_EVENT) {
      switch (handle(at, ok)) {
        case Seen::Nothing:
          continue;
        case Seen::Woken:
          return;
        case Seen::Response:
          if (!hand_out(out)) {
            give_up(transient(fmt::format(
                        "{}: a response came that is none of the Pub/Sub API; subscribing again",
                        doing())),
                    out);
          }
          return;
      }
    }
    if (call_ && clock_.monotonic_ms() >= silent_until) {
      return give_up(
          transient(fmt::format("{}: no response for {} s although one is due within 270 s; "
                                "subscribing again",
                                doing(),
                                config_.pubsub.silence_max.count() / 1000),
                    "silence"),
          out);
    }
    if (clock_.monotonic_ms() >= until_ms) return;
  }
}

/// Ends the stream from our side.
void Subscription::give_up(Error error, Fetched& out) {
  drain();
  call_.reset();
  out.events.clear();
  out.what = Fetched::What::Ended;
  out.end = std::move(error);
}

/// False if the response cannot be read.
bool Subscription::hand_out(Fetched& out) {
  auto& call = *call_;
  if (response_.capacity() > kResponseBytesKept) response_ = {};
  response_.clear();
  std::vector<grpc::Slice> slices;
  if (!call.response.Dump(&slices).ok()) return false;
  for (const auto& slice : slices) {
    response_.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  call.response.Clear();
  read();

  silent_from_ms_ = clock_.monotonic_ms();
  fresh_refused_ = 0;
  if (!read_fetch_response(response_, out)) return false;
  out.what = Fetched::What::Response;
  credit_.received(out.events.size());
  return true;
}

void Subscription::end(Fetched& out) {
  const auto call = std::move(call_);
  out.what = Fetched::What::Ended;
  if (call->status.ok()) {
    out.end = transient(fmt::format("{}: the server ended the stream; subscribing again", doing()));
    return;
  }
  auto ended = call_end(doing(), call->context, call->status);
  if (call->status.error_message().find("too_many_pings") != std::string::npos)
    keepalive_ms_ = std::min(keepalive_ms_ * 2, kKeepaliveMsMax);
  out.end = refused(std::move(ended), call->generation);
}

/// Cancels the call and takes back every tag, after which its memory may go. A wake-up met
/// meanwhile is given again.
void Subscription::drain() {
  call_->context.TryCancel();
  bool woken = false;
  while (call_->pending > 0 || !call_->finished) {
    void* at = nullptr;
    bool ok = false;
    if (!queue_.Next(&at, &ok)) break;
    switch (handle(at, ok)) {
      case Seen::Woken:
        woken = true;
        break;
      case Seen::Response:
        read();
        break;  // came before the cancel: the position stays before it
      case Seen::Nothing:
        break;
    }
  }
  if (woken) wake();
}

void Subscription::wake() {
  if (alarm_set_.exchange(true)) return;
  const std::lock_guard lock(wake_mutex_);
  alarm_.Set(&queue_, gpr_now(GPR_CLOCK_MONOTONIC), tag(kWoken));
}

void Subscription::cancel() {
  if (!call_) return;
  drain();
  call_.reset();
}

Result<std::string> Subscription::fetch_schema(std::string_view schema_id) {
  const auto what = fmt::format("get schema {} of org {}", quoted(schema_id, 80), config_.name);
  bus::SchemaRequest request;
  bus::SchemaInfo info;
  request.set_schema_id(std::string(schema_id));
  CallEnd end;
  ++metrics_->schema_fetches;
  auto asked = unary(
      {what,
       kSchemaDeadline,
       [&](auto& service, auto& context) { return service.GetSchema(&context, request, &info); }},
      end);
  if (!asked) {
    auto error = std::move(asked).error();
    if (refused_for_good(end)) error.kind = ErrorKind::Rejected;
    return error;
  }
  if (info.schema_json().empty())
    return transient(fmt::format("{}: an empty schema came back; asking again", what));
  return std::move(*info.mutable_schema_json());
}

}  // namespace

std::unique_ptr<EventSource> make_subscription(const OrgConfig& config,
                                               std::string topic,
                                               std::shared_ptr<TokenSource> tokens,
                                               std::shared_ptr<OrgMetrics> metrics,
                                               const Clock& clock) {
  return std::make_unique<Subscription>(
      config, std::move(topic), std::move(tokens), std::move(metrics), clock);
}

}  // namespace headwater::salesforce
