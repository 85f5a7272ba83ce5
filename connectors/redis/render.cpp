#include "connectors/redis/render.hpp"

#include <algorithm>
#include <charconv>

#include "schemas/model/render.hpp"

namespace headwater::redis {
namespace {

/// Everything has an owner: a set of all that one user owns would be the hottest key of the
/// database, and nobody reads it.
constexpr std::string_view kOwner = "owner";

template <typename Take>
void for_each_relation(const ImageView& image, const Take& take) {
  for (const auto& member : image[Section::Refs]) {
    const auto rel = image.names->text(member.name);
    if (rel != kOwner) take(rel, member.value);
  }
}

bool states_all(const EntryView& entry) {
  return entry.op != Op::Update || entry.sort_at != entry.before_sort_at;
}

/// What a record must hold for the run that begins with `entry`: > 0, an image of at least that
/// rev; < 0, nothing alive from before that rev; 0, anything.
std::int64_t since(const EntryView& entry) {
  if (entry.op == Op::Create) return -static_cast<std::int64_t>(entry.meta.rev.value);
  return entry.has_before ? static_cast<std::int64_t>(entry.before.rev.value) : 0;
}

/// Runs `take(first, count)` over `total` items in groups of at most `group`.
template <typename Take>
void in_groups(std::size_t total, std::size_t group, const Take& take) {
  for (std::size_t first = 0; first < total; first += group)
    take(first, std::min(group, total - first));
}

void feed_id(Pipeline& out, Rev rev) {
  char text[24];
  auto* end = std::to_chars(text, text + sizeof text - 2, rev.value).ptr;
  *end++ = '-';
  *end++ = '0';
  out.arg(std::string_view(text, static_cast<std::size_t>(end - text)));
}

}  // namespace

void parse_relations(std::string_view j, std::vector<Relation>& out) {
  // Inside a JSON string every quote is escaped, so these bytes are a key; the last such key is the
  // record's own.
  static constexpr std::string_view kMark = ",\"refs\":{";
  const auto mark = j.rfind(kMark);
  if (mark == std::string_view::npos) return;
  auto rest = j.substr(mark + kMark.size());
  const auto text = [&rest](std::string_view& value) {
    if (!rest.starts_with('"')) return false;
    const auto end = rest.find('"', 1);
    if (end == std::string_view::npos) return false;
    value = rest.substr(1, end - 1);
    rest.remove_prefix(end + 1);
    return value.find('\\') == std::string_view::npos;  // names and rkeys need no escapes
  };
  Relation relation;
  while (text(relation.rel) && rest.starts_with(':')) {
    rest.remove_prefix(1);
    if (!text(relation.target)) return;
    if (relation.rel != kOwner) out.push_back(relation);
    if (!rest.starts_with(',')) return;
    rest.remove_prefix(1);
  }
}

Renderer::Renderer(RenderOptions options) : options_(std::move(options)) {}

void Renderer::coalesce(const Batch& batch) {
  records_.clear();
  order_.clear();
  group_at_ = group_end_ = 0;
  had_seams_ = false;
  arena_.release();
  mode_ = batch.mode;
  last_rev_ = batch.entries.empty() ? Rev{} : batch.entries.back().meta.rev;
  std::pmr::unordered_map<std::string_view, std::size_t> by_key(&arena_);
  by_key.reserve(batch.entries.size());
  records_.reserve(batch.entries.size());
  std::pmr::vector<std::size_t> record_of(&arena_);
  record_of.reserve(batch.entries.size());
  for (const auto& entry : batch.entries) {
    if (entry.kind != EntryKind::Record) continue;
    const auto [at, fresh] = by_key.try_emplace(entry.rkey, records_.size());
    if (fresh) {
      records_.push_back({nullptr,
                          false,
                          false,
                          since(entry),
                          {},
                          std::pmr::vector<std::string_view>(&arena_),
                          std::pmr::vector<Relation>(&arena_)});
    }
    auto& record = records_[at->second];
    record.last = &entry;
    record.all_relations |= states_all(entry) || batch.mode != Mode::Follow;
    record.needs_j |=
        entry.purge || batch.mode != Mode::Follow || (entry.op != Op::Create && !entry.has_before);
    for_each_relation(entry.old, [&](std::string_view rel, const ValueView& value) {
      record.changed.push_back(rel);
      if (value.holds_text()) record.old.push_back({rel, value.text});
    });
    record_of.push_back(at->second);
  }
  // Entries come in rev order, so a record's place is where its last entry stands.
  std::size_t seen = 0;
  for (const auto& entry : batch.entries) {
    if (entry.kind != EntryKind::Record) continue;
    const auto index = record_of[seen++];
    if (records_[index].last != &entry) continue;
    order_.push_back(index);
    if (records_[index].needs_j) records_[index].since = 0;
  }
}

bool Renderer::next_group() {
  group_at_ = group_end_;
  const std::size_t most = options_.call_items_max == 1 ? 1 : kGroupItemsMax;
  group_end_ = std::min(order_.size(), group_at_ + most);
  return group_at_ < group_end_;
}

void Renderer::record_key(Pipeline& out, std::size_t record) const {
  out.joined({options_.prefix, "{", records_[record].last->rkey, "}:rec"});
}

void Renderer::ask(Pipeline& out) {
  out.simple({"UNWATCH"});  // what a write that failed half-way left
  out.command({"WATCH", group().size()}, 1 + group().size());
  out.arg("WATCH");
  for (const auto index : group()) record_key(out, index);
  asked_.assign(group().begin(), group().end());
  seams_.clear();
  ask_held(out);
}

bool Renderer::ask_seams(Pipeline& out) {
  if (seams_.empty()) return false;
  had_seams_ = true;
  asked_.swap(seams_);
  seams_.clear();
  for (const auto index : asked_) {
    records_[index].all_relations = true;
    records_[index].needs_j = true;
    records_[index].since = 0;
  }
  ask_held(out);
  return true;
}

void Renderer::ask_held(Pipeline& out) const {
  for (const auto index : asked_) {
    const bool needs_j = records_[index].needs_j;
    out.command({kHeldCommand, 1}, needs_j ? 5 : 4);
    out.arg(kHeldCommand);
    record_key(out, index);
    out.arg("j@");
    out.arg("del");
    if (needs_j) out.arg("j");
  }
}

bool Renderer::is_seam(const Record& record) {
  const auto& held = record.held;
  const auto since = record.since;
  if (since > 0) return !held.rev || *held.rev < static_cast<std::uint64_t>(since);
  return since < 0 && held.rev && !held.deleted && *held.rev < static_cast<std::uint64_t>(-since);
}

void Renderer::held(std::size_t record, const Held& held) {
  auto& mine = records_[record];
  mine.held = held;
  // What is newer stays, and its relations are not ours to remove.
  if (held.rev && *held.rev >= mine.last->meta.rev.value) return;
  if (is_seam(mine)) seams_.push_back(record);
  scratch_.clear();
  parse_relations(held.j, scratch_);
  mine.old.insert(mine.old.end(), scratch_.begin(), scratch_.end());
}

void Renderer::collect_relations(const Record& record) {
  const auto& entry = *record.last;
  const auto rev = entry.meta.rev.value;
  scratch_.clear();  // final relations
  if (entry.op != Op::Delete) {
    for_each_relation(entry.after, [&](std::string_view rel, const ValueView& value) {
      if (value.holds_text()) scratch_.push_back({rel, value.text});
    });
  }
  // Every target that any of the entries left, not only the first: a crash may have left a shorter
  // run of them applied.
  const std::string_view leave = entry.purge ? "purge" : "rem";
  for (auto at = record.old.begin(); at != record.old.end(); ++at) {
    if (std::find(record.old.begin(), at, *at) != at) continue;
    if (std::find(scratch_.begin(), scratch_.end(), *at) != scratch_.end()) continue;
    relation_writes_.push_back({leave, at->rel, at->target, entry.rkey, 0, rev});
  }
  for (const auto& relation : scratch_) {
    const bool changed = record.all_relations ||
                         std::find(record.changed.begin(), record.changed.end(), relation.rel) !=
                             record.changed.end();
    if (!changed) continue;
    relation_writes_.push_back(
        {"add", relation.rel, relation.target, entry.rkey, entry.sort_at.value_or(0), rev});
  }
}

void Renderer::write_relations(Pipeline& out) const {
  in_groups(
      relation_writes_.size(), options_.call_items_max, [&](std::size_t first, std::size_t count) {
        const auto group = std::span(relation_writes_).subspan(first, count);
        out.function({"headwater_rel", count}, 2 * count, 1 + 4 * count);
        for (const auto& write : group) {
          out.joined({options_.prefix, "{", write.target, "}:rel:", write.rel});
          out.joined({options_.prefix, "{", write.target, "}:relv:", write.rel});
        }
        out.arg(options_.tombstone_ttl_ms);
        for (const auto& write : group) {
          out.arg(write.what);
          out.arg(write.member);
          out.arg(write.score);
          out.arg(write.rev);
        }
      });
}

void Renderer::write_records(Pipeline& out) {
  if (puts_.empty()) {
    out.simple({"UNWATCH"});  // else a purge would look like a rival's
    return;
  }
  out.simple({"MULTI"});
  for (const auto index : puts_) write_record(out, index);
  out.simple({"EXEC"});
}

void Renderer::write_record(Pipeline& out, std::size_t record) {
  const auto& entry = *records_[record].last;
  const auto& held = records_[record].held;
  const bool deleted = entry.op == Op::Delete;
  const bool same_del = held.rev && held.deleted == deleted;
  const bool same_bu = held.rev && entry.has_before && *held.rev == entry.before.rev.value &&
                       entry.before_bu == entry.bu;
  out.command({"HSET", 1}, 6 + (same_del ? 0U : 2U) + (same_bu ? 0U : 2U));
  out.arg("HSET");
  record_key(out, record);
  out.arg("j");
  json_.clear();
  append_record_json(json_, entry);
  out.arg(json_);
  out.arg("j@");
  out.arg(entry.meta.rev.value);
  if (!same_del) {
    out.arg("del");
    out.arg(deleted ? "1" : "0");
  }
  if (!same_bu) {
    out.arg("bu");
    out.arg(entry.bu);
  }
  if (!deleted && !(held.rev && held.deleted)) return;
  out.command({deleted ? "PEXPIRE" : "PERSIST", 1}, deleted ? 3 : 2);
  out.arg(deleted ? "PEXPIRE" : "PERSIST");
  record_key(out, record);
  if (deleted) out.arg(options_.tombstone_ttl_ms);
}

void Renderer::write_purges(Pipeline& out) const {
  in_groups(purges_.size(), options_.call_items_max, [&](std::size_t first, std::size_t count) {
    const auto group = std::span(purges_).subspan(first, count);
    out.function({"headwater_purge", count}, count, count);
    for (const auto index : group) record_key(out, index);
    for (const auto index : group) out.arg(records_[index].last->meta.rev.value);
  });
}

void Renderer::write_feed(Pipeline& out) const {
  // What is written again is no news, and stands before what the feed has told.
  if (options_.feed_key.empty() || mode_ == Mode::Rewrite) return;
  if (mode_ == Mode::Follow) {
    for (const auto index : group()) {
      const auto& entry = *records_[index].last;
      const char op = static_cast<char>(entry.op);
      const bool trim = index == group().back();  // of a few at once, and Redis reads less
      out.command({kFeedCommand, 1}, trim ? 16 : 13);
      out.arg(kFeedCommand);
      out.arg(options_.feed_key);
      if (trim) {
        out.arg("MAXLEN");
        out.arg("~");
        out.arg(options_.feed_maxlen);
      }
      // The id is made of the rev, so the stream itself refuses a repeat.
      feed_id(out, entry.meta.rev);
      for (const std::string_view text : {std::string_view("key"),
                                          entry.rkey,
                                          std::string_view("entity"),
                                          entry.entity,
                                          std::string_view("op"),
                                          std::string_view(&op, 1),
                                          std::string_view("rev")})
        out.arg(text);
      out.arg(entry.meta.rev.value);
      out.arg("bu");
      out.arg(entry.bu);
    }
  }
  // States are no news. Whoever follows the feed forgets what it knows, after they are all there.
  if (group_end_ < order_.size() || (mode_ == Mode::Follow && !had_seams_)) return;
  out.function({"headwater_reset", 1}, 1, 2);
  out.arg(options_.feed_key);
  out.arg(options_.feed_maxlen);
  // Of the whole batch: behind what the feed was told of it, else Redis refuses the id.
  out.arg(last_rev_.value);
}

void Renderer::write(Pipeline& out) {
  relation_writes_.clear();
  puts_.clear();
  purges_.clear();
  for (const auto index : group()) {
    const auto& record = records_[index];
    collect_relations(record);
    if (record.last->purge) {
      purges_.push_back(index);
    } else if (!record.held.rev || *record.held.rev < record.last->meta.rev.value) {
      puts_.push_back(index);
    }
  }
  write_relations(out);
  write_records(out);
  write_purges(out);
  write_feed(out);
}

}  // namespace headwater::redis
