#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "schemas/core/ids.hpp"
#include "schemas/core/time.hpp"

namespace headwater::kafka {

/// Per topic, the offset after the last message of each partition; its size is the partition count.
using TopicEnds = std::map<std::string, std::vector<std::int64_t>, std::less<>>;

/// The value under `<sink>:<org>` in the cursors topic: everything up to `rev` lies below `ends`.
struct CursorRecord {
  std::string ledger;
  std::string holder;
  std::uint64_t epoch = 0;
  std::uint64_t claim = 0;  ///< drawn at each claim; 0: written before there was one
  Rev rev;
  Rev highest;             ///< no message below `ends` has a greater rev, whoever wrote it
  EpochMs commit_ts = 0;   ///< of the entry at rev, 0: unknown
  EpochMs updated_at = 0;  ///< by the writer's clock
  TopicEnds ends;
};

/// True if `later` is a claim that lost: of two that claim at the same instant, both with the same
/// epoch, the first in the log has won. The other one sees that and stops; its record says nothing.
/// They may even have the same name: machines cloned with all they are.
inline bool lost_claim(const CursorRecord& held, const CursorRecord& later) {
  return later.epoch == held.epoch && (later.holder != held.holder || later.claim != held.claim);
}

std::string cursor_key(std::string_view sink, std::string_view org);

/// Appends the record as JSON.
void append_cursor_json(std::string& out, const CursorRecord& record);
/// Reads it. Nothing if it is not what append_cursor_json writes; unknown members are ignored.
std::optional<CursorRecord> parse_cursor_json(std::string_view text);

}  // namespace headwater::kafka
