#include "schemas/avro/changed_fields.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <functional>

#include "schemas/avro/wire.hpp"

namespace headwater::avro {
namespace {

class MaskReader {
 public:
  explicit MaskReader(const Plan& plan) : plan_(&plan), named_(plan.leaves().size()) {}

  Result<void> read(std::string_view bitmap) {
    const auto prefix = bitmap.find('x');
    if (prefix == std::string_view::npos || prefix == 0 || bitmap[prefix - 1] != '0')
      return refuse(bitmap);
    const auto hex = bitmap.substr(prefix + 1);
    const auto parent = bitmap.substr(0, prefix - 1);
    if (hex.empty()) return refuse(bitmap);
    if (parent.empty()) {
      return each_bit(bitmap, hex, [&](std::size_t bit) { return add_top(bitmap, bit); });
    }
    std::uint32_t index = 0;
    const char* end = parent.data() + parent.size() - 1;  // the dash
    const auto parsed = std::from_chars(parent.data(), end, index);
    if (*end != '-' || parsed.ptr != end || parsed.ec != std::errc()) return refuse(bitmap);
    const auto tops = plan_->top_fields();
    if (index >= tops.size()) return beyond(bitmap, index);
    if (tops[index].children < 0) {
      return undecodable(fmt::format(
          "bitmap {} names children of field {}, which has none", shorten(bitmap), index));
    }
    return each_bit(
        bitmap, hex, [&](std::size_t bit) { return add_child(bitmap, tops[index], bit); });
  }

  FieldMask mask() const {
    FieldMask out;
    for (std::uint32_t leaf = 0; leaf < named_.size(); ++leaf) {
      if (named_[leaf]) out.push_back(leaf);
    }
    return out;
  }

 private:
  /// Bit 0 is the least significant bit of the last digit.
  template <typename Add>
  Result<void> each_bit(std::string_view bitmap, std::string_view hex, Add add) {
    for (std::size_t i = 0; i < hex.size(); ++i) {
      const int digit = value_of(hex[hex.size() - 1 - i]);
      if (digit < 0) return refuse(bitmap);
      for (unsigned bit = 0; bit < 4; ++bit) {
        if ((static_cast<unsigned>(digit) >> bit & 1u) == 0) continue;
        if (Result<void> done = add(4 * i + bit); !done) return done;
      }
    }
    return {};
  }

  Result<void> add_top(std::string_view bitmap, std::size_t index) {
    const auto tops = plan_->top_fields();
    if (index >= tops.size()) return beyond(bitmap, index);
    for (std::uint32_t k = 0; k < tops[index].leaf_count; ++k)
      named_[tops[index].leaf_first + k] = true;
    return {};
  }

  Result<void> add_child(std::string_view bitmap, const TopField& top, std::size_t index) {
    if (index >= static_cast<std::size_t>(top.children)) return beyond(bitmap, index);
    for (std::uint32_t k = 0; k < top.leaf_count; ++k) {
      const std::uint32_t leaf = top.leaf_first + k;
      if (plan_->leaves()[leaf].child == static_cast<std::int32_t>(index)) named_[leaf] = true;
    }
    return {};
  }

  static int value_of(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
  }
  static std::string_view shorten(std::string_view bitmap) { return bitmap.substr(0, 64); }

  Error undecodable(std::string what) const {
    return rejected(fmt::format("avro: decode {}: {}", plan_->name(), what), "undecodable");
  }
  Error refuse(std::string_view bitmap) const {
    return undecodable(fmt::format("\"{}\" is not a bitmap", shorten(bitmap)));
  }
  Error beyond(std::string_view bitmap, std::size_t index) const {
    return undecodable(fmt::format(
        "bitmap {} names field {}, which the schema does not have", shorten(bitmap), index));
  }

  const Plan* plan_;
  std::vector<bool> named_;  // by leaf: bitmaps may overlap, memory may not grow with them
};

Error too_many(const Plan& plan, std::size_t count) {
  return rejected(fmt::format("avro: decode {}: {} bitmaps for {} fields",
                              plan.name(),
                              count,
                              plan.top_fields().size()),
                  "undecodable");
}

Result<FieldMask> decode_encoded(const Plan& plan, std::string_view encoded) {
  std::size_t count = 0;
  for_each_string(encoded, [&](std::string_view) { ++count; });
  if (count > plan.top_fields().size() + 1) return too_many(plan, count);
  std::vector<std::string_view> bitmaps;
  bitmaps.reserve(count);
  for_each_string(encoded, [&](std::string_view text) { bitmaps.push_back(text); });
  return decode_masks(plan, bitmaps);
}

bool contains(const FieldMask& mask, std::uint32_t leaf) {
  return std::binary_search(mask.begin(), mask.end(), leaf);
}

}  // namespace

Result<FieldMask> decode_masks(const Plan& plan, std::span<const std::string_view> bitmaps) {
  // One for the top level and one for each compound, at most.
  if (bitmaps.size() > plan.top_fields().size() + 1) return too_many(plan, bitmaps.size());
  MaskReader reader(plan);
  for (const auto bitmap : bitmaps) {
    if (auto done = reader.read(bitmap); !done) return std::move(done).error();
  }
  return reader.mask();
}

Result<void> SelectionCache::resolve(const Header& header, Selection& out) const {
  auto nulled = decode_encoded(*plan_, header.nulled_fields);
  if (!nulled) return std::move(nulled).error();
  auto diffed = decode_encoded(*plan_, header.diff_fields);
  if (!diffed) return std::move(diffed).error();
  auto changed = decode_encoded(*plan_, header.changed_fields);
  if (!changed) return std::move(changed).error();
  // Nulled wins over diff, diff over changed (salesforce.md 7.1).
  out.fields.clear();
  out.diffs.clear();
  for (const auto leaf : *nulled) out.fields.push_back({(*names_)[leaf], leaf, true});
  for (const auto leaf : *diffed) {
    if (!contains(*nulled, leaf)) out.diffs.push_back({(*names_)[leaf], leaf, false});
  }
  for (const auto leaf : *changed) {
    if (contains(*nulled, leaf) || contains(*diffed, leaf)) continue;
    out.fields.push_back({(*names_)[leaf], leaf, false});
  }
  const auto by_name = [](const Selection::Pick& a, const Selection::Pick& b) {
    return a.name < b.name;
  };
  std::sort(out.fields.begin(), out.fields.end(), by_name);
  std::sort(out.diffs.begin(), out.diffs.end(), by_name);
  return {};
}

Result<const Selection*> SelectionCache::find(const Header& header) {
  key_.assign(header.nulled_fields);  // each encoded array ends itself, so the join is unambiguous
  key_.append(header.diff_fields);
  key_.append(header.changed_fields);
  if (entries_.empty()) entries_.resize(kSets * kWays);
  const std::uint64_t hash = std::hash<std::string_view>{}(key_);
  Entry* const row = &entries_[hash % kSets * kWays];
  Entry* oldest = row;
  for (Entry* entry = row; entry != row + kWays; ++entry) {
    if (entry->used > 0 && entry->hash == hash && entry->key == key_) {
      entry->used = ++clock_;
      return &entry->selection;
    }
    if (entry->used < oldest->used) oldest = entry;
  }
  ++misses_;
  if (auto done = resolve(header, spare_.selection); !done) return std::move(done).error();
  const auto& found = spare_.selection;
  const bool large =
      found.fields.size() + found.diffs.size() > kPicksMax || key_.size() > kKeyBytesMax;
  if (key_.capacity() > 64 * kKeyBytesMax) std::string().swap(key_);
  if (large) return &spare_.selection;
  std::swap(oldest->selection, spare_.selection);
  oldest->hash = hash;
  oldest->key = key_;
  oldest->used = ++clock_;
  return &oldest->selection;
}

}  // namespace headwater::avro
