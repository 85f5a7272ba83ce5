#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/ledger/ledger.hpp"
#include "daemon/ledger/store.hpp"

namespace headwater::ledger {

/// Where each stream stands. Read whole when the ledger opens: a row that cannot be read then must
/// not look like a stream that never had a position, which starts at the latest event and passes by
/// all that came since.
class Positions {
 public:
  explicit Positions(Store& store) : store_(store) {}
  /// Fatal: a row is damaged or of a newer format.
  Result<void> load();

  // ---- under the write lock
  void put(StoreBatch& batch, const StreamKey& stream, const StreamPosition& position);
  void publish();  ///< after the batch was written: readers see it

  // ---- any thread
  /// Nothing: none was ever stored.
  std::optional<StreamPosition> get(const StreamKey& stream) const;

 private:
  Store& store_;
  std::vector<std::pair<std::string, StreamPosition>> written_;  // since the last publish()
  mutable std::mutex mutex_;
  std::map<std::string, StreamPosition, std::less<>> positions_;  // by key
};

}  // namespace headwater::ledger
