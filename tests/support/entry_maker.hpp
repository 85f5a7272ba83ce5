#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "schemas/model/entry.hpp"
#include "tests/support/example_event.hpp"

namespace headwater::test {

/// What a test says of an entry; the rest is made up.
struct EntrySpec {
  Op op = Op::Update;
  std::string id = "0035f00000ABCDeAAP";
  std::uint64_t rev = 1;
  std::map<std::string, std::string> fields = {};
  std::map<std::string, std::string> refs = {};  ///< relation -> rkey, after the change
  std::map<std::string, std::string> old_refs =
      {};  ///< what changed: relation -> old rkey, empty: there was none
  std::optional<EpochMs> sort_at = 1'000;
  std::optional<EpochMs> before_sort_at = 1'000;
  std::optional<bool> has_before = {};  ///< unless said: updates and deletes have one
  std::uint64_t before_rev = 0;         ///< of the image before; 0: nothing is checked against it
  bool purge = false;
  std::string merged_into = {};
  EntryKind kind = EntryKind::Record;
  std::string org = "emea";
  std::string object = "Contact";
  std::string entity = "contact";
  std::string payload = {};  ///< kind Event: its fields, and its replay id
};

/// A platform event; `text` tells it from others.
inline EntrySpec platform_event(std::uint64_t rev, const std::string& text) {
  return {.op = Op::Create,
          .rev = rev,
          .kind = EntryKind::Event,
          .object = "Order_Event__e",
          .payload = text};
}

/// Makes entries and keeps their memory. Revs must be given in rising order, as the journal does.
class EntryMaker {
 public:
  const EntryView& add(const EntrySpec& spec) {
    if (spec.kind == EntryKind::Event) return add_event(spec);
    EntryView entry;
    entry.kind = spec.kind;
    entry.op = spec.op;
    entry.rkey = keep(spec.org + ":" + spec.object + ":" + spec.id);
    entry.org = keep(spec.org);
    entry.object = keep(spec.object);
    entry.id = keep(spec.id);
    entry.entity = keep(spec.entity);
    entry.bu = keep("uk");
    entry.meta.rev = Rev(spec.rev);
    entry.meta.version = {1, static_cast<std::int64_t>(spec.rev), 1, 0};
    entry.meta.hash = spec.rev;
    entry.meta.complete = true;
    entry.meta.deleted = spec.op == Op::Delete;
    entry.purge = spec.purge;
    entry.merged_into = keep(spec.merged_into);
    const bool usual = (spec.op == Op::Update || spec.op == Op::Delete) && !spec.purge;
    entry.has_before = spec.has_before.value_or(usual);
    entry.before.rev = Rev(spec.before_rev);
    if (entry.has_before) entry.before_bu = entry.bu;
    entry.sort_at = spec.sort_at;
    entry.before_sort_at = entry.has_before ? spec.before_sort_at : std::nullopt;
    entry.after.names = entry.old.names = &names_;
    if (spec.op != Op::Delete) {
      entry.after.sections[0] = members(spec.fields);
      entry.after.sections[3] = members(spec.refs);
    } else {
      entry.deleted_at = 1'700'000'000'000;
      entry.delete_reason = "delete";
    }
    entry.old.sections[3] = members(spec.old_refs, true);
    entries_.push_back(entry);
    return entries_.back();
  }
  Entries entries() const { return entries_; }
  void clear() { entries_.clear(); }

 private:
  const EntryView& add_event(const EntrySpec& spec) {
    EntryView entry = example_event(Rev(spec.rev));
    entry.rkey = keep(spec.org + ":" + spec.object);
    entry.org = keep(spec.org);
    entry.object = keep(spec.object);
    entry.topic = keep("/event/" + spec.object);
    entry.origin.event_uuid = keep("uuid-" + spec.payload);
    entry.origin.replay_id = keep(spec.payload);
    entry.row = keep("{\"Text__c\":\"" + spec.payload + "\"}");
    entries_.push_back(entry);
    return entries_.back();
  }
  std::string_view keep(std::string text) { return texts_.emplace_back(std::move(text)); }
  std::span<const Member> members(const std::map<std::string, std::string>& values,
                                  bool empty_is_absent = false) {
    auto& list = members_.emplace_back();
    for (const auto& [name, value] : values) {
      auto view = ValueView::of_text(keep(value));
      if (empty_is_absent && value.empty()) view = {Tag::Absent, 0, 0, {}};
      list.push_back({names_.intern(name), view});
    }
    return list;
  }

  NameTable names_;
  std::deque<std::string> texts_;
  std::deque<std::vector<Member>> members_;
  std::vector<EntryView> entries_;
};

}  // namespace headwater::test
