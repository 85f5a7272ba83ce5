#include "connectors/redis/pipeline.hpp"

namespace headwater::redis {

void Pipeline::header(char type, std::size_t count) {
  char text[24];
  text[0] = type;
  auto* end = std::to_chars(text + 1, text + sizeof text - 2, count).ptr;
  *end++ = '\r';
  *end++ = '\n';
  bytes_.append(text, static_cast<std::size_t>(end - text));
}

}  // namespace headwater::redis
