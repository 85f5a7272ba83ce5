#include "connectors/redis/sink.hpp"
#include "tests/contract/target.hpp"
#include "tests/contract/text.hpp"
#include "tests/support/redis_server.hpp"

namespace headwater::test {
namespace {

class RedisTarget final : public Target {
 public:
  std::unique_ptr<Sink> sink(const Holder& holder) override {
    redis::RedisConfig config;
    config.endpoint = redis::Endpoint::parse(server_.url()).value();
    config.timeout = Millis(2'000);
    return std::make_unique<redis::RedisSink>(config, holder);
  }
  std::optional<Row> row(const std::string& id) override {
    auto record = server_.hash("crm:{emea:Contact:" + id + "}:rec");
    if (record.empty()) return std::nullopt;
    return Row{std::stoull(record["j@"]), name_in(record["j"]), record["del"] == "1"};
  }
  std::string state() override {
    // Every key but the cursor's, whose holder's time moves with each claim.
    return server_.run({"EVAL",
                        "local out = {} local keys = redis.call('KEYS', 'crm:{*') table.sort(keys) "
                        "for _, key in ipairs(keys) do out[#out + 1] = key .. "
                        "redis.sha1hex(redis.call('DUMP', "
                        "key)) end return out",
                        "0"}) +
           server_.run({"XLEN", "crm:feed"});
  }
  void kill() override {
    server_.run(
        {"SAVE"});  // what the server had is what a crash leaves, so that only the outage is tested
    server_.kill();
  }
  void restart() override { server_.start(); }
  void let_claim_lapse() override {
    server_.run({"HSET", "crm:cursor:emea", "updated_at", "1000"});
  }

 private:
  RedisServer server_;
};

}  // namespace

std::unique_ptr<Target> make_redis_target() { return std::make_unique<RedisTarget>(); }

}  // namespace headwater::test
