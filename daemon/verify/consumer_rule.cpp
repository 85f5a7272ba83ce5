#include "daemon/verify/consumer_rule.hpp"

#include <algorithm>

namespace headwater::verify {

ConsumerRule::Says ConsumerRule::take(const kafka::ReadMessage& message) {
  if (message.org.empty()) return Says::Late;  // not ours: nobody takes it
  auto& seen = seen_[{std::string(message.topic), message.partition, std::string(message.org)}];
  const bool of_older_writer = message.epoch < seen.epoch;
  behind_ = seen.rev;
  if (message.retried) {
    const auto [first, fresh] = seen.retried.emplace(message.rev, message.epoch);
    if (!fresh) return first->second == message.epoch ? Says::Again : Says::Late;
    seen.rev = std::max(seen.rev, message.rev);
    seen.epoch = std::max(seen.epoch, message.epoch);
    return Says::Taken;
  }
  if (message.rev > seen.rev) {
    if (of_older_writer) seen.came_late.emplace(message.rev, seen.epoch);
    if (seen.came_late.size() > kCameLateMax) seen.came_late.erase(seen.came_late.begin());
    seen.rev = message.rev;
    seen.epoch = std::max(seen.epoch, message.epoch);
    return Says::Taken;
  }
  if (of_older_writer) return Says::Late;
  seen.epoch = message.epoch;
  const auto first = seen.came_late.find(message.rev);
  const bool unseen_by_writer = first != seen.came_late.end() && first->second >= message.epoch;
  return unseen_by_writer ? Says::Late : Says::Again;
}

}  // namespace headwater::verify
