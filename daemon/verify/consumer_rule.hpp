#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>

#include "connectors/kafka/reader.hpp"

namespace headwater::verify {

/// Reads partitions as engineering.md 3.4 asks of those who count or append: they remember one rev
/// per org and partition, and drop what is not above it. Of what they drop it says whether it may
/// be there. Pure.
///
/// Without transactions one thing may: a request of a writer that was killed or had given up, which
/// the broker took after its heir had read the partition back. Each open of the sink is another
/// writer, with an epoch above the last one's; a writer repeats nothing that it found. So, of two
/// copies, the later one may be of an older epoch, or the earlier one may stand behind a message of
/// the later one's epoch: that writer had read back before it.
///
/// An earlier copy that came in the moment between the heir's reading and its first message there
/// looks like one that the heir should have found, and is called Again.
///
/// A message with the header `retried` was refused when its turn came and written when an operator
/// asked for it: it is taken whatever its rev, once.
///
///   REQUIRES: each partition's messages in their order.
class ConsumerRule {
 public:
  enum class Says : std::uint8_t {
    Taken,  ///< its rev is above all before it, or it was retried
    Late,   ///< a request of a dead writer, or the heir's own copy of one that came before it
    Again   ///< nothing excuses it
  };
  Says take(const kafka::ReadMessage& message);
  /// The rev that the last message stood behind. REQUIRES: it was not Taken.
  std::uint64_t behind() const { return behind_; }

 private:
  /// What a dead writer had under way is far less. More are those of a writer that lost its epoch.
  static constexpr std::size_t kCameLateMax = 10'000;
  struct Seen {
    std::uint64_t rev = 0, epoch = 0;  ///< the greatest
    /// The last taken ones that came late: their revs -> the greatest epoch before each.
    std::map<std::uint64_t, std::uint64_t> came_late;
    std::map<std::uint64_t, std::uint64_t> retried;  ///< their revs -> the epoch of the first copy
  };
  std::map<std::tuple<std::string, std::int32_t, std::string>, Seen> seen_;
  std::uint64_t behind_ = 0;
};

}  // namespace headwater::verify
