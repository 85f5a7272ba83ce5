#pragma once

#include <memory>

#include "daemon/ledger/memory_store.hpp"
#include "tests/sim/world.hpp"

namespace headwater::sim {

/// The memory twin of the ledger's store on a disk that fails and fills up, in a process that dies
/// before or after each write.
class SimStore final : public ledger::Store {
 public:
  /// `full_until`: ms; the disk takes nothing before. Shared with the process that owns it.
  SimStore(std::shared_ptr<ledger::MemoryDisk> disk, World& world, std::int64_t& full_until)
      : disk_(std::move(disk)),
        inner_(ledger::open_memory_store(disk_)),
        world_(world),
        full_until_(full_until) {}

  std::unique_ptr<ledger::StoreBatch> batch() override { return inner_->batch(); }

  Result<void> write(ledger::StoreBatch& batch, bool sync) override {
    world_.point(sync ? "store.before_sync" : "store.before_write");
    if (!world_.calm && (world_.now_ms() < full_until_ || world_.roll(world_.faults.disk))) {
      // It fails once (EIO, a sync), or is full for a while.
      if (world_.now_ms() >= full_until_ && world_.random.chance(0.7)) {
        full_until_ = world_.now_ms() + world_.random.between(1'000, 120'000);
      }
      // The next open finds what was written, or not: only it can tell.
      disk_->tear_write(1, world_.random.chance(0.5));
    }
    auto written = inner_->write(batch, sync);
    world_.point(!written ? "store.failed" : sync ? "store.after_sync" : "store.after_write");
    return written;
  }
  Result<bool> get(ledger::Family family, std::string_view key, std::string& value) override {
    return inner_->get(family, key, value);
  }
  Result<void> get_sorted(ledger::Family family,
                          std::span<const std::string_view> keys,
                          std::vector<ledger::Found>& out) override {
    return inner_->get_sorted(family, keys, out);
  }
  std::unique_ptr<ledger::StoreScan> scan(ledger::Family family, std::string_view from) override {
    return inner_->scan(family, from);
  }
  std::uint64_t approximate_bytes(ledger::Family family) override {
    return inner_->approximate_bytes(family);
  }
  void flush() noexcept override { inner_->flush(); }

 private:
  std::shared_ptr<ledger::MemoryDisk> disk_;
  std::unique_ptr<ledger::Store> inner_;
  World& world_;
  std::int64_t& full_until_;
};

}  // namespace headwater::sim
