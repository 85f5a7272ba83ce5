#pragma once

#include <atomic>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/ledger/closed_rows.hpp"
#include "daemon/ledger/journal.hpp"
#include "daemon/ledger/keys.hpp"
#include "daemon/ledger/ledger.hpp"
#include "daemon/ledger/store.hpp"

namespace headwater::ledger {

/// What was withheld, with its bytes, until it is closed. Opening, another failed try and closing
/// are entries. Changes go to the batch at stage(); until then they are seen here. Changing calls:
/// under the write lock. Others: any thread.
class Quarantine {
 public:
  Quarantine(Store& store, Journal& journal, const Clock& clock)
      : store_(store), journal_(journal), clock_(clock), archive_(store, kClosedRowPrefix) {}
  Result<void> load();

  /// Opens a row, or counts that the same event or entry came again.
  Result<void> put(StoreBatch& batch, const QuarantineRow& row);
  Result<bool> close(StoreBatch& batch, const QuarantineRow& row, const Closing& closing);
  Result<std::size_t> release(StoreBatch& batch,
                              const RecordKey& record,
                              std::string_view stage,
                              Rev accepted,
                              const Closing& closing);
  Result<bool> retry_failed(StoreBatch& batch, const QuarantineRow& row, const Error& error);
  void stage(StoreBatch& batch);

  std::vector<QuarantineRow> open(std::size_t most) const;
  std::vector<QuarantineRow> closed(std::size_t most) const;
  std::optional<QuarantineRow> find(Rev number) const;
  std::size_t open_count() const { return open_.load(); }

 private:
  Result<std::optional<QuarantineRow>> get(const std::string& key) const;
  void tell(StoreBatch& batch, const QuarantineRow& row, Rev rev);
  void keep(const QuarantineRow& row);

  Store& store_;
  Journal& journal_;
  const Clock& clock_;
  ClosedRows archive_;
  std::map<std::string, std::optional<std::string>, std::less<>> pending_;
  std::atomic<std::size_t> open_{0};
  bool tally_dirty_ = false;
};

}  // namespace headwater::ledger
