#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "connectors/kafka/client.hpp"

namespace headwater::kafka {

/// Offsets [from, to) of one partition.
struct Range {
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t from = 0, to = 0;
};

/// A message as read-back sees it. Borrowed until the callback returns.
struct ReadMessage {
  std::string_view topic, key;
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  std::optional<std::string_view> value;  ///< nothing: a tombstone
  std::string_view org;                   ///< of our headers; empty: not ours
  std::string_view op;
  std::uint64_t rev = 0, epoch = 0;
  bool retried = false;
};

/// Reads whole ranges, partitions side by side, each in its order. Offsets without data
/// (compaction, control records) are passed over. Transient if nothing comes for `stall`.
Result<void> read_ranges(Client& client,
                         std::span<const Range> ranges,
                         Millis stall,
                         const std::function<void(const ReadMessage&)>& each);

}  // namespace headwater::kafka
