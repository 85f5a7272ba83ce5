#pragma once

#include <memory>
#include <string>
#include <utility>

#include "schemas/core/result.hpp"

namespace headwater::ledger {

/// Holds a state directory for this process: an advisory lock on `<directory>/lock`, which also
/// holds our pid. The kernel drops it with the process, however that ends.
class DirectoryLock {
 public:
  /// Creates the directory (0700) if it is missing. Blocked: another process holds it, and its pid
  /// is named; or we may not write there.
  static Result<std::unique_ptr<DirectoryLock>> take(const std::string& directory);
  /// Fatal: the lock is no longer where it was taken. Somebody removed the directory, or put
  /// another in its place: what we write reaches no name that a next start would find.
  Result<void> still_held() const;
  ~DirectoryLock();
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;

 private:
  DirectoryLock(int descriptor, std::string directory)
      : descriptor_(descriptor), directory_(std::move(directory)) {}
  int descriptor_;
  std::string directory_;
};

}  // namespace headwater::ledger
