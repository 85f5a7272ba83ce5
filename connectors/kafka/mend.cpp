#include <utility>

#include "connectors/kafka/headers.hpp"
#include "connectors/kafka/sink.hpp"

// Images that came late to a compacted topic. A request that a dead predecessor had handed to its
// kernel, or a paused one still held, reaches the broker whenever it likes: nothing in the protocol
// fences it without transactions. Consumers who compare revs drop such an image, but compaction
// keeps it as the record's last. Every message carries its writer's epoch, so one that was written
// under an older epoch than ours and stands after our first is late.

namespace headwater::kafka {
namespace {

/// Bound of the keys that one look can mend; what a dead process had under way is far less.
constexpr std::size_t kLateKeysMax = 100'000;

/// The newest image of a record that its partition holds.
struct Newest {
  std::string org, op;
  std::optional<std::string> value;
  std::uint64_t rev = 0;
  std::uint64_t last = 0;  // rev of the last message
};

}  // namespace

void KafkaSink::LateKeys::add(const ReadMessage& message) {
  if (size >= kLateKeysMax) {
    overflow = true;
    return;
  }
  auto& keys = by_partition[{std::string(message.topic), message.partition}];
  size += keys.emplace(message.key).second ? 1 : 0;
}

/// Offsets between our own deliveries are somebody else's: of another org's daemon, or late.
Result<void> KafkaSink::look_into_gaps() {
  if (gaps_.empty()) return {};
  std::vector<Range> ranges;
  for (const auto& [at, gap] : std::exchange(gaps_, {})) ranges.push_back(gap);
  LateKeys late;
  auto done = read_ranges(*reader_, ranges, config_.timeout, [&](const ReadMessage& message) {
    const Org* org = org_of(message.org);
    if (org != nullptr && message.epoch < org->record.epoch) late.add(message);
  });
  return done ? write_newest_again(late) : done;
}

/// Reads the partitions of these keys whole: the newest image may stand anywhere before.
Result<void> KafkaSink::write_newest_again(const LateKeys& late) {
  if (late.size == 0) return {};
  if (late.overflow) {
    warnings_.emplace_back(
        "kafka: more old images came late to records topics than are mended at once; readers that "
        "keep the greater rev are right, and headwater verify names the first of the others");
  }
  PartitionCounts topics;
  for (const auto& [at, keys] : late.by_partition) topics[at.first] = counts_.at(at.first);
  auto ends = reader_->offsets(topics, Client::Edge::End, config_.timeout);
  if (!ends) return std::move(ends).error();
  std::vector<Range> ranges;
  for (const auto& [at, keys] : late.by_partition) {
    const auto end = ends->at(at.first)[static_cast<std::size_t>(at.second)];
    ranges.push_back({at.first, at.second, 0, end});
  }
  std::map<std::pair<std::string, std::string>, Newest> newest;
  auto done = read_ranges(*reader_, ranges, config_.timeout, [&](const ReadMessage& message) {
    std::string topic(message.topic);
    const auto keys = late.by_partition.find({topic, message.partition});
    if (keys == late.by_partition.end() || !keys->second.contains(message.key)) return;
    Newest& image = newest[{std::move(topic), std::string(message.key)}];
    image.last = message.rev;
    if (message.rev < image.rev) return;
    image.rev = message.rev;
    image.org = message.org;
    image.op = message.op;
    image.value = message.value;
  });
  if (!done) return done;

  const Deadline until = deadline();
  Lane& lane = lanes_.begin()->second;
  for (const auto& [at, image] : newest) {
    const Org* org = org_of(image.org);
    if (image.last == image.rev || org == nullptr) continue;
    headers_.clear();
    headers_.add(kOrgHeader, image.org);
    headers_.add(kOpHeader, image.op);
    headers_.add(kRevHeader, std::to_string(image.rev));
    headers_.add(kEpochHeader, std::to_string(org->record.epoch));
    auto sent = lane.producer->produce(
        lane.producer->topic(at.first), at.second, image.value, headers_, until);
    if (!sent) return sent;
    ++mended_;
  }
  return lane.producer->wait(until);
}

}  // namespace headwater::kafka
