#include "tests/org/loss.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace headwater::org {
namespace {

std::string_view symbol(ChangeType type) {
  static constexpr std::array<std::string_view, 4> kSymbols{
      "CREATE", "UPDATE", "DELETE", "UNDELETE"};
  const auto at = static_cast<std::size_t>(type);
  return at < kSymbols.size() ? kSymbols[at] : "OTHER";
}

/// Nothing that is still to be told. An update may begin so: the same values a second time within
/// one second change no field, and not LastModifiedDate.
bool none(const LeafSet& leaves) {
  return std::none_of(leaves.begin(), leaves.end(), [](bool set) { return set; });
}

}  // namespace

void SilentLoss::set(double share, std::uint64_t seed) {
  const std::lock_guard lock(mutex_);
  share_ = share;
  random_.seed(seed);
}

bool SilentLoss::takes(const ObjectDef& object, const EventHeader& header, const LeafSet& shown) {
  const std::lock_guard lock(mutex_);
  const bool lost = share_ > 0 && std::uniform_real_distribution<double>(0, 1)(random_) < share_;
  if (!lost) {
    seen(header, shown);
    return false;
  }
  for (const auto& id : header.record_ids) {
    by_id_.emplace(id, lost_.size());
    auto& told = lost_.emplace_back();
    told.object = object.name;
    told.id = id;
    told.type = header.type;
    told.commit_number = header.commit_number;
    told.commit_timestamp = header.commit_timestamp;
    told.untold = shown;
    told.told = header.type == ChangeType::Update && none(shown);
  }
  return true;
}

void SilentLoss::beside(const ObjectDef& object, const std::string& id, const EventHeader& header) {
  const std::lock_guard lock(mutex_);
  auto& lost = lost_.emplace_back();
  lost.object = object.name;
  lost.id = id;
  lost.beside = true;
  lost.commit_number = header.commit_number;
  lost.commit_timestamp = header.commit_timestamp;
}

/// A full image or a deletion says all that there is to say of a record; an update, its leaves.
void SilentLoss::seen(const EventHeader& header, const LeafSet& shown) {
  if (lost_.empty()) return;
  for (const auto& id : header.record_ids) {
    const auto [from, to] = by_id_.equal_range(id);
    for (auto at = from; at != to; ++at) {
      Lost& lost = lost_[at->second];
      lost.seen_after = true;
      if (header.type != ChangeType::Update) {
        lost.told = true;
      } else if (lost.type == ChangeType::Update) {
        // The object may have got fields since.
        for (std::size_t i = 0; i < std::min(shown.size(), lost.untold.size()); ++i) {
          if (shown[i]) lost.untold[i] = false;
        }
        lost.told = lost.told || none(lost.untold);
      }
    }
  }
}

std::string SilentLoss::lines() const {
  const std::lock_guard lock(mutex_);
  std::string out;
  for (const Lost& lost : lost_) {
    out += fmt::format(
        R"({{"object":"{}","id":"{}","change_type":"{}","commit_number":{},"commit_timestamp":{},)"
        R"("seen_after":{},"told":{}}})"
        "\n",
        lost.object,
        lost.id,
        lost.beside ? "SILENT" : symbol(lost.type),
        lost.commit_number,
        lost.commit_timestamp,
        lost.seen_after,
        lost.told);
  }
  return out;
}

}  // namespace headwater::org
