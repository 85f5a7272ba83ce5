#pragma once

#include <cstdint>
#include <memory_resource>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "connectors/redis/pipeline.hpp"
#include "connectors/sink.hpp"

namespace headwater::redis {

inline constexpr std::string_view kHeldCommand = "HMGET", kFeedCommand = "XADD";
/// Records of one group: Redis compares each watched key with all that the connection watches
/// already, so that a larger group costs more than its round trips save.
inline constexpr std::size_t kGroupItemsMax = 100;

/// How keys and values are written.
struct RenderOptions {
  std::string prefix = "crm:";
  std::int64_t tombstone_ttl_ms = 96LL * 3'600'000;
  std::string feed_key;  ///< with prefix; empty: no feed
  std::uint64_t feed_maxlen = 100'000;
  /// Records per call; 1 on Redis Cluster, where a call stays in one slot. Then a group is one,
  /// too.
  std::size_t call_items_max = 100;
};

/// A relation that a record states: `rel` to the record `target` (an rkey).
struct Relation {
  std::string_view rel, target;
  friend bool operator==(const Relation&, const Relation&) = default;
};

/// The relations in a stored `j`. Only `refs` is read; text that we did not write gives what can be
/// read of it.
void parse_relations(std::string_view j, std::vector<Relation>& out);

/// What a record's key holds before we write it.
struct Held {
  std::optional<std::uint64_t> rev;  ///< none: there is no such key
  bool deleted = false;
  std::string_view j;  ///< where it was asked for; must live until write()
};

/// Turns a batch into commands: coalesce(), then for each group of its records ask(), held() for
/// every record in asked(), the same with ask_seams() if that is true, and write().
///
/// - Per record of the batch the last entry counts; it remembers every target that its entries
/// moved away from.
/// - A record is replaced only by a higher rev: its key is watched, its rev read, and the
/// transaction that writes it fails if the key has changed since. Not a script: Redis would hash
/// every byte of a script's arguments, which costs more than storing them.
/// - Relations come first, then records: a crash between leaves the old `j`, so a repeat still
/// finds the old relations.
/// - Sets are written where refs, deletion or sort time changed; all of a record's on create, read
/// and delete.
/// - A record that does not hold what an entry builds on is a seam, and is written whole. It
/// happens when a record changes
///   while states are materialized: its state is skipped, and the journal's entry names only the
///   relations that changed.
///
/// Pure: bytes in, bytes out. Reused by one thread; texts borrow from the batch.
class Renderer {
 public:
  explicit Renderer(RenderOptions options);

  /// Takes the batch's last entry per record. Holes and quarantine rows are not for Redis.
  void coalesce(const Batch& batch);

  /// Takes the next records of the batch, in the order of their last entries. False: none are left.
  bool next_group();

  /// Watches the group's keys and asks what they hold; `j` only where no entry names the old
  /// relations: whole states and purges.
  void ask(Pipeline& out);
  /// Asks for the `j` of the group's seams. False if there are none.
  bool ask_seams(Pipeline& out);
  /// The records that the last of these asked for, in the order of their answers.
  std::span<const std::size_t> asked() const { return asked_; }
  void held(std::size_t record, const Held& held);

  void write(Pipeline& out);

  std::size_t records() const { return records_.size(); }
  void set_call_items_max(std::size_t items) { options_.call_items_max = items; }

 private:
  struct Record {
    const EntryView* last = nullptr;
    bool all_relations = false;  // else only those in `changed`
    bool needs_j = false;
    std::int64_t since = 0;  // what the key must hold: see is_seam()
    Held held;
    std::pmr::vector<std::string_view> changed;  // relation names
    std::pmr::vector<Relation> old;
  };
  struct RelationWrite {
    std::string_view what, rel, target, member;
    std::int64_t score;
    std::uint64_t rev;
  };

  static bool is_seam(const Record& record);
  void ask_held(Pipeline& out) const;
  void record_key(Pipeline& out, std::size_t record) const;
  void collect_relations(const Record& record);
  void write_relations(Pipeline& out) const;
  void write_records(Pipeline& out);
  void write_record(Pipeline& out, std::size_t record);
  void write_purges(Pipeline& out) const;
  void write_feed(Pipeline& out) const;

  RenderOptions options_;
  std::pmr::unsynchronized_pool_resource pool_;  // keeps blocks for the next batch
  std::pmr::monotonic_buffer_resource arena_{&pool_};
  Mode mode_ = Mode::Follow;
  std::span<const std::size_t> group() const {
    return std::span(order_).subspan(group_at_, group_end_ - group_at_);
  }

  Rev last_rev_;                              // of the batch
  std::vector<Record> records_;               // by first appearance
  std::vector<std::size_t> order_;            // records by their last entry's rev
  std::size_t group_at_ = 0, group_end_ = 0;  // the group in hand, within order_
  std::vector<std::size_t> asked_, seams_;
  bool had_seams_ = false;  // the batch
  std::vector<RelationWrite> relation_writes_;
  std::vector<std::size_t> puts_, purges_;
  std::vector<Relation> scratch_;
  std::string json_;
};

}  // namespace headwater::redis
