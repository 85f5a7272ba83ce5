#pragma once

#include <chrono>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "schemas/core/result.hpp"

namespace headwater::kafka {

/// A topic as it should be created (unified-model.md section 15).
struct TopicSpec {
  std::string name;
  int partitions = 1;
  int replication = 0;  ///< 0: the broker's default
  /// Topic settings, `cleanup.policy` first.
  std::vector<std::pair<std::string, std::string>> settings;
};

/// Changes topics keep history this long; also how long a consumer may stay away without losing
/// any.
inline constexpr std::chrono::hours kChangesKept{24 * 7};
/// Tombstones stay at least this long, longer than Salesforce keeps events (72 h).
inline constexpr std::chrono::hours kTombstonesKept{24 * 4};
inline constexpr std::chrono::hours kQuarantineKept{24 * 30};

/// Names and specifications of all our topics. Pure.
class Topics {
 public:
  Topics(std::string prefix, int partitions, int replication)
      : prefix_(std::move(prefix)), partitions_(partitions), replication_(replication) {}

  /// `contact` -> `crm.changes.contact`; `custom:Invoice__c` -> `crm.changes.custom.Invoice__c`.
  TopicSpec changes(std::string_view entity) const;
  TopicSpec records(std::string_view entity) const;
  /// Of a platform event: `Order_Event__e` -> `crm.events.Order_Event__e`.
  TopicSpec events(std::string_view event) const;
  TopicSpec cursors() const;
  TopicSpec quarantine() const;
  /// Entities whose topics Kafka cannot keep apart, one sentence each: it refuses a name that
  /// differs from another in `.` and `_` only, because its metrics know no dots.
  std::vector<std::string> clashes(const std::vector<std::string>& entities) const;

 private:
  TopicSpec spec(std::string_view kind, std::string_view entity) const;
  std::string prefix_;
  int partitions_, replication_;
};

/// What came of asking for topics.
struct Creation {
  std::vector<std::string> refused = {};  ///< `name: why`
  std::set<std::string> existing = {};    ///< were there already
  std::set<std::string> forbidden =
      {};                ///< refused for want of a privilege: they may be there or not
  bool answered = true;  ///< false: not for all in time; they may come yet
};

/// What to say of a topic that is needed and that the broker does not show, though `asked` for.
/// Transient while its creation may only be slow, else Blocked.
Error hidden_topic(std::string_view name);  ///< it exists, but we may not see it
Error missing_topic(const TopicSpec& topic, std::string_view brokers, const Creation& asked);

/// The kafka-topics command that creates the topic, for a person to run.
std::string create_command(const TopicSpec& topic, std::string_view brokers);

}  // namespace headwater::kafka
