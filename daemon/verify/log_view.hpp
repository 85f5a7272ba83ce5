#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "connectors/kafka/log_reader.hpp"
#include "daemon/verify/consumer_rule.hpp"
#include "daemon/verify/spool.hpp"
#include "schemas/core/ids.hpp"

namespace headwater::verify {

/// What the topics say of one record.
struct LogStory {
  std::string rkey;
  // changes topic, by the consumer rule of engineering.md 3.4
  std::uint64_t changes = 0;      ///< accepted
  std::uint64_t last_rev = 0;     ///< of the last accepted one
  bool last_deletes = false;      ///< it was a delete
  std::uint64_t last_digest = 0;  ///< of its after-image
  std::uint64_t last_epoch = 0;   ///< of its writer
  std::string fault;              ///< the first break in its order, empty: none
  std::string passed_by;          ///< a change that readers never see; no fault once a state came
  /// The first of both.
  const std::string& broken() const { return fault.empty() ? passed_by : fault; }
  // records topics: several, of an object that another mapping moved to another entity
  struct Latest {
    std::string topic;
    std::uint32_t partition = 0;
    std::uint64_t rev = 0;  ///< of the last message under its key
    std::uint64_t rev_max = 0;
    bool tombstone = false;  ///< the last one has no value
    std::uint64_t digest = 0;
  };
  std::vector<Latest> records;
  /// What the topic with the newest message says; nothing: none has one.
  const Latest* newest() const;
  /// A record that lives in the topic of one entity must be gone from those of others. Empty: it
  /// is; else where it lives still.
  std::string lives_on_in() const;
};

/// Digest of a document's sections: equal sections, equal digest. Never kShortened.
std::uint64_t digest_of(std::string_view sections);
/// Instead of a digest: the message leaves texts out, so that its revs alone count.
inline constexpr std::uint64_t kShortened = 0;
/// What a message holds against what the ledger has.
bool same_digest(std::uint64_t held, std::uint64_t wanted);

/// The changes and records topics of a Kafka sink, read from their beginning to where they ended
/// when it began, then, for records to look at again, from there on.
///
/// A record whose object moved to another entity has its history in the topics of both, one after
/// the other by rev: a delete there, a whole state here.
///
/// Changes: what ConsumerRule does not take is dropped. A late repeat is counted; anything else
/// that came again is a fault, and so is a change that stands behind later ones and nowhere before,
/// but for two: a whole state in a partition that lost its beginning, and a change that a whole
/// state of its record holds already. Between two accepted changes of a record nothing may be
/// missing: each `before` carries the rev of the change before it. Records: the last message under
/// a key must be the one with the greatest rev, since compaction keeps the last.
///
/// Memory: one run of the spool, and a few numbers per org and partition. One thread.
class LogView {
 public:
  /// `history`: false leaves the changes topics alone. REQUIRES: reader outlives it.
  LogView(kafka::LogReader& reader, bool history) : reader_(reader), history_(history) {}

  Result<void> read();
  /// Stories in key order. False: there are no more.
  bool next(LogStory& out);

  /// From now on messages of this key are followed by catch_up().
  void watch(const LogStory& story) { watched_[story.rkey] = story; }
  Result<void> catch_up();
  /// REQUIRES: watched.
  const LogStory& watched(const std::string& rkey) const { return watched_.at(rkey); }

  /// Some partition of a changes topic has lost its beginning to retention: a record of which no
  /// change is there may have had some.
  bool lost_beginning() const { return lost_beginning_; }

  std::uint64_t accepted() const { return accepted_; }
  std::uint64_t late_repeats() const { return late_repeats_; }

 private:
  struct Fact;
  Result<void> read_kind(const char* kind, kafka::LogReader::Extent extent, bool spooling);
  Fact fact_of_change(const kafka::ReadMessage& message, bool cut);
  Fact fact_of_record(const kafka::ReadMessage& message);
  void tell(LogStory& story, const Fact& fact) const;
  static void tell_dropped(LogStory& story, const Fact& fact);
  Result<void> keep(std::string_view key, const Fact& fact);

  kafka::LogReader& reader_;
  const bool history_;
  bool lost_beginning_ = false;
  Spool spool_;
  std::optional<Spool::Pair> ahead_;
  kafka::TopicEnds changes_end_, records_end_;
  ConsumerRule rule_;
  std::map<std::string, LogStory, std::less<>> watched_;
  std::map<std::string, std::uint32_t, std::less<>> topic_numbers_;
  std::vector<std::string> topics_;
  std::uint64_t accepted_ = 0, late_repeats_ = 0;
};

}  // namespace headwater::verify
