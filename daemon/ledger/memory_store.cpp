#include "daemon/ledger/memory_store.hpp"

#include <algorithm>

namespace headwater::ledger {

class MemoryBatch final : public StoreBatch {
 public:
  void put(Family family, std::string_view key, std::string_view value) override {
    ops.push_back({family, std::string(key), std::string(value), {}});
  }
  void erase(Family family, std::string_view key) override {
    ops.push_back({family, std::string(key), std::nullopt, {}});
  }
  void erase_range(Family family, std::string_view from, std::string_view to) override {
    if (from < to) ops.push_back({family, std::string(from), std::nullopt, std::string(to)});
  }
  std::vector<MemoryOp> ops;
};

void MemoryDisk::apply(Tables& tables, const Ops& ops) {
  for (const MemoryOp& op : ops) {
    auto& table = tables[static_cast<std::size_t>(op.family)];
    if (op.value) {
      table.insert_or_assign(op.key, *op.value);
    } else if (op.to.empty()) {
      table.erase(op.key);
    } else {
      table.erase(table.lower_bound(op.key), table.lower_bound(op.to));
    }
  }
}

void MemoryDisk::crash(std::size_t kept) {
  const std::lock_guard lock(mutex_);
  if (failed_) unsynced_.push_back(std::move(*failed_));
  failed_.reset();
  for (std::size_t i = 0; i < std::min(kept, unsynced_.size()); ++i) apply(synced_, unsynced_[i]);
  unsynced_.clear();
  now_ = synced_;
  broken_ = false;
  tear_in_ = 0;
}

std::size_t MemoryDisk::unsynced() const {
  const std::lock_guard lock(mutex_);
  return unsynced_.size() + (failed_ ? 1 : 0);
}

/// What of a failed write is on the disk shows now, and what shows is durable: RocksDB writes what
/// it finds in its log to files before an open ends.
void MemoryDisk::reopen() {
  const std::lock_guard lock(mutex_);
  broken_ = false;
  if (failed_) {
    apply(now_, *failed_);
    unsynced_.push_back(std::move(*failed_));
    failed_.reset();
  }
  for (const Ops& ops : unsynced_) apply(synced_, ops);
  unsynced_.clear();
}

std::shared_ptr<MemoryDisk> MemoryDisk::copy(std::size_t kept) const {
  auto out = std::make_shared<MemoryDisk>();
  {
    const std::lock_guard lock(mutex_);
    out->synced_ = synced_;
    out->unsynced_ = unsynced_;
    out->failed_ = failed_;
  }
  out->crash(kept);
  return out;
}

void MemoryDisk::tear_write(std::size_t n, bool found) {
  const std::lock_guard lock(mutex_);
  tear_in_ = n;
  tear_found_ = found;
}

std::size_t MemoryDisk::writes() const {
  const std::lock_guard lock(mutex_);
  return writes_;
}

std::size_t MemoryDisk::puts(Family family) const {
  const std::lock_guard lock(mutex_);
  return puts_[static_cast<std::size_t>(family)];
}

/// Looks its place up again at every step, so it needs no snapshot.
class MemoryScan final : public StoreScan {
 public:
  MemoryScan(std::shared_ptr<MemoryDisk> disk, Family family, std::string_view from)
      : disk_(std::move(disk)), family_(family) {
    const std::lock_guard lock(disk_->mutex_);
    take(table().lower_bound(from));
  }
  bool valid() const override { return valid_; }
  std::string_view key() const override { return key_; }
  std::string_view value() const override { return value_; }
  void next() override {
    const std::lock_guard lock(disk_->mutex_);
    take(table().upper_bound(key_));
  }
  Result<void> status() const override { return {}; }

 private:
  MemoryDisk::Table& table() { return disk_->now_[static_cast<std::size_t>(family_)]; }
  void take(MemoryDisk::Table::const_iterator at) {
    valid_ = at != table().end();
    if (!valid_) return;
    key_ = at->first;
    value_ = at->second;
  }
  std::shared_ptr<MemoryDisk> disk_;
  Family family_;
  bool valid_ = false;
  std::string key_, value_;
};

class MemoryStore final : public Store {
 public:
  explicit MemoryStore(std::shared_ptr<MemoryDisk> disk) : disk_(std::move(disk)) {
    disk_->reopen();
  }

  std::unique_ptr<StoreBatch> batch() override { return std::make_unique<MemoryBatch>(); }

  Result<void> write(StoreBatch& batch, bool sync) override {
    auto& ops = static_cast<MemoryBatch&>(batch).ops;
    const std::lock_guard lock(disk_->mutex_);
    if (!disk_->broken_ && disk_->tear_in_ > 0 && --disk_->tear_in_ == 0) {
      disk_->broken_ = true;
      if (disk_->tear_found_) disk_->failed_ = ops;
    }
    if (disk_->broken_) {
      ops.clear();
      return fatal("ledger: write: the disk failed (injected); start again");
    }
    MemoryDisk::apply(disk_->now_, ops);
    if (sync) {
      // A sync also makes durable what earlier unsynced writes left: the log is one file.
      for (const auto& earlier : disk_->unsynced_) MemoryDisk::apply(disk_->synced_, earlier);
      disk_->unsynced_.clear();
      MemoryDisk::apply(disk_->synced_, ops);
    } else {
      disk_->unsynced_.push_back(ops);
    }
    for (const MemoryOp& op : ops) {
      if (op.value) ++disk_->puts_[static_cast<std::size_t>(op.family)];
    }
    ++disk_->writes_;
    ops.clear();
    return {};
  }

  Result<bool> get(Family family, std::string_view key, std::string& value) override {
    const std::lock_guard lock(disk_->mutex_);
    const auto& table = disk_->now_[static_cast<std::size_t>(family)];
    const auto at = table.find(key);
    if (at == table.end()) return false;
    value = at->second;
    return true;
  }

  Result<void> get_sorted(Family family,
                          std::span<const std::string_view> keys,
                          std::vector<Found>& out) override {
    if (out.size() < keys.size()) out.resize(keys.size());
    for (std::size_t i = 0; i < keys.size(); ++i) {
      out[i].found = get(family, keys[i], out[i].value).value();
    }
    return {};
  }

  std::unique_ptr<StoreScan> scan(Family family, std::string_view from) override {
    return std::make_unique<MemoryScan>(disk_, family, from);
  }

  std::uint64_t approximate_bytes(Family family) override {
    const std::lock_guard lock(disk_->mutex_);
    std::uint64_t bytes = 0;
    for (const auto& [key, value] : disk_->now_[static_cast<std::size_t>(family)]) {
      bytes += key.size() + value.size();
    }
    return bytes;
  }

  void flush() noexcept override {}

 private:
  std::shared_ptr<MemoryDisk> disk_;
};

std::unique_ptr<Store> open_memory_store(std::shared_ptr<MemoryDisk> disk) {
  return std::make_unique<MemoryStore>(std::move(disk));
}

}  // namespace headwater::ledger
