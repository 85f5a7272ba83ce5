#include "daemon/ledger/back_refs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "daemon/ledger/keys.hpp"

namespace headwater::ledger {
namespace {

constexpr std::uint8_t kFormat = 1;
/// Records whose references one write of bring() takes in.
constexpr std::size_t kRecordsPerBatch = 2'000;

/// Key prefixes (salesforce.md 13): User, Group, UserRole, Profile, RecordType.
constexpr std::array<std::string_view, 5> kUncounted{"005", "00G", "00E", "00e", "012"};

bool is_counted(const ValueView& value) {
  return value.tag == Tag::Ref && BackRefs::counts(value.text);
}

bool refers(const RecordState& state, std::string_view id) {
  return state.merged_into == id || std::ranges::any_of(state.src, [&](const Member& member) {
           return member.value.tag == Tag::Ref && member.value.text == id;
         });
}

}  // namespace

bool BackRefs::counts(std::string_view id) {
  return id.size() == RecordId::kSize &&
         std::ranges::find(kUncounted, id.substr(0, 3)) == kUncounted.end();
}

std::string_view BackRefs::key(std::string_view id, std::string_view rkey) {
  key_.clear();
  append_key(key_, rkey.substr(0, rkey.find(':')), id, rkey);
  return key_;
}

void BackRefs::put(StoreBatch& batch, std::string_view id, std::string_view rkey) {
  batch.put(Family::BackRefs, key(id, rkey), {});
}

/// Unless another field still says the same.
void BackRefs::drop(StoreBatch& batch,
                    std::string_view id,
                    std::string_view rkey,
                    const RecordState& state) {
  if (!refers(state, id)) batch.erase(Family::BackRefs, key(id, rkey));
}

void BackRefs::stage(StoreBatch& batch,
                     std::string_view rkey,
                     const RecordState& state,
                     std::span<const Member> replaced) {
  auto from = state.src.begin();
  for (const Member& was : replaced) {
    from = std::lower_bound(from, state.src.end(), was.name, [](const Member& m, NameId name) {
      return m.name < name;
    });
    if (is_counted(was.value)) drop(batch, was.value.text, rkey, state);
    if (from != state.src.end() && from->name == was.name && is_counted(from->value)) {
      put(batch, from->value.text, rkey);
    }
  }
}

void BackRefs::stage_merge(StoreBatch& batch,
                           std::string_view rkey,
                           const RecordState& state,
                           std::string_view before) {
  if (counts(before)) drop(batch, before, rkey, state);
  if (counts(state.merged_into)) put(batch, state.merged_into, rkey);
}

void BackRefs::stage_all(StoreBatch& batch, std::string_view rkey, const RecordState& state) {
  for (const Member& member : state.src) {
    if (is_counted(member.value)) put(batch, member.value.text, rkey);
  }
  stage_merge(batch, rkey, state, {});
}

Result<std::vector<std::string>> BackRefs::children_of(std::string_view org,
                                                       std::string_view id,
                                                       std::string_view after,
                                                       std::size_t most) const {
  std::vector<std::string> out;
  const std::string prefix = make_key(org, id, "");
  std::string from = prefix;
  if (!after.empty()) from.append(after).push_back('\0');
  auto scan = store_.scan(Family::BackRefs, from);
  for (; scan->valid() && out.size() < most; scan->next()) {
    if (!scan->key().starts_with(prefix)) return out;
    out.emplace_back(scan->key().substr(prefix.size()));
  }
  if (!scan->valid()) {
    if (auto ok = scan->status(); !ok) return ok.error();
  }
  return out;
}

Result<BackRefs::Progress> BackRefs::load() const {
  std::string bytes;
  auto found = store_.get(Family::Meta, kBackRefsKey, bytes);
  if (!found) return found.error();
  Progress progress;
  if (!*found) return progress;
  ByteReader reader(bytes);
  const auto format = reader.byte();
  progress.complete = reader.byte() != 0;
  progress.done = reader.text();
  if (format != kFormat || !reader.ok()) {
    return fatal(
        "ledger: the row of its reverse references is damaged or of a newer format; start the "
        "version that wrote it, or restore a backup");
  }
  return progress;
}

void BackRefs::stage_progress(StoreBatch& batch, const Progress& progress) {
  std::string bytes;
  put_byte(bytes, kFormat);
  put_byte(bytes, progress.complete ? 1 : 0);
  put_text(bytes, progress.done);
  batch.put(Family::Meta, kBackRefsKey, bytes);
}

Result<void> BackRefs::bring(StoreBatch& batch, const std::function<Result<void>()>& commit) {
  auto progress = load();
  if (!progress) return progress.error();
  RecordCodec codec;
  RecordState state;
  while (!progress->complete) {
    std::size_t records = 0;
    auto scan =
        store_.scan(Family::Records,
                    progress->done.empty() ? std::string() : progress->done + std::string(1, '\0'));
    for (; scan->valid() && records < kRecordsPerBatch; scan->next(), ++records) {
      if (!codec.decode(scan->value(), state)) {
        return fatal(
            fmt::format("ledger: the state of {} is damaged or of a newer format; restore a backup",
                        scan->key()));
      }
      stage_all(batch, scan->key(), state);
      progress->done = scan->key();
    }
    if (auto ok = scan->status(); !ok) return ok;
    progress->complete = records < kRecordsPerBatch;
    stage_progress(batch, *progress);
    if (auto ok = commit(); !ok) return ok;
  }
  return {};
}

}  // namespace headwater::ledger
