#include "schemas/avro/event_decoder.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "schemas/avro/wire.hpp"

namespace headwater::avro {
namespace {

std::vector<NameId> intern_all(const Plan& plan, NameTable& names) {
  std::vector<NameId> out;
  out.reserve(plan.leaves().size());
  for (const auto& leaf : plan.leaves()) out.push_back(names.intern(leaf.path));
  return out;
}

}  // namespace

EventDecoder::EventDecoder(const Plan& plan, NameTable& names)
    : plan_(&plan), names_(intern_all(plan, names)), cache_(plan, names_), values_(plan) {
  for (std::uint32_t leaf = 0; leaf < names_.size(); ++leaf)
    all_.push_back({names_[leaf], leaf, false});
  std::sort(all_.begin(), all_.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
}

Result<void> EventDecoder::decode(std::string_view payload, Scratch& scratch, EventView& out) {
  out.fields = out.diffs = {};
  out.record_ids = {};
  auto decoded = plan_->decode(payload, decoded_);
  values_.begin_event(payload.size());
  const auto header = fill_header(payload, scratch, out);
  if (!decoded) return decoded;  // a header that was read whole still helps to say what is lost
  if (!header) return header;
  if (is_full(out.type)) {
    auto fields = fill(all_, scratch);
    if (!fields) return std::move(fields).error();
    out.fields = *fields;
    if (out.type == ChangeType::Undelete) {
      const auto end = std::remove_if(fields->begin(), fields->end(), [](const Member& member) {
        return member.value.is_null();
      });
      out.fields = out.fields.first(static_cast<std::size_t>(end - fields->begin()));
    }
    return {};
  }
  if (out.type != ChangeType::Update) return {};
  auto selection = cache_.find(decoded_.header);
  if (!selection) return std::move(selection).error();
  auto fields = fill((*selection)->fields, scratch);
  if (!fields) return std::move(fields).error();
  auto diffs = fill((*selection)->diffs, scratch);
  if (!diffs) return std::move(diffs).error();
  out.fields = *fields;
  out.diffs = *diffs;
  return {};
}

Result<void> EventDecoder::fill_header(std::string_view payload, Scratch& scratch, EventView& out) {
  const Header& header = decoded_.header;
  out.payload_bytes = payload.size();
  out.type = header.change_type;
  out.entity = header.entity_name;
  out.commit_user = header.commit_user;
  out.change_origin = header.change_origin;
  out.transaction_key = header.transaction_key;
  out.commit_ts = header.commit_timestamp;
  const auto refuse = [&](std::string_view what, std::int64_t number) {
    return rejected(fmt::format("avro: decode {}: {} {}", plan_->name(), what, number),
                    "undecodable");
  };
  const auto sequence = static_cast<std::uint64_t>(header.sequence_number);
  if (sequence >= Version::kRowSequence)
    return refuse("no event has sequenceNumber", header.sequence_number);
  if (header.commit_number < 0) return refuse("no event has commitNumber", header.commit_number);
  out.version = {0, header.commit_number, sequence, header.commit_timestamp};
  std::size_t ids = 0;
  for_each_string(header.record_ids, [&](std::string_view) { ++ids; });
  if (!values_.spend(ids * sizeof(std::string_view))) {
    return refuse("recordIds are too short to be ids; their count is",
                  static_cast<std::int64_t>(ids));
  }
  const auto views = scratch.array<std::string_view>(ids);
  std::size_t at = 0;
  for_each_string(header.record_ids, [&](std::string_view id) { views[at++] = id; });
  out.record_ids = views;
  return {};
}

Result<std::span<Member>> EventDecoder::fill(std::span<const Selection::Pick> picks,
                                             Scratch& scratch) {
  Member* const members = scratch.uninitialized<Member>(picks.size());
  for (std::size_t i = 0; i < picks.size(); ++i) {
    const auto& pick = picks[i];
    Member* member = new (members + i) Member{pick.name, {}};
    if (pick.nulled) continue;
    if (!values_.read(pick.leaf, decoded_.slots[pick.leaf], scratch, member->value))
      return values_.error();
  }
  return std::span<Member>(members, picks.size());
}

Result<std::string_view> entity_of(const Plan& plan, std::string_view payload) {
  Decoded decoded;
  if (auto done = plan.decode(payload, decoded); !done) return std::move(done).error();
  return decoded.header.entity_name;
}

}  // namespace headwater::avro
