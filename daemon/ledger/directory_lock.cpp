#include "daemon/ledger/directory_lock.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

namespace headwater::ledger {
namespace {

std::string read_pid(int descriptor) {
  char text[32];
  const ssize_t size = ::pread(descriptor, text, sizeof text, 0);
  if (size <= 0) return "unknown";
  std::string pid(text, static_cast<std::size_t>(size));
  pid.erase(pid.find_last_not_of('\n') + 1);
  return pid;
}

std::string lock_of(const std::string& directory) { return directory + "/lock"; }

}  // namespace

Result<std::unique_ptr<DirectoryLock>> DirectoryLock::take(const std::string& directory) {
  std::error_code error;
  const bool created = std::filesystem::create_directories(directory, error);
  if (error) {
    return blocked(fmt::format(
        "ledger: create {}: {}; make it writable for this user", directory, error.message()));
  }
  if (created) ::chmod(directory.c_str(), S_IRWXU);
  const std::string path = lock_of(directory);
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor < 0) {
    return blocked(fmt::format(
        "ledger: open {}: {}; make it writable for this user", path, std::strerror(errno)));
  }
  std::unique_ptr<DirectoryLock> lock(new DirectoryLock(descriptor, directory));
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    return blocked(fmt::format("ledger: {} is held by process {}; stop that one first",
                               directory,
                               read_pid(descriptor)),
                   "locked");
  }
  const std::string pid = fmt::format("{}\n", ::getpid());
  if (::ftruncate(descriptor, 0) != 0 ||
      ::pwrite(descriptor, pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    return fatal(fmt::format("ledger: write {}: {}; check the disk", path, std::strerror(errno)));
  }
  return lock;
}

Result<void> DirectoryLock::still_held() const {
  struct stat named {};
  struct stat held {};
  if (::stat(lock_of(directory_).c_str(), &named) == 0 && ::fstat(descriptor_, &held) == 0 &&
      named.st_dev == held.st_dev && named.st_ino == held.st_ino) {
    return {};
  }
  return fatal(
      fmt::format("ledger: {} was removed or replaced while we worked in it; put it back from a "
                  "backup, or start again: a new one is filled from the org",
                  directory_));
}

DirectoryLock::~DirectoryLock() { ::close(descriptor_); }

}  // namespace headwater::ledger
