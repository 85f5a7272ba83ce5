#pragma once

#include <map>
#include <memory>
#include <shared_mutex>
#include <string>

#include "daemon/ledger/store.hpp"
#include "schemas/model/names.hpp"

namespace headwater::ledger {

/// The NameTables of all objects, and their `names:` rows. A name is written in the batch that
/// first uses it, so no durable image holds a number without a name.
class NameStore {
 public:
  explicit NameStore(Store& store) : store_(store) {}
  Result<void> load();
  NameTable& of(std::string_view org, std::string_view object);  ///< any thread
  /// Adds rows for tables that grew. REQUIRES: the write lock.
  void stage(StoreBatch& batch);

 private:
  struct Kept {
    NameTable table;
    std::size_t written = 0;
  };
  Store& store_;
  std::shared_mutex mutex_;
  std::map<std::string, std::unique_ptr<Kept>, std::less<>> tables_;
};

}  // namespace headwater::ledger
