// Commands that we write in Redis' wire format are read back, by hiredis, as exactly the arguments
// that went in: no value becomes a command.

#include <hiredis/hiredis.h>

#include <memory>
#include <vector>

#include "connectors/redis/pipeline.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace headwater;

FUZZ_TARGET(resp_pipeline) {
  std::vector<std::vector<std::string>> commands;
  redis::Pipeline pipeline;
  for (fuzz::Pieces pieces(input); !pieces.empty();) {
    const std::size_t count = 1 + pieces.byte() % 5;
    auto& command = commands.emplace_back();
    pipeline.command({"FCALL", 1}, count);
    for (std::size_t i = 0; i < count; ++i) {
      const auto kind = pieces.byte() % 3;
      const auto first = pieces.text();
      if (kind == 0) {
        pipeline.arg(first);
        command.emplace_back(first);
      } else if (kind == 1) {
        const auto number = static_cast<std::int64_t>(pieces.number(8));
        pipeline.arg(number);
        command.push_back(std::to_string(number));
      } else {
        const auto second = pieces.text();
        pipeline.joined({first, ":{", second, "}"});
        command.push_back(std::string(first) + ":{" + std::string(second) + "}");
      }
    }
  }
  HEADWATER_ASSERT(pipeline.calls().size() == commands.size());

  const std::unique_ptr<redisReader, void (*)(redisReader*)> reader(redisReaderCreate(),
                                                                    redisReaderFree);
  HEADWATER_ASSERT(
      redisReaderFeed(reader.get(), pipeline.bytes().data(), pipeline.bytes().size()) == REDIS_OK);
  for (const auto& command : commands) {
    void* raw = nullptr;
    HEADWATER_ASSERT(redisReaderGetReply(reader.get(), &raw) == REDIS_OK && raw != nullptr);
    const std::unique_ptr<redisReply, void (*)(void*)> reply(static_cast<redisReply*>(raw),
                                                             freeReplyObject);
    HEADWATER_ASSERT(reply->type == REDIS_REPLY_ARRAY && reply->elements == command.size());
    for (std::size_t i = 0; i < command.size(); ++i)
      HEADWATER_ASSERT(std::string_view(reply->element[i]->str, reply->element[i]->len) ==
                       command[i]);
  }
  void* more = nullptr;
  HEADWATER_ASSERT(redisReaderGetReply(reader.get(), &more) == REDIS_OK && more == nullptr);
}
