#pragma once

#include <memory>
#include <string>

#include "schemas/core/result.hpp"

namespace headwater::ledger {

/// Holds a state directory for this process: an advisory lock on `<directory>/lock`, which also
/// holds our pid. The kernel drops it with the process, however that ends.
class DirectoryLock {
 public:
  /// Creates the directory (0700) if it is missing. Blocked: another process holds it, and its pid
  /// is named; or we may not write there.
  static Result<std::unique_ptr<DirectoryLock>> take(const std::string& directory);
  ~DirectoryLock();
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;

 private:
  explicit DirectoryLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace headwater::ledger
