#include <fmt/format.h>
#include <hiredis/hiredis.h>

#include <memory>

#include "connectors/redis/config.hpp"
#include "tests/verify/targets.hpp"

namespace headwater::verify {
namespace {

using Context = std::unique_ptr<redisContext, decltype(&redisFree)>;
using Reply = std::unique_ptr<redisReply, void (*)(void*)>;

template <typename... Args>
Reply call(redisContext* context, const char* format, Args... args) {
  return Reply(static_cast<redisReply*>(redisCommand(context, format, args...)), freeReplyObject);
}

std::string_view text(const redisReply* reply) {
  return reply->type == REDIS_REPLY_STRING
             ? std::string_view(reply->str, static_cast<std::size_t>(reply->len))
             : std::string_view();
}

}  // namespace

Result<Documents> read_redis(const std::string& url, const std::string& prefix) {
  auto endpoint = redis::Endpoint::parse(url);
  if (!endpoint) return endpoint.error();
  Context context(endpoint->socket.empty() ? redisConnect(endpoint->host.c_str(), endpoint->port)
                                           : redisConnectUnix(endpoint->socket.c_str()),
                  redisFree);
  if (!context || context->err != 0)
    return transient("redis: cannot connect to " + endpoint->str());
  Documents out;
  std::string cursor = "0";
  const std::string pattern = prefix + "{*}:rec";
  do {
    auto page = call(context.get(), "SCAN %s MATCH %s COUNT 2000", cursor.c_str(), pattern.c_str());
    if (!page || page->type != REDIS_REPLY_ARRAY) return transient("redis: SCAN failed");
    cursor = text(page->element[0]);
    for (std::size_t i = 0; i < page->element[1]->elements; ++i) {
      const std::string key(text(page->element[1]->element[i]));
      auto fields = call(context.get(), "HMGET %b j del", key.data(), key.size());
      if (!fields || fields->type != REDIS_REPLY_ARRAY) return transient("redis: HMGET failed");
      if (text(fields->element[1]) != "0") continue;
      const auto open = key.find('{');
      out[key.substr(open + 1, key.rfind('}') - open - 1)] = sections_of(text(fields->element[0]));
    }
  } while (cursor != "0");
  return out;
}

}  // namespace headwater::verify
