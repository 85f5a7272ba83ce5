#include "connectors/redis/render.hpp"

#include <algorithm>

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

/// What a record must hold for the run that begins with `entry`: see headwater_put.
std::int64_t since(const EntryView& entry) {
  // A delete of what the ledger never saw, or told anew, names no relation; what an earlier ledger
  // left there does.
  const bool blind = entry.op == Op::Delete && (!entry.has_before || entry.before.rev.value == 0);
  if (entry.op == Op::Create || blind) return -static_cast<std::int64_t>(entry.meta.rev.value);
  return entry.has_before ? static_cast<std::int64_t>(entry.before.rev.value) : 0;
}

/// Runs `take(first, count)` over `total` items in groups of at most `group`.
template <typename Take>
void in_groups(std::size_t total, std::size_t group, const Take& take) {
  for (std::size_t first = 0; first < total; first += group)
    take(first, std::min(group, total - first));
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
  needs_held_.clear();
  seams_.clear();
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
                          std::pmr::vector<std::string_view>(&arena_),
                          std::pmr::vector<Relation>(&arena_)});
    }
    auto& record = records_[at->second];
    record.last = &entry;
    record.all_relations |= states_all(entry) || batch.mode != Mode::Follow;
    record.needs_held |=
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
    if (!records_[index].needs_held) continue;
    needs_held_.push_back(index);
    records_[index].since = 0;
  }
}

void Renderer::ask_held(Pipeline& out) const {
  for (const auto index : needs_held_) {
    out.command({"HMGET", 1}, 4);
    out.arg("HMGET");
    out.joined({options_.prefix, "{", records_[index].last->rkey, "}:rec"});
    out.arg("j@");
    out.arg("j");
  }
}

void Renderer::held(std::size_t record, std::uint64_t rev, std::string_view j) {
  auto& mine = records_[record];
  if (rev >= mine.last->meta.rev.value)
    return;  // what stands there is newer: its relations are not ours to remove
  scratch_.clear();
  parse_relations(j, scratch_);
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
  in_groups(puts_.size(), options_.call_items_max, [&](std::size_t first, std::size_t count) {
    const auto group = std::span(puts_).subspan(first, count);
    out.function({kPutFunction, count}, count, 6 * count);
    for (const auto index : group)
      out.joined({options_.prefix, "{", records_[index].last->rkey, "}:rec"});
    for (const auto index : group) {
      const auto& entry = *records_[index].last;
      const bool deleted = entry.op == Op::Delete;
      out.arg(entry.meta.rev.value);
      out.arg(records_[index].since);
      out.arg(deleted ? options_.tombstone_ttl_ms : 0);
      out.arg(deleted ? "1" : "0");
      out.arg(entry.bu);
      json_.clear();
      append_record_json(json_, entry);
      out.arg(json_);
    }
  });
}

void Renderer::write_purges(Pipeline& out) const {
  in_groups(purges_.size(), options_.call_items_max, [&](std::size_t first, std::size_t count) {
    const auto group = std::span(purges_).subspan(first, count);
    out.function({"headwater_purge", count}, count, count);
    for (const auto index : group)
      out.joined({options_.prefix, "{", records_[index].last->rkey, "}:rec"});
    for (const auto index : group) out.arg(records_[index].last->meta.rev.value);
  });
}

void Renderer::write_feed(Pipeline& out) const {
  // What is written again is no news, and stands before what the feed has told.
  if (options_.feed_key.empty() || order_.empty() || mode_ == Mode::Rewrite) return;
  const auto entry_args = [&](std::string_view key,
                              std::string_view entity,
                              std::string_view op,
                              std::uint64_t rev,
                              std::string_view bu) {
    out.arg(key);
    out.arg(entity);
    out.arg(op);
    out.arg(rev);
    out.arg(bu);
  };
  if (mode_ == Mode::Materialize) {
    // States are no news. Whoever follows the feed forgets what it knows, after they are all there.
    out.function({"headwater_feed", 1}, 1, 6);
    out.arg(options_.feed_key);
    out.arg(options_.feed_maxlen);
    // Of the whole batch: behind what the feed was told of it, else Redis refuses the id.
    entry_args({}, {}, "reset", last_rev_.value, {});
    return;
  }
  in_groups(order_.size(), options_.call_items_max, [&](std::size_t first, std::size_t count) {
    out.function({"headwater_feed", count}, 1, 1 + 5 * count);
    out.arg(options_.feed_key);
    out.arg(options_.feed_maxlen);
    for (const auto index : std::span(order_).subspan(first, count)) {
      const auto& entry = *records_[index].last;
      const char op = static_cast<char>(entry.op);
      entry_args(entry.rkey, entry.entity, {&op, 1}, entry.meta.rev.value, entry.bu);
    }
  });
}

void Renderer::seam(std::size_t call, std::size_t index) {
  const auto place = call * options_.call_items_max + index;
  HEADWATER_ASSERT(place < puts_.size());
  seams_.push_back(puts_[place]);
}

bool Renderer::restart_at_seams() {
  if (seams_.empty()) return false;
  // The feed has told of them already, before they were there: it gets a reset, as after any states
  // written whole.
  mode_ = Mode::Materialize;
  order_ = seams_;
  needs_held_ = seams_;
  seams_.clear();
  for (const auto index : order_) {
    records_[index].all_relations = true;
    records_[index].since = 0;
  }
  return true;
}

void Renderer::write(Pipeline& out) {
  relation_writes_.clear();
  puts_.clear();
  purges_.clear();
  for (const auto index : order_) {
    const auto& record = records_[index];
    collect_relations(record);
    (record.last->purge ? purges_ : puts_).push_back(index);
  }
  write_relations(out);
  write_records(out);
  write_purges(out);
  write_feed(out);
}

}  // namespace headwater::redis
