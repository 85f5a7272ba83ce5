#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace headwater::kafka {

/// What read-back found on the topics above our cursor, so that a repeat skips it. Memory is
/// bounded.
///
///   changes, quarantine:  exact (key, rev) pairs. Over the bound only the lowest revs are kept, up
///   to
///                         ceiling(); the sink reads back again when it gets there
///   records:              per key the rev of the last image on the topic. Over the bound new keys
///   are left
///                         out, whole: all their images are then written again, so the newest still
///                         ends last. Half a key's history must never be known: an older image
///                         could be written after a newer one that is then skipped
///
/// Keys are 64-bit hashes; with the rev, which names one entry of one ledger, a false match needs
/// both equal.
class KnownTail {
 public:
  static constexpr std::size_t kPairsMax = 2'000'000;  ///< 32 MB, twice that while reading
  static constexpr std::size_t kKeysMax = 1'000'000;   ///< about 50 MB
  static constexpr std::uint64_t kNoCeiling = ~std::uint64_t{0};

  explicit KnownTail(std::size_t pairs_max = kPairsMax, std::size_t keys_max = kKeysMax)
      : pairs_max_(pairs_max), keys_max_(keys_max) {}

  void clear();
  /// Forgets the pairs for another reading; what is known of records stays.
  void clear_pairs();

  // While reading. finish() ends it.
  void add_change(std::string_view key, std::uint64_t rev);
  void add_record(std::string_view key, std::uint64_t rev);
  void finish();

  /// Remembers a delivery of our own, when a part of a write may come again. Rare: keeps order by
  /// insertion.
  void remember_change(std::string_view key, std::uint64_t rev);

  bool has_change(std::string_view key, std::uint64_t rev) const;
  /// True if the topic already ends with this image of the key, or a later one.
  bool has_record(std::string_view key, std::uint64_t rev) const;

  /// Revs above it may have been left out.
  std::uint64_t ceiling() const { return ceiling_; }
  /// The highest rev known, 0: none. Above it nothing needs to be looked up.
  std::uint64_t last() const { return last_; }
  std::size_t pairs() const { return pairs_.size(); }

 private:
  struct Pair {
    std::uint64_t rev, key;
    friend auto operator<=>(const Pair&, const Pair&) = default;
  };
  void cut();

  std::size_t pairs_max_, keys_max_;
  std::vector<Pair> pairs_;  // sorted once finished
  std::unordered_map<std::uint64_t, std::uint64_t> records_;
  std::uint64_t ceiling_ = kNoCeiling;
  std::uint64_t last_ = 0;
};

}  // namespace headwater::kafka
