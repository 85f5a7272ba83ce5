#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "connectors/redis/config.hpp"
#include "connectors/redis/pipeline.hpp"
#include "schemas/core/result.hpp"

struct redisContext;
struct redisReply;

namespace headwater::redis {

/// A reply, or an element of one (then valid as long as the whole). Reading it as a type it is not
/// gives nothing or 0.
class Reply {
 public:
  explicit Reply(redisReply* reply) : reply_(reply) {}
  bool is_error() const;
  bool is_nil() const;
  std::string_view text() const;  ///< of strings, status and errors
  std::int64_t integer() const;
  std::uint64_t number() const;  ///< a number that Redis keeps as text; 0 if it is none
  std::size_t size() const;      ///< elements of an array
  Reply at(std::size_t index) const;

 private:
  redisReply* reply_;
};

/// A reply with its memory.
class OwnedReply : public Reply {
 public:
  explicit OwnedReply(redisReply* reply);

 private:
  struct Free {
    void operator()(redisReply* reply) const;
  };
  std::unique_ptr<redisReply, Free> owner_;
};

/// One connection to a server, blocking, with deadlines. Used by one thread. The only code that
/// knows hiredis.
///
/// A failed call closes it: replies could no longer be told apart.
class Client {
 public:
  static Result<Client> connect(const Endpoint& endpoint, Millis timeout);

  /// Sends the pipeline's commands and starts the deadline for their replies.
  Result<void> send(const Pipeline& pipeline);
  /// The next reply, error replies included: those are the caller's to judge.
  Result<OwnedReply> receive();
  /// One command, one reply; an error reply becomes an Error.
  Result<OwnedReply> run(std::initializer_list<std::string_view> arguments);

  bool alive() const { return context_ != nullptr; }
  void close() { context_.reset(); }
  const std::string& server() const { return server_; }

 private:
  struct Free {
    void operator()(redisContext* context) const;
  };
  Client(redisContext* context, std::string server, Millis timeout);
  Error failed(std::string_view doing);

  std::unique_ptr<redisContext, Free> context_;
  std::string server_;
  Millis timeout_;
  std::int64_t deadline_ms_ = 0;  // monotonic
};

}  // namespace headwater::redis
