#include "connectors/redis/client.hpp"

#include <fmt/format.h>
#include <hiredis/hiredis.h>
#include <sys/socket.h>

#include <cerrno>
#include <charconv>
#include <cstring>

#include "connectors/redis/errors.hpp"

namespace headwater::redis {
namespace {

timeval to_timeval(Millis time) {
  return {static_cast<time_t>(time.count() / 1000),
          static_cast<suseconds_t>(time.count() % 1000 * 1000)};
}

std::int64_t now_ms() { return SystemClock().monotonic_ms(); }

std::string reason(const redisContext& context) {
  if (context.err == REDIS_ERR_IO && (errno == EAGAIN || errno == EWOULDBLOCK))
    return "no answer within the timeout";
  return context.errstr;
}

}  // namespace

bool Reply::is_error() const { return reply_->type == REDIS_REPLY_ERROR; }
bool Reply::is_nil() const { return reply_->type == REDIS_REPLY_NIL; }

std::string_view Reply::text() const {
  if (reply_->str == nullptr) return {};
  return {reply_->str, static_cast<std::size_t>(reply_->len)};
}

std::int64_t Reply::integer() const {
  return reply_->type == REDIS_REPLY_INTEGER ? reply_->integer : 0;
}

std::uint64_t Reply::number() const {
  if (reply_->type == REDIS_REPLY_INTEGER) return static_cast<std::uint64_t>(reply_->integer);
  std::uint64_t value = 0;
  const auto digits = text();
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return value;
}

std::size_t Reply::size() const { return reply_->type == REDIS_REPLY_ARRAY ? reply_->elements : 0; }

Reply Reply::at(std::size_t index) const {
  HEADWATER_ASSERT(index < size());
  return Reply(reply_->element[index]);
}

OwnedReply::OwnedReply(redisReply* reply) : Reply(reply), owner_(reply) {}
void OwnedReply::Free::operator()(redisReply* reply) const { freeReplyObject(reply); }
void Client::Free::operator()(redisContext* context) const { redisFree(context); }

Client::Client(redisContext* context, std::string server, Millis timeout)
    : context_(context), server_(std::move(server)), timeout_(timeout) {}

Result<Client> Client::connect(const Endpoint& endpoint, Millis timeout) {
  const auto limit = to_timeval(timeout);
  auto* context = endpoint.host.empty()
                      ? redisConnectUnixWithTimeout(endpoint.socket.c_str(), limit)
                      : redisConnectWithTimeout(endpoint.host.c_str(), endpoint.port, limit);
  HEADWATER_ASSERT(context != nullptr);  // null: out of memory
  Client client(context, endpoint.str(), timeout);
  if (context->err != 0) return connection_error(client.server_, "connect", reason(*context));
  redisSetTimeout(context, limit);
  if (!endpoint.host.empty()) redisEnableKeepAlive(context);
  return client;
}

Error Client::failed(std::string_view doing) {
  auto error = connection_error(server_, doing, reason(*context_));
  close();
  return error;
}

Result<void> Client::send(const Pipeline& pipeline) {
  if (!alive()) return connection_error(server_, "send", "the connection is closed");
  deadline_ms_ = now_ms() + timeout_.count();
  // Straight from the pipeline's memory: hiredis would copy it, and move the rest after every part
  // that the socket takes.
  for (std::string_view left = pipeline.bytes(); !left.empty();) {
    const auto sent = ::send(context_->fd, left.data(), left.size(), MSG_NOSIGNAL);
    const int fault = sent < 0 ? errno : 0;
    const bool late = fault == EAGAIN || fault == EWOULDBLOCK || now_ms() > deadline_ms_;
    if (late || (sent < 0 && fault != EINTR)) {
      close();
      return connection_error(
          server_, "send", late ? "not taken within the timeout" : std::strerror(fault));
    }
    if (sent > 0) left.remove_prefix(static_cast<std::size_t>(sent));
  }
  return {};
}

Result<OwnedReply> Client::receive() {
  if (!alive()) return connection_error(server_, "receive", "the connection is closed");
  void* reply = nullptr;
  if (redisGetReply(context_.get(), &reply) != REDIS_OK) return failed("receive");
  OwnedReply owned(static_cast<redisReply*>(reply));
  if (now_ms() > deadline_ms_) {
    // Each read was in time but together they were not: a server that dribbles must not hold us for
    // ever.
    close();
    return connection_error(server_, "receive", "the replies took longer than the timeout");
  }
  return owned;
}

Result<OwnedReply> Client::run(std::initializer_list<std::string_view> arguments) {
  Pipeline pipeline;
  pipeline.simple(arguments);
  if (auto sent = send(pipeline); !sent) return sent.error();
  auto reply = receive();
  if (reply && reply->is_error()) return classify(server_, *arguments.begin(), reply->text());
  return reply;
}

}  // namespace headwater::redis
