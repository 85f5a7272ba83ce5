#pragma once

#include <cstdint>
#include <memory_resource>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "schemas/core/ids.hpp"
#include "schemas/model/event.hpp"
#include "schemas/model/image.hpp"
#include "schemas/model/version.hpp"

namespace headwater {

/// Debezium's four operations, as a sink sees them (unified-model.md section 8).
enum class Op : char { Create = 'c', Update = 'u', Delete = 'd', Read = 'r' };

/// The numbers are part of the ledger's on-disk format.
enum class EntryKind : std::uint8_t { Record = 0, Hole = 1, Quarantine = 2, Event = 3 };

/// `source.snapshot` of the envelope.
enum class SnapshotMark : std::uint8_t { False = 0, True = 1, Last = 2, Incremental = 3 };

/// What a record's meta said at some rev: that of the entry itself, or of the image before it.
struct Meta {
  Rev rev;
  Version version;
  EpochMs commit_ts = 0;
  std::uint64_t hash =
      0;  ///< first 8 bytes of SHA-256 over the canonical bytes, shown as 16 hex digits
  std::uint32_t mapping_rev = 0;
  bool complete = false;  ///< a full image was applied
  bool deleted = false;
  /// Fields whose transform failed, so that they are null: their name numbers as varints.
  std::string_view violations;
  /// Source fields that the org has no longer, or shows to our user no longer, so that what stands
  /// here of them is what was known last: as `violations`. Not kept in states: it is made of their
  /// fields and the org's facts.
  std::string_view retired;
};

/// Where a change came from.
struct Origin {
  ChangeType type = ChangeType::Update;
  SnapshotMark snapshot = SnapshotMark::False;
  std::string_view commit_user, change_origin, transaction_key, schema_id, event_uuid;
  std::string_view replay_id;  ///< raw bytes
  std::string_view
      change_id;  ///< CloudEvents id when no event stands behind it, else empty (derived)
};

/// A change in the journal: what every sink gets. All views borrow from the EntryBatch it stands
/// in.
struct EntryView {
  EntryKind kind = EntryKind::Record;
  Op op = Op::Update;
  std::string_view rkey, org, object, id;  ///< rkey = org:object:id
  std::string_view entity;                 ///< `contact`, `custom:Invoice__c`
  std::string_view bu;
  Meta meta;           ///< meta.rev is the entry's rev
  EpochMs ts_ms = 0;   ///< when the ledger wrote it
  bool late = false;   ///< an older event that still changed a field
  bool purge = false;  ///< remove every trace, history included

  /// Whole canonical record; empty when op is Delete.
  ImageView after;
  /// Update, re-read: what the changed members were (Absent: were not there). Delete: the whole
  /// last image. Create, purge and a first read: empty, and has_before is false.
  ImageView old;
  bool has_before = false;
  Meta before;  ///< meaningful if has_before
  std::string_view before_bu;

  std::optional<EpochMs> sort_at, before_sort_at;  ///< orders relation lists
  EpochMs deleted_at = 0;                          ///< ms, 0: not deleted
  std::string_view delete_reason;  ///< delete merge cascade gap reconcile; empty: not deleted
  std::string_view merged_into;    ///< record id, or empty
  std::string_view merged_from;    ///< ids of records merged into this one, 18 characters each
  std::span<const NameId> changed_source,
      nulled_source;  ///< API names (paths) that the event listed
  Origin origin;

  /// kind Hole and Quarantine: the row's key in `rkey`, its fields in `row` as JSON; closed says
  /// its status.
  /// kind Event, a platform event: rkey = org:Name, object = Name, op Create, `row` its fields as
  /// JSON; meta.commit_ts and origin.commit_user say when and by whom it was created. It has no
  /// record, so no image and no id.
  std::string_view row;
  bool closed = false;
  std::string_view topic;  ///< kind Event: that it came on
};

/// Appends the entry's journal value (its rev is the key). Names must already be interned.
void put_entry(std::string& out, const EntryView& entry);

// An origin's bytes, the same in entries and in states.
std::size_t origin_room(const Origin& origin);
char* write_origin(char* to, const Origin& origin);  ///< REQUIRES: origin_room(origin) bytes
void read_origin(ByteReader& reader, Origin& origin);

/// Gives the NameTable of an object; the ledger is one. Thread-safe.
class NameTables {
 public:
  virtual ~NameTables() = default;
  virtual NameTable& names(std::string_view org, std::string_view object) = 0;
};

/// A run of entries with the memory that they borrow from. Reused: clear() keeps the memory.
class EntryBatch {
 public:
  EntryBatch();
  EntryBatch(const EntryBatch&) = delete;
  EntryBatch& operator=(const EntryBatch&) = delete;

  /// Copies `bytes` and decodes them. Rejected if they are not what put_entry wrote.
  Result<void> add(Rev rev, std::string_view bytes, NameTables& tables);
  /// Adds a view whose memory the caller keeps, or copied with keep().
  void add(const EntryView& entry) { entries_.push_back(entry); }
  std::string_view keep(std::string_view text);
  void clear();

  std::span<const EntryView> entries() const { return entries_; }
  std::size_t bytes() const { return bytes_; }
  std::pmr::memory_resource& arena() { return arena_; }

 private:
  std::pmr::unsynchronized_pool_resource pool_;  // keeps blocks for the next run
  std::pmr::monotonic_buffer_resource arena_;
  std::vector<EntryView> entries_;
  std::size_t bytes_ = 0;
};

}  // namespace headwater
