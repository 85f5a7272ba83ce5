// The only file that includes RocksDB. Options: engineering.md section 2.1.

#include <fmt/format.h>
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/options.h>
#include <rocksdb/slice.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>
#include <rocksdb/write_buffer_manager.h>

#include <array>
#if defined(__x86_64__)
#include <nmmintrin.h>

#include <cstring>
#endif

#include "daemon/ledger/store.hpp"

#if defined(__x86_64__)
// Debian builds RocksDB for the oldest x86-64, so that its log's checksum, CRC-32C, runs through
// tables: one microsecond an event. The linker sends its calls here (--wrap, in CMakeLists.txt),
// where the processor's own instruction does the same sum in a quarter of the time.
namespace rocksdb::crc32c {
std::uint32_t by_tables(std::uint32_t crc,
                        const char* data,
                        std::size_t size) asm("__real__ZN7rocksdb6crc32c6ExtendEjPKcm");
std::uint32_t extend(std::uint32_t crc,
                     const char* data,
                     std::size_t size) asm("__wrap__ZN7rocksdb6crc32c6ExtendEjPKcm");

__attribute__((target("sse4.2"))) static std::uint32_t by_instruction(std::uint32_t crc,
                                                                      const char* data,
                                                                      std::size_t size) {
  std::uint64_t sum = ~crc;
  for (; size >= 8; data += 8, size -= 8) {
    std::uint64_t word;
    std::memcpy(&word, data, 8);
    sum = _mm_crc32_u64(sum, word);
  }
  auto rest = static_cast<std::uint32_t>(sum);
  for (; size > 0; ++data, --size) rest = _mm_crc32_u8(rest, static_cast<unsigned char>(*data));
  return ~rest;
}

std::uint32_t extend(std::uint32_t crc, const char* data, std::size_t size) {
  static const bool has_instruction = __builtin_cpu_supports("sse4.2") != 0;
  return has_instruction ? by_instruction(crc, data, size) : by_tables(crc, data, size);
}
}  // namespace rocksdb::crc32c
#endif

namespace headwater::ledger {
namespace {

/// Blocks of all families and, through the write buffer manager, memtables: the ledger's memory.
constexpr std::size_t kCacheBytes = 64ULL << 20;
/// Of these for memtables, over all families.
constexpr std::size_t kMemtablesBytes = 24ULL << 20;
constexpr std::size_t kMemtableBytes = 12ULL << 20;
/// Bounds what a start has to replay: 165-276 ms for a log of this size.
constexpr std::uint64_t kWalBytesMax = 64ULL << 20;
constexpr std::size_t kRecordBlockBytes = 4ULL << 10;
constexpr std::size_t kJournalBlockBytes = 16ULL << 10;
/// Files this large keep a journal of many GiB at a few hundred files.
constexpr std::uint64_t kJournalFileBytes = 32ULL << 20;

constexpr std::array<const char*, kFamilies> kFamilyNames{
    "default", "records", "journal", "holes", "quarantine", "back_refs"};

rocksdb::Slice slice(std::string_view text) { return {text.data(), text.size()}; }
std::string_view view(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

Error store_error(std::string_view what, const rocksdb::Status& status) {
  const char* remedy = status.IsCorruption() ? "check the disk, then restore the state directory "
                                               "from a backup, or move it away: a new "
                                               "one is filled from the org"
                                             : "check the disk, then start again";
  return fatal(fmt::format("ledger: {}: {}; {}", what, status.ToString(), remedy));
}

class RocksBatch final : public StoreBatch {
 public:
  RocksBatch(const std::array<rocksdb::ColumnFamilyHandle*, kFamilies>& families)
      : families_(families) {}
  void put(Family family, std::string_view key, std::string_view value) override {
    batch.Put(families_[static_cast<std::size_t>(family)], slice(key), slice(value));
  }
  void erase(Family family, std::string_view key) override {
    batch.Delete(families_[static_cast<std::size_t>(family)], slice(key));
  }
  void erase_range(Family family, std::string_view from, std::string_view to) override {
    batch.DeleteRange(families_[static_cast<std::size_t>(family)], slice(from), slice(to));
  }
  rocksdb::WriteBatch batch;

 private:
  const std::array<rocksdb::ColumnFamilyHandle*, kFamilies>& families_;
};

class RocksScan final : public StoreScan {
 public:
  RocksScan(std::unique_ptr<rocksdb::Iterator> iterator, std::string_view from)
      : iterator_(std::move(iterator)) {
    iterator_->Seek(slice(from));
  }
  bool valid() const override { return iterator_->Valid(); }
  std::string_view key() const override { return view(iterator_->key()); }
  std::string_view value() const override { return view(iterator_->value()); }
  void next() override { iterator_->Next(); }
  Result<void> status() const override {
    if (iterator_->status().ok()) return {};
    return store_error("scan", iterator_->status());
  }

 private:
  std::unique_ptr<rocksdb::Iterator> iterator_;
};

class RocksStore final : public Store {
 public:
  RocksStore(std::unique_ptr<rocksdb::DB> db, std::vector<rocksdb::ColumnFamilyHandle*> handles)
      : db_(std::move(db)) {
    for (std::size_t i = 0; i < kFamilies; ++i) families_[i] = handles[i];
  }
  ~RocksStore() override {
    for (auto* family : families_) db_->DestroyColumnFamilyHandle(family);
    db_->Close();
  }

  std::unique_ptr<StoreBatch> batch() override { return std::make_unique<RocksBatch>(families_); }

  Result<void> write(StoreBatch& batch, bool sync) override {
    auto& own = static_cast<RocksBatch&>(batch);
    rocksdb::WriteOptions options;
    options.sync = sync;
    const auto status = db_->Write(options, &own.batch);
    own.batch.Clear();
    if (!status.ok()) return store_error("write", status);
    return {};
  }

  Result<bool> get(Family family, std::string_view key, std::string& value) override {
    const auto status = db_->Get({}, handle(family), slice(key), &value);
    if (status.IsNotFound()) return false;
    if (!status.ok()) return store_error("read", status);
    return true;
  }

  Result<void> get_sorted(Family family,
                          std::span<const std::string_view> keys,
                          std::vector<Found>& out) override {
    if (out.size() < keys.size()) out.resize(keys.size());
    constexpr std::size_t kRun = 128;  // keys per call: their arrays stay on the stack
    std::array<rocksdb::Slice, kRun> slices;
    std::array<rocksdb::PinnableSlice, kRun> values;
    std::array<rocksdb::Status, kRun> statuses;
    for (std::size_t start = 0; start < keys.size(); start += kRun) {
      const std::size_t count = std::min(kRun, keys.size() - start);
      for (std::size_t i = 0; i < count; ++i) slices[i] = slice(keys[start + i]);
      db_->MultiGet({}, handle(family), count, slices.data(), values.data(), statuses.data(), true);
      for (std::size_t i = 0; i < count; ++i) {
        Found& found = out[start + i];
        if (!statuses[i].ok() && !statuses[i].IsNotFound()) return store_error("read", statuses[i]);
        found.found = statuses[i].ok();
        if (found.found) found.value.assign(values[i].data(), values[i].size());
        values[i].Reset();
      }
    }
    return {};
  }

  std::unique_ptr<StoreScan> scan(Family family, std::string_view from) override {
    rocksdb::ReadOptions options;
    options.fill_cache = false;  // a sink that reads far back must not push out the hot records
    return std::make_unique<RocksScan>(
        std::unique_ptr<rocksdb::Iterator>(db_->NewIterator(options, handle(family))), from);
  }

  std::uint64_t approximate_bytes(Family family) override {
    std::uint64_t files = 0;
    std::uint64_t memory = 0;
    db_->GetIntProperty(handle(family), rocksdb::DB::Properties::kLiveSstFilesSize, &files);
    db_->GetIntProperty(handle(family), rocksdb::DB::Properties::kCurSizeAllMemTables, &memory);
    return files + memory;
  }

  void flush() noexcept override {
    rocksdb::FlushOptions options;
    options.wait = true;
    // Best effort: what is not flushed is in the log, and replayed at the next start.
    db_->Flush(options, {families_.begin(), families_.end()}).PermitUncheckedError();
  }

 private:
  rocksdb::ColumnFamilyHandle* handle(Family family) const {
    return families_[static_cast<std::size_t>(family)];
  }
  std::unique_ptr<rocksdb::DB> db_;
  std::array<rocksdb::ColumnFamilyHandle*, kFamilies> families_{};
};

/// A write that failed is never tried again on the same file: what of it is on the disk is known
/// only to the next start. RocksDB's own recovery would sync the log once more, and aborts on it.
class NoSecondSync final : public rocksdb::EventListener {
 public:
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason,
                            rocksdb::Status,
                            bool* auto_recovery) override {
    *auto_recovery = false;
  }
};

rocksdb::DBOptions db_options(const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::DBOptions options;
  options.listeners.push_back(std::make_shared<NoSecondSync>());
  options.max_bgerror_resume_count = 0;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  options.paranoid_checks = true;
  options.max_open_files = -1;
  options.max_total_wal_size = kWalBytesMax;
  // Only a torn tail is forgiven; a log that is missing or cut elsewhere is a lost write, and said.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  options.track_and_verify_wals_in_manifest = true;
  options.write_buffer_manager =
      std::make_shared<rocksdb::WriteBufferManager>(kMemtablesBytes, cache);
  options.max_background_jobs = 2;
  options.env = rocksdb::Env::Default();
  options.env->LowerThreadPoolCPUPriority(rocksdb::Env::LOW);
  options.env->LowerThreadPoolIOPriority(rocksdb::Env::LOW);
  options.allow_concurrent_memtable_write = false;  // there is one writer
  options.enable_write_thread_adaptive_yield = false;
  options.keep_log_file_num = 3;
  options.max_log_file_size = 4ULL << 20;
  options.stats_dump_period_sec = 0;
  return options;
}

rocksdb::ColumnFamilyOptions family_options(Family family,
                                            const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.format_version = 5;
  table.checksum = rocksdb::kXXH3;  // Debian's build has no hardware CRC32C
  rocksdb::ColumnFamilyOptions options;
  options.write_buffer_size = kMemtableBytes;
  options.max_write_buffer_number = 3;
  options.compression = rocksdb::kNoCompression;
  options.bottommost_compression = rocksdb::kDisableCompressionOption;
  if (family == Family::Records) {
    // A flush has the writer's pace, and what it writes is soon merged with the level below.
    options.bottommost_compression = rocksdb::kLZ4Compression;
    table.block_size = kRecordBlockBytes;
    table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
    table.data_block_index_type = rocksdb::BlockBasedTableOptions::kDataBlockBinaryAndHash;
    options.memtable_whole_key_filtering = true;
    options.memtable_prefix_bloom_size_ratio = 0.02;
    // A batch brings its states in key order: each search starts where the one before ended, not at
    // the top. One hint for the whole memtable: the empty prefix.
    options.memtable_insert_with_hint_prefix_extractor.reset(rocksdb::NewCappedPrefixTransform(0));
  } else if (family == Family::Journal) {
    // Keys only grow, so files never overlap and move down the levels without being rewritten. Not
    // compressed: most entries live for an hour, and the bytes accounted for are those on the disk.
    table.block_size = kJournalBlockBytes;
    options.target_file_size_base = kJournalFileBytes;
  }
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

}  // namespace

Result<std::unique_ptr<Store>> open_rocks_store(const std::string& directory) {
  const auto cache = rocksdb::NewLRUCache(kCacheBytes);
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (std::size_t i = 0; i < kFamilies; ++i) {
    families.emplace_back(kFamilyNames[i], family_options(static_cast<Family>(i), cache));
  }
  rocksdb::DB* opened = nullptr;
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  const auto status = rocksdb::DB::Open(db_options(cache), directory, families, &handles, &opened);
  if (!status.ok()) return store_error(fmt::format("open {}", directory), status);
  return std::unique_ptr<Store>(
      std::make_unique<RocksStore>(std::unique_ptr<rocksdb::DB>(opened), std::move(handles)));
}

}  // namespace headwater::ledger
