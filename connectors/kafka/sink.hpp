#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "connectors/kafka/config.hpp"
#include "connectors/kafka/cursor_record.hpp"
#include "connectors/kafka/headers.hpp"
#include "connectors/kafka/producer.hpp"
#include "connectors/kafka/reader.hpp"
#include "connectors/kafka/tail.hpp"
#include "connectors/kafka/topics.hpp"
#include "connectors/sink.hpp"
#include "schemas/model/render.hpp"

namespace headwater::kafka {

struct KafkaSinkOptions {
  std::string name = "kafka";         ///< of the sink: first part of the cursor's key
  std::string version;                ///< of Headwater, for envelopes
  std::vector<std::string> entities;  ///< whose topics are made at open; others at first sight
  /// The 18-character org id of an org, or empty; asked at every write.
  std::function<std::string(std::string_view org)> org_id;
  /// Bound of what read-back keeps; not below the largest batch.
  std::size_t read_back_pairs_max = KnownTail::kPairsMax;
};

/// Keeps Kafka in step: every entry to its changes topic, last images to records topics, platform
/// events to events topics, our cursor to the cursors topic. Consumers: upsert by key, greater rev
/// wins.
///
/// Default mode, the log as the truth:
///   open:   create missing topics; read the cursor records; claim each org (epoch + 1), and yield
///           if another's claim of the same instant stands before ours in the log;
///           read every partition back from the offset that the cursor record names, and keep
///           the (key, rev) found
///   write:  the cursor record of the batches before, then each entry but those found;
///           wait for all reports
///   idle:   the cursor record still owed
/// The cursor record is a lower bound, so a crash between data and cursor only makes the next
/// read-back longer. A request of a dead predecessor may still come in between: on records topics,
/// where compaction would keep that old image for good, the newest is then written again.
/// After any failure the producer is thrown away and open() reads back. Kafka
/// cannot refuse a rival here: a foreign record among our cursor's is Fatal as soon as it is seen.
///
/// With transactions: per org one producer; a batch's messages and its cursor record are one
/// transaction.
///   open:   a new producer's init settles what a predecessor left and fences it; the cursor is
///           read committed. One that names no ends is new, or its topics lost what it named:
///           then what the others still hold is read back as above
/// A commit of unknown outcome is never repeated: new producer, init, read the cursor.
///
/// Used by one thread.
class KafkaSink final : public Sink {
 public:
  /// `clock` must outlive the sink.
  KafkaSink(KafkaConfig config, Holder holder, KafkaSinkOptions options, const Clock& clock);
  ~KafkaSink() override;

  Result<std::vector<Cursor>> open(std::span<const std::string> orgs) override;
  Result<void> write(const Batch& batch) override;
  Result<void> idle() override;
  /// Sends the cursor still owed, if the last write went well.
  void close() noexcept override;

  std::size_t entries_max() const override { return config_.entries_max; }
  std::size_t bytes_max() const override { return config_.bytes_max; }
  bool needs_history() const override { return true; }
  /// With transactions the cursor; else that of the last cursor record, which lags behind it.
  Rev recorded(std::string_view org, Rev cursor) const override;

  /// What the last open() found that works but may hurt, one sentence each.
  const std::vector<std::string>& warnings() const override { return warnings_; }
  /// Messages found twice when partitions were read once more after open: a dead predecessor's
  /// request that the broker took late.
  std::uint64_t late_repeats() const override { return late_repeats_; }
  std::uint64_t mended() const override { return mended_; }
  /// By its size: of refusals as too large only.
  Result<std::optional<bool>> would_take(const EntryView& held, const Error& refusal) override;
  /// Messages not sent because they were already there.
  std::uint64_t skipped() const { return skipped_; }

 private:
  struct Org {
    std::string name, key;          // key: of its cursor record
    bool held = false;              // this process has held it before
    CursorRecord record;            // as last written or read
    bool foreign = false;           // the record was another ledger's when we claimed it
    std::uint64_t committed = 0;    // transactions: rev of the last one
    Rev history_from, events_from;  // of the batch in hand
    struct Owed {
      Rev rev;
      EpochMs commit_ts = 0;
    };
    std::optional<Owed> owed;      // a batch is durable, its cursor record not yet written
    std::int64_t recorded_at = 0;  // monotonic ms of the last cursor record
  };
  /// A producer and its topics by entity: one, or with transactions one per org.
  struct Lane {
    std::unique_ptr<Producer> producer;
    /// The headers that the last entry of an operation had in common with the one before it.
    struct Shapes {
      const Org* org = nullptr;
      std::string_view verb;  // a literal
      std::string bu;
      HeaderPool::Shape* changes = nullptr;
      HeaderPool::Shape* records = nullptr;
    };
    struct Entity {
      Producer::Topic* changes = nullptr;
      Producer::Topic* records = nullptr;
      std::map<Op, Shapes> shapes;
    };
    struct Event {
      Producer::Topic* topic = nullptr;
      std::map<std::pair<const Org*, bool>, HeaderPool::Shape*> shapes;  // true: retried
    };
    std::map<std::string, Entity, std::less<>> entities;
    std::map<std::string, Event, std::less<>> events;
    Producer::Topic* cursors = nullptr;
    Producer::Topic* quarantine = nullptr;
  };

  // open.cpp
  Result<void> connect();
  Result<void> prepare_topics();
  /// Topics that are not there although they were asked for.
  struct Missing {
    std::vector<TopicSpec> topics;
    Creation asked;
  };
  Result<Missing> create_missing(std::vector<TopicSpec> wanted);
  Result<void> find_hidden();
  void adopt(const PartitionCounts& counts);
  Result<void> read_cursors(Client& reader);
  Result<void> check_holders();
  Error held_by(const Org& org, const CursorRecord& record) const;
  Result<void> open_lanes();
  Result<void> list_ends();
  bool truncated(const Org& org);
  Result<void> claim();
  Result<void> check_claim(const Org& org, std::int64_t looked, std::int64_t ours);
  void plan_tail();
  Result<void> read_back(std::uint64_t floor);
  bool names_all_ends() const;

  // watch.cpp
  Result<void> watch();
  Result<void> check_rivals(Client& reader);
  Result<void> put_on_top(const std::set<Org*>& covered);
  Result<void> note_cursor_offsets();
  Result<void> count_late_repeats();
  Error fenced_by_whom(Error error);

  // mend.cpp
  struct LateKeys {
    std::map<std::pair<std::string, std::int32_t>, std::set<std::string, std::less<>>> by_partition;
    std::size_t size = 0;
    bool overflow = false;
    void add(const ReadMessage& message);
  };
  Result<void> look_into_gaps();
  Result<void> write_newest_again(const LateKeys& late);

  // sink.cpp
  Error fail(Error error);
  Result<void> ready();
  Result<void> ensure_topics(Entries entries);
  Result<void> write_idempotent(const Batch& batch);
  Result<void> send_idempotent(const Batch& batch, Lane& lane, Deadline until);
  Result<void> know_tail(Entries entries);
  Result<void> write_transactions(const Batch& batch);
  Result<void> write_transaction(Org& org, const Batch& batch);
  Result<void> send_cursor(Lane& lane, Org& org, Deadline until);
  Result<void> send_owed(bool all, Deadline until);
  void raise_highest(std::span<const CursorMove> moves);
  void note_ends(Org& org);
  Result<void> owe(std::span<const CursorMove> moves);
  Org* org_of(std::string_view name);
  Deadline deadline() const { return std::chrono::steady_clock::now() + config_.timeout; }

  // send.cpp
  Result<std::size_t> send_entries(
      Lane& lane, Entries entries, const Org* only, Rev after, Deadline until);
  Result<void> send_entry(
      Lane& lane, const EntryView& entry, const Org& org, bool last, Deadline until);
  Result<void> send_change(Lane& lane, const EntryView& entry, const Org& org, Deadline until);
  Result<void> send_record(Lane& lane, const EntryView& entry, const Org& org, Deadline until);
  Result<void> send_event(Lane& lane, const EntryView& entry, const Org& org, Deadline until);
  const std::string& id_of(const Org& org);
  Result<void> send_quarantine(Lane& lane, const EntryView& entry, const Org& org, Deadline until);
  ValueStore::Value image_of(Lane& lane, const EntryView& entry);
  std::size_t value_bytes_max() const;
  void shorten_envelope(const EntryView& entry);
  void shorten_record(const EntryView& entry);
  void mark_last_of_keys(Entries entries);
  Lane::Entity& entity_of(Lane& lane, std::string_view entity);
  Lane::Shapes& shapes_of(Lane& lane, Lane::Entity& entity, const EntryView& entry, const Org& org);

  KafkaConfig config_;
  Holder holder_;
  KafkaSinkOptions options_;
  const Clock& clock_;
  Topics topics_;

  std::vector<std::string> org_names_;
  std::map<std::string, Org, std::less<>> orgs_;       // kept over reopens: what we have held
  PartitionCounts counts_;                             // existing topics of ours
  std::set<std::string, std::less<>> entities_ready_;  // both topics exist
  std::set<std::string, std::less<>> events_ready_;    // of platform events: the topic exists
  TopicEnds ends_;                                     // after the last message that we know of
  std::unique_ptr<Client> reader_;
  std::unique_ptr<Client> committed_;               // transactions: reads what was committed
  std::map<std::string, Lane, std::less<>> lanes_;  // by org; default mode: one, under ""

  std::vector<std::int64_t> cursor_offsets_;  // of our own records since the last look
  std::int64_t cursors_seen_ = 0;             // all before it in the cursors topic is known
  std::int64_t cursors_seen_at_ = 0;          // monotonic ms

  KnownTail known_;
  std::vector<Range> tail_;                    // what was read back, for reading more of it
  std::uint64_t tail_last_ = 0;                // the highest rev that open() read back
  TopicEnds opened_ends_;                      // where the late check starts
  std::optional<std::int64_t> late_check_at_;  // monotonic ms
  Gaps gaps_;                                  // on records topics, not looked into
  LateKeys late_keys_;                         // found by read-back
  std::string made_anew_;  // a topic that lost what we had delivered, until claimed
  std::uint64_t late_repeats_ = 0, skipped_ = 0, mended_ = 0;
  std::optional<Error> fenced_;
  std::vector<std::string> warnings_;

  bool rewriting_ = false;  // the batch in hand is a retry
  EnvelopeWriter envelopes_;
  std::optional<ValueStore::Value> image_;  // of the entry being sent, within its envelope
  std::string value_;
  HeaderList headers_;
  std::string org_id_of_, org_id_;  // the last org asked for, and its id
  std::vector<std::uint8_t>
      last_of_key_;  // of the entries being sent: 1 = no later one of its record
  std::uint64_t refused_rev_ =
      0;  // rev of the entry being sent, after an error: of the refused one
};

}  // namespace headwater::kafka
