#pragma once

#include <cstdint>
#include <memory_resource>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "connectors/redis/pipeline.hpp"
#include "connectors/sink.hpp"

namespace headwater::redis {

inline constexpr std::string_view kPutFunction = "headwater_put";

/// How keys and values are written.
struct RenderOptions {
  std::string prefix = "crm:";
  std::int64_t tombstone_ttl_ms = 96LL * 3'600'000;
  std::string feed_key;  ///< with prefix; empty: no feed
  std::uint64_t feed_maxlen = 100'000;
  std::size_t call_items_max =
      100;  ///< records per call; 1 on Redis Cluster, where a call stays in one slot
};

/// A relation that a record states: `rel` to the record `target` (an rkey).
struct Relation {
  std::string_view rel, target;
  friend bool operator==(const Relation&, const Relation&) = default;
};

/// The relations in a stored `j`. Only `refs` is read; text that we did not write gives what can be
/// read of it.
void parse_relations(std::string_view j, std::vector<Relation>& out);

/// Turns a batch into commands: coalesce(), then held() for each record that needs it, then
/// write(). If put() answers with seams, seam() for each, restart_at_seams(), and again held() and
/// write().
///
/// - Per record of the batch the last entry counts; it remembers every target that its entries
/// moved away from.
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

  /// The records whose stored `j` must be known, because no entry names their old relations: whole
  /// states and purges.
  std::span<const std::size_t> needs_held() const { return needs_held_; }
  /// Asks for `j@` and `j` of those records, in that order.
  void ask_held(Pipeline& out) const;
  /// What one of them holds. `j` must live until write().
  void held(std::size_t record, std::uint64_t rev, std::string_view j);

  void write(Pipeline& out);

  /// Record `index` (from 0) of the pipeline's headwater_put call number `call` (from 0) was a
  /// seam.
  void seam(std::size_t call, std::size_t index);
  /// Makes the seams the records to write, whole. False if there are none.
  bool restart_at_seams();

  std::size_t records() const { return records_.size(); }
  void set_call_items_max(std::size_t items) { options_.call_items_max = items; }

 private:
  struct Record {
    const EntryView* last = nullptr;
    bool all_relations = false;  // else only those in `changed`
    bool needs_held = false;
    std::int64_t since = 0;                      // what headwater_put is told to look for
    std::pmr::vector<std::string_view> changed;  // relation names
    std::pmr::vector<Relation> old;
  };
  struct RelationWrite {
    std::string_view what, rel, target, member;
    std::int64_t score;
    std::uint64_t rev;
  };

  void collect_relations(const Record& record);
  void write_relations(Pipeline& out) const;
  void write_records(Pipeline& out);
  void write_purges(Pipeline& out) const;
  void write_feed(Pipeline& out) const;

  RenderOptions options_;
  std::pmr::unsynchronized_pool_resource pool_;  // keeps blocks for the next batch
  std::pmr::monotonic_buffer_resource arena_{&pool_};
  Mode mode_ = Mode::Follow;
  Rev last_rev_;  // of the batch
  std::vector<Record> records_;     // by first appearance
  std::vector<std::size_t> order_;  // records by their last entry's rev
  std::vector<std::size_t> needs_held_;
  std::vector<RelationWrite> relation_writes_;
  std::vector<std::size_t> puts_, purges_, seams_;
  std::vector<Relation> scratch_;
  std::string json_;
};

}  // namespace headwater::redis
