#pragma once

#include <memory>

#include "daemon/ledger/memory_store.hpp"
#include "tests/sim/world.hpp"

namespace headwater::sim {

/// The memory twin of the ledger's store with a disk that fills up and a process that dies before
/// or after each write.
class SimStore final : public ledger::Store {
 public:
  /// `full_until`: ms; the disk takes nothing before. Shared with the process that owns it.
  SimStore(std::unique_ptr<ledger::Store> inner, World& world, std::int64_t& full_until)
      : inner_(std::move(inner)), world_(world), full_until_(full_until) {}

  std::unique_ptr<ledger::StoreBatch> batch() override { return inner_->batch(); }

  Result<void> write(ledger::StoreBatch& batch, bool sync) override {
    world_.point(sync ? "store.before_sync" : "store.before_write");
    if (world_.roll(world_.faults.disk_full)) {
      full_until_ = world_.now_ms() + world_.random.between(1'000, 120'000);
    }
    if (!world_.calm && world_.now_ms() < full_until_) {
      return fatal("ledger: write: no space left on device; make room and start again");
    }
    auto written = inner_->write(batch, sync);
    world_.point(sync ? "store.after_sync" : "store.after_write");
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
  std::unique_ptr<ledger::Store> inner_;
  World& world_;
  std::int64_t& full_until_;
};

}  // namespace headwater::sim
