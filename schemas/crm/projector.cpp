#include "schemas/crm/projector.hpp"

#include <algorithm>
#include <cmath>

#include "schemas/core/bytes.hpp"
#include "schemas/core/ids.hpp"
#include "schemas/core/time.hpp"
#include "schemas/crm/plan.hpp"
#include "schemas/crm/text.hpp"

namespace headwater::crm {
namespace {

std::vector<Member>& section(Projection& out, Section which) {
  return out.sections[static_cast<std::size_t>(which)];
}

/// A double that JSON cannot write is told by name, so that `extra` and `raw` lose nothing.
ValueView writable(const ValueView& value) {
  if (value.tag != Tag::Double || std::isfinite(value.real)) return value;
  if (std::isnan(value.real)) return ValueView::of_text("NaN");
  return ValueView::of_text(value.real > 0 ? "Infinity" : "-Infinity");
}

}  // namespace

ImageView Projection::image(const NameTable& names) const {
  ImageView view;
  view.names = &names;
  for (std::size_t i = 0; i < kSections; ++i) view.sections[i] = sections[i];
  return view;
}

void Projection::begin() {
  bu = {};
  sort_at.reset();
  for (const auto which : {Section::Extra, Section::Raw, Section::Refs}) {
    sections[static_cast<std::size_t>(which)].clear();
  }
  violations.clear();
  retired.clear();
  record_type_unknown = {};
  arena.release();
}

struct Projector::Plan {
  std::shared_ptr<const Mapping> mapping;
  std::shared_ptr<const OrgFacts> org;
  const EntityMapping& entity;
  NameTable& names;
  OrgVariables variables;
  KeyMaker keys;
  Layout layout;
  const std::set<std::string, std::less<>>* retired_paths = nullptr;  // none: null
  std::vector<NameId> retired;  // those of them that records may show, by name
  std::vector<Fit> fits;        // of the fields of the record at hand
  std::string scratch;
  DomainMemo domains;

  Plan(std::shared_ptr<const Mapping> m,
       std::shared_ptr<const OrgFacts> o,
       std::string_view object,
       NameTable& table)
      : mapping(std::move(m)),
        org(std::move(o)),
        entity(mapping->of_object(object)),
        names(table),
        keys(*org) {
    variables = {org->name, org->name, org->region, org->currency, &org->record_types};
    if (const OrgBlock* block = mapping->org(org->name)) {
      if (!block->bu.empty()) variables.bu = block->bu;
      if (!block->region.empty()) variables.region = block->region;
      if (!block->currency.empty()) variables.currency = block->currency;
    }
    if (const auto at = org->retired.find(object); at != org->retired.end())
      retired_paths = &at->second;
    lay_out();
  }

  std::vector<std::uint8_t> stale;  // by field: to be made again

  void lay_out();
  void fields(const RawSlots& raw, const StateFacts& facts, Projection& out);
  void field(std::size_t i, const RawSlots& raw, const StateFacts& facts, Projection& out);
  void fields_fed_by(std::span<const Member> changed);
  void rest(const RawSlots& raw, Projection& out);
  Fit compound(const FieldPlan& field, const RawSlots& raw, Projection& out, ValueView& value);
  Fit computed(const FieldPlan& field,
               const RawSlots& raw,
               const StateFacts& facts,
               Projection& out,
               ValueView& value);
  void raws(const RawSlots& raw, bool all_as_is, Projection& out);
  bool told(const RawPlan& plan, const ValueView& value, const Projection& out) const;
  void refs(const RawSlots& raw, Projection& out);
  void extras(const RawSlots& raw, Projection& out);
  void relate(ExtraPlan& extra, const ValueView& value, Projection& out);
  void sort_time(Projection& out) const;
};

void Projector::Plan::lay_out() {
  layout = Layout::make(entity, variables, names);
  retired.clear();
  if (retired_paths == nullptr) return;
  for (const auto& path : *retired_paths) {
    const auto id = names.find(path);
    if (!id || *id >= layout.names_size) continue;  // no record has it
    const auto& dropped = entity.drop_extra;
    const bool mapped = layout.raw_of[*id] != Layout::kNone;
    if (!mapped && std::ranges::find(dropped, path) != dropped.end()) continue;
    retired.push_back(*id);
  }
}

void Projector::Plan::fields(const RawSlots& raw, const StateFacts& facts, Projection& out) {
  section(out, Section::Fields).resize(layout.fields.size());  // every one is written below
  fits.resize(layout.fields.size());
  for (std::size_t i = 0; i < layout.fields.size(); ++i) field(i, raw, facts, out);
}

void Projector::Plan::field(std::size_t i,
                            const RawSlots& raw,
                            const StateFacts& facts,
                            Projection& out) {
  const FieldPlan& field = layout.fields[i];
  Member& member = section(out, Section::Fields)[i];
  member.name = field.name;
  member.value = ValueView::null();
  fits[i] = Fit::Same;
  if (field.kind == FieldPlan::Kind::Program) {
    fits[i] = computed(field, raw, facts, out, member.value);
    return;
  }
  const ValueView& source = slot(raw, field.source);
  if (nothing(source)) {
    if (field.kind != FieldPlan::Kind::Bare) fits[i] = compound(field, raw, out, member.value);
  } else if (fits_as_is(field.type, source.tag)) {
    member.value = source;
  } else {
    fits[i] = convert(*field.mapping, source, out.arena, member.value);
  }
}

/// Marks them in `stale`.
void Projector::Plan::fields_fed_by(std::span<const Member> changed) {
  stale.assign(layout.fields.size(), 0);
  for (const std::uint32_t i : layout.meta_fields) stale[i] = 1;
  for (const Member& member : changed) {
    const std::uint32_t at =
        member.name < layout.raw_of.size() ? layout.raw_of[member.name] : Layout::kNone;
    if (at == Layout::kNone) continue;
    for (const std::uint32_t i : layout.raws[at].shown_by) stale[i] = 1;
    for (const std::uint32_t i : layout.raws[at].read_by) stale[i] = 1;
  }
}

/// What is made from the fields and the sources, once the fields stand.
void Projector::Plan::rest(const RawSlots& raw, Projection& out) {
  const bool all_as_is =
      std::all_of(fits.begin(), fits.end(), [](Fit fit) { return fit == Fit::Same; });
  if (!all_as_is) {
    for (std::size_t i = 0; i < fits.size(); ++i) {
      if (fits[i] == Fit::Error) put_varint(out.violations, layout.fields[i].name);
    }
  }
  raws(raw, all_as_is, out);
  refs(raw, out);
  extras(raw, out);
  sort_time(out);
  for (const NameId id : retired) {
    if (slot(raw, id).tag != Tag::Absent) put_varint(out.retired, id);
  }
}

Fit Projector::Plan::compound(const FieldPlan& field,
                              const RawSlots& raw,
                              Projection& out,
                              ValueView& value) {
  scratch.clear();
  const bool any =
      field.kind == FieldPlan::Kind::Parts
          ? append_parts(
                scratch, raw, layout.parts[field.index].parts, layout.parts[field.index].ids)
          : append_children(scratch, raw, layout.paths[field.index]);
  if (any) value = ValueView::of_text(keep(out.arena, scratch), Tag::Json);
  return Fit::Same;
}

Fit Projector::Plan::computed(const FieldPlan& field,
                              const RawSlots& raw,
                              const StateFacts& facts,
                              Projection& out,
                              ValueView& value) {
  const EvaluationInput input{raw, facts, out.arena, scratch, domains, &out.record_type_unknown};
  const auto outcome = layout.programs[field.index].run(input);
  if (outcome.failed) return Fit::Error;
  if (outcome.datum.is_null()) return Fit::Same;
  return convert(*field.mapping, outcome.datum, out.arena, value);
}

/// True if a canonical field still tells the source's value.
bool Projector::Plan::told(const RawPlan& plan,
                           const ValueView& value,
                           const Projection& out) const {
  const auto& fields = out.sections[static_cast<std::size_t>(Section::Fields)];
  return std::any_of(plan.shown_by.begin(),
                     plan.shown_by.end(),
                     [&](std::uint32_t i) { return fits[i] == Fit::Same; }) ||
         std::any_of(plan.read_by.begin(), plan.read_by.end(), [&](std::uint32_t i) {
           return fits[i] != Fit::Error && tells(fields[i].value, value);
         });
}

void Projector::Plan::raws(const RawSlots& raw, bool all_as_is, Projection& out) {
  auto& members = section(out, Section::Raw);
  const auto add = [&](const RawPlan& plan) {
    const ValueView& value = slot(raw, plan.source);
    if (nothing(value) || told(plan, value, out)) return;
    members.push_back({plan.source, writable(value)});
  };
  if (all_as_is) {
    for (const std::uint32_t i : layout.computed) add(layout.raws[i]);
  } else {
    for (const auto& plan : layout.raws) add(plan);
  }
}

void Projector::Plan::refs(const RawSlots& raw, Projection& out) {
  auto& members = section(out, Section::Refs);
  const auto& fields = section(out, Section::Fields);
  for (const auto& plan : layout.refs) {
    ValueView id = fields[plan.field].value;
    if (plan.source != kNoName) {
      const ValueView& source = slot(raw, plan.source);
      id = ValueView::null();
      if (!nothing(source)) convert_to_ref(source, out.arena, id);
    }
    if (id.tag == Tag::Ref) {
      members.push_back({plan.relation, ValueView::of_text(keys.make(id.text, out.arena))});
    }
  }
}

void Projector::Plan::extras(const RawSlots& raw, Projection& out) {
  auto& members = section(out, Section::Extra);
  for (auto& extra : layout.extras) {
    const ValueView& value = slot(raw, extra.source);
    if (value.tag == Tag::Absent) continue;
    members.push_back({extra.source, writable(value)});
    if (value.tag == Tag::Ref && extra.may_relate) relate(extra, value, out);
  }
}

/// A lookup that no mapping names makes a relation of its own.
void Projector::Plan::relate(ExtraPlan& extra, const ValueView& value, Projection& out) {
  if (value.text.size() != RecordId::kSize) return;
  if (extra.relation == kNoName) {
    extra.relation = names.intern(Mapping::relation_of(names.text(extra.source)));
  }
  auto& members = section(out, Section::Refs);
  const auto at = std::lower_bound(
      members.begin(), members.end(), names.text(extra.relation), [&](const Member& m, auto name) {
        return names.text(m.name) < name;
      });
  if (at != members.end() && at->name == extra.relation)
    return;  // two paths of one name: the first
  members.insert(at, {extra.relation, ValueView::of_text(keys.make(value.text, out.arena))});
}

void Projector::Plan::sort_time(Projection& out) const {
  const auto& fields = section(out, Section::Fields);
  for (const std::uint32_t i : {layout.sort_field, layout.created_field}) {
    if (i == Layout::kNone) continue;
    const ValueView& value = fields[i].value;
    if (value.tag == Tag::Date) out.sort_at = value.number * kMsPerDay;
    if (value.tag == Tag::DateTime) out.sort_at = value.number;
    if (out.sort_at) return;
  }
}

Projector::Projector(std::shared_ptr<const Mapping> mapping,
                     std::shared_ptr<const OrgFacts> org,
                     std::string_view object,
                     NameTable& names)
    : plan_(std::make_unique<Plan>(std::move(mapping), std::move(org), object, names)) {}
Projector::~Projector() = default;
Projector::Projector(Projector&&) noexcept = default;

std::string_view Projector::entity() const { return plan_->entity.entity; }

void Projector::project(const RawSlots& raw, const StateFacts& facts, Projection& out) {
  Plan& plan = *plan_;
  if (plan.names.size() != plan.layout.names_size) {
    plan.lay_out();
  }
  out.begin();
  out.bu = plan.variables.bu;
  plan.fields(raw, facts, out);
  plan.rest(raw, out);
}

void Projector::project_again(const RawSlots& raw,
                              const StateFacts& facts,
                              std::span<const Member> changed,
                              const Projection& from,
                              Projection& out) {
  Plan& plan = *plan_;
  // A name that project() added asks for another layout: then all is made anew.
  if (plan.names.size() != plan.layout.names_size) return project(raw, facts, out);
  out.begin();
  out.bu = plan.variables.bu;
  const auto& known = from.sections[static_cast<std::size_t>(Section::Fields)];
  section(out, Section::Fields).assign(known.begin(), known.end());
  plan.fields_fed_by(changed);
  for (std::size_t i = 0; i < plan.stale.size(); ++i) {
    if (plan.stale[i] != 0) plan.field(i, raw, facts, out);
  }
  plan.rest(raw, out);
}

}  // namespace headwater::crm
