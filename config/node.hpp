#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "schemas/core/result.hpp"
#include "schemas/core/secret.hpp"
#include "schemas/core/time.hpp"

namespace headwater::config {

/// One thing wrong with a file.
struct Problem {
  std::string file;
  int line = 0, column = 0;  ///< from 1; 0: the file as a whole
  std::string key;           ///< dotted path, `sinks.postgres.entries_max`
  std::string what;          ///< `must be between 1 and 10000, got 0`
  std::string str() const;   ///< `file:line:col: key: what`
};

/// Collects every problem of a run, so that all are told at once.
class Problems {
 public:
  void add(Problem problem) { list_.push_back(std::move(problem)); }
  bool empty() const { return list_.empty(); }
  const std::vector<Problem>& list() const { return list_; }
  std::string str() const;  ///< one line each, in file order, none twice

 private:
  std::vector<Problem> list_;
};

/// Reads a secret: trailing line ends removed. Blocked if the file is missing, unreadable, empty,
/// or readable by group or others.
Result<Secret> read_secret(const std::string& path);

/// A place in a YAML file, read by typed keys. Problems go to the run's Problems with file, line
/// and column; reading goes on with the default. finish() reports the keys that nobody asked for
/// (with the nearest known name) and those given twice.
///
/// `${NAME}` in a scalar is taken from the environment. Cheap to copy; the document lives as long
/// as any Node.
class Node {
 public:
  /// Parses a file's text. On a syntax error the problem is added and the Node is an empty map.
  static Node parse(std::string file, const std::string& text, Problems& problems);
  static Node load(const std::string& path, Problems& problems);

  bool has(std::string_view key) const;  ///< present and not null
  bool is_null() const;
  bool is_map() const;
  bool is_list() const;

  // Scalars by key. Without a default the key is required.
  std::string text(std::string_view key);
  std::string text(std::string_view key, std::string_view fallback);
  bool boolean(std::string_view key, bool fallback);
  std::int64_t integer(std::string_view key,
                       std::int64_t fallback,
                       std::int64_t least,
                       std::int64_t most);
  Millis duration(std::string_view key, Millis fallback);             ///< `250ms 5s 10m 1h 3d`
  std::uint64_t bytes(std::string_view key, std::uint64_t fallback);  ///< `512 64KiB 16GiB`
  std::string one_of(std::string_view key,
                     std::string_view fallback,
                     const std::vector<std::string>& allowed);
  /// Path under `key` read as a secret: trailing newline removed. A file that is missing,
  /// unreadable or readable by group or others is a problem. Absent key: empty secret.
  Secret secret_file(std::string_view key);
  std::string path_of(
      std::string_view key) const;  ///< the raw path text, for reading a secret again

  Node child(std::string_view key);               ///< map under key; an empty one if absent
  std::vector<Node> items(std::string_view key);  ///< list under key; empty if absent
  std::vector<std::string> texts(
      std::string_view key);              ///< list of scalars; a lone scalar is a list of one
  std::vector<std::string> keys() const;  ///< of this map, in file order (for free-form maps)
  std::string scalar() const;             ///< this node's own text

  /// Adds a problem at this node's place, or at the key's.
  void problem(std::string_view key, std::string what) const;
  /// Checks for unknown and duplicate keys in this map and in every child that was asked for. Call
  /// once, on the root, after reading.
  void finish() const;
  /// Paths of the keys that were asked for, here and in every child, and that the file does not
  /// have. For who checks that an example has them all.
  std::vector<std::string> unanswered() const;
  const std::string& key_path() const;

 private:
  struct Impl;
  explicit Node(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<Impl> impl_;
};

}  // namespace headwater::config
