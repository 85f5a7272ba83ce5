#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "connectors/postgres/arrays.hpp"
#include "connectors/postgres/plan.hpp"
#include "schemas/core/result.hpp"
#include "schemas/model/entry.hpp"

namespace headwater::postgres {

/// The parameters of one set-based statement: an array per column, all of one length.
struct RowSet {
  std::vector<ArrayBuffer> columns;

  bool empty() const { return columns.front().size() == 0; }
  std::size_t rows() const { return columns.front().size(); }
  void clear() {
    for (ArrayBuffer& column : columns) column.clear();
  }
};

/// The column order of each kind of RowSet; statements.cpp names the same columns in the same
/// order.
RowSet make_rows(const TablePlan& plan);  ///< head_columns(), common_columns(), plan.columns
RowSet make_keys();                       ///< org, object, id, rev: rows to remove
RowSet make_edges();         ///< org, src, rel, from_object, to_object, to_id, sort_at, rev
RowSet make_edge_sources();  ///< org, src, rev: edges of src with a smaller rev are gone
RowSet make_mirror_rows();   ///< key, rev, ts, row as jsonb
RowSet make_mirror_keys();   ///< key
/// org, topic, name, rev, created_at, created_by, event_uuid, replay_id, schema_id, payload
RowSet make_platform_rows();

/// What a batch says to one of the mirrors crm.hole and crm.quarantine.
struct MirrorRows {
  RowSet open = make_mirror_rows();
  RowSet closed = make_mirror_keys();
};

/// Entries -> arrays. Platform events one by one; coalesces to one image per record: the last one,
/// but edges are written if any of the record's entries says that they changed. Sorted by key, so
/// that writers never deadlock. Keeps its memory from batch to batch.
///
/// Edges (design.md ruling 13): written for create, read and delete, and where an update changed
/// refs or the sort time; then all edges of the record go out with its rev, and older ones of it
/// are removed.
class Renderer {
 public:
  /// REQUIRES: the last plan is custom_record_plan().
  explicit Renderer(std::vector<TablePlan> plans);

  /// Fills what the accessors below give. Rejected: a value that its column cannot hold, named by
  /// record and field. The NameTables of the entries must outlive this object (they are the
  /// ledger's).
  /// `all_edges`: those of every record, not only where an entry changes them.
  Result<void> render(std::span<const EntryView* const> entries, bool all_edges = false);

  std::span<const TablePlan> plans() const { return plans_; }
  RowSet& upserts(std::size_t plan) { return upserts_[plan]; }
  RowSet& purges(std::size_t plan) { return purges_[plan]; }
  RowSet& edges() { return edges_; }
  RowSet& edge_sources() { return edge_sources_; }
  RowSet& platform() { return platform_; }
  MirrorRows& holes() { return holes_; }
  MirrorRows& quarantine() { return quarantine_; }

 private:
  /// Number of the column that a name fills, in one table, for one NameTable; grows as names are
  /// met.
  using NameColumns = std::vector<std::int32_t>;
  /// Sorts by table, then key. `head` and `tail` are 16 characters of the record id as numbers:
  /// they decide nearly every comparison without a look at the entry, which is seldom in the cache.
  struct Item {
    std::uint32_t group, index;
    std::uint64_t head, tail;
    const EntryView* entry;

    bool same_key(const Item& other) const;
    bool operator<(const Item& other) const;
  };

  void clear();
  std::uint32_t group_of(const EntryView& entry);
  Result<void> add_row(std::size_t plan, const EntryView& entry);
  Result<void> add_head(RowSet& rows, const EntryView& entry, const ImageView& image);
  void add_leftovers(ArrayBuffer& out, const ImageView& image) const;
  Result<void> add_edges(const EntryView& entry);
  Result<void> add_edge(const EntryView& entry,
                        std::string_view rel,
                        std::string_view object,
                        std::string_view id);
  void add_purge(std::size_t plan, const EntryView& entry);
  void add_mirror(MirrorRows& mirror, const EntryView& entry);
  void add_platform(const EntryView& entry);
  void add_unkept(std::uint32_t group, const EntryView& entry);
  void place_members(std::size_t plan, const ImageView& image);
  std::int32_t column_of(std::size_t plan, const NameTable& names, NameId id, NameColumns& known);

  std::vector<TablePlan> plans_;
  std::vector<RowSet> upserts_, purges_;
  RowSet edges_ = make_edges(), edge_sources_ = make_edge_sources();
  RowSet platform_ = make_platform_rows();
  MirrorRows holes_, quarantine_;

  std::unordered_map<std::string_view, std::uint32_t> plan_of_entity_;
  std::vector<std::unordered_map<std::string_view, std::int32_t>> column_of_member_;
  std::vector<std::unordered_map<const NameTable*, NameColumns>> name_columns_;
  std::vector<Item> items_;
  std::vector<const ValueView*> slots_;   // of the row in hand, by column
  std::vector<const Member*> leftovers_;  // canonical fields without a column
};

}  // namespace headwater::postgres
