#include "schemas/crm/plan.hpp"

#include <algorithm>
#include <array>
#include <map>

namespace headwater::crm {
namespace {

/// Objects behind the prefixes that are the same in every org. Source: salesforce.md section 13.
constexpr std::pair<std::string_view, std::string_view> kStandardPrefixes[] = {
    {"001", "Account"},
    {"003", "Contact"},
    {"005", "User"},
    {"006", "Opportunity"},
    {"00Q", "Lead"},
    {"00G", "Group"},
    {"500", "Case"},
    {"701", "Campaign"},
    {"801", "Order"},
    {"00D", "Organization"},
    {"00E", "UserRole"},
    {"00e", "Profile"},
    {"012", "RecordType"},
    {"00P", "Attachment"},
    {"068", "ContentVersion"},
    {"069", "ContentDocument"},
    {"06A", "ContentDocumentLink"},
    {"00T", "Task"},
    {"00U", "Event"},
    {"00v", "CampaignMember"},
    {"00a", "CaseComment"},
    {"00k", "OpportunityLineItem"},
    {"00K", "OpportunityContactRole"},
    {"00t", "OpportunityShare"},
    {"00q", "OpportunityTeamMember"},
    {"002", "Note"},
    {"800", "Contract"},
    {"802", "OrderItem"},
    {"01t", "Product2"},
    {"01s", "Pricebook2"},
    {"01u", "PricebookEntry"},
    {"02i", "Asset"},
    {"02Z", "AccountContactRole"},
    {"0Q0", "Quote"},
    {"0QL", "QuoteLineItem"},
    {"07k", "AccountContactRelation"},
    {"02s", "EmailMessage"},
};
/// The first of them are fixed by unified-model.md section 6; what describeGlobal says outranks the
/// rest.
constexpr std::size_t kFixedPrefixes = 9;

/// References that make no edge (design.md ruling 13).
constexpr std::array<std::string_view, 3> kNoRelation{
    "CreatedById", "LastModifiedById", "RecordTypeId"};

bool makes_no_relation(std::string_view path) {
  return std::find(kNoRelation.begin(), kNoRelation.end(), path) != kNoRelation.end();
}

std::uint32_t packed(std::string_view prefix) {
  const auto byte = [&](std::size_t i) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(prefix[i]));
  };
  return byte(0) << 16 | byte(1) << 8 | byte(2);
}

/// Lays one entity over one table.
class Planner {
 public:
  Planner(const EntityMapping& entity, const OrgVariables& org, NameTable& names)
      : entity_(entity), org_(org), table_(names) {
    for (const auto& field : entity.fields) names.intern(field.name);
    for (const auto& relation : entity.relations) names.intern(relation.name);
    for (const auto& field : entity.fields) {
      if (field.type == FieldType::Ref) names.intern(relation_name(field));
    }
  }

  Layout run() {
    out_.names_size = table_.size();
    names_.emplace(table_);
    for (const auto& field : entity_.fields) plan_field(field);
    plan_relations();
    plan_raws();
    plan_extras();
    return std::move(out_);
  }

 private:
  void plan_field(const FieldMapping& field) {
    const auto index = static_cast<std::uint32_t>(out_.fields.size());
    FieldPlan plan;
    plan.mapping = &field;
    plan.type = field.type;
    plan.name = names_->find(field.name);
    if (field.expr->is_bare()) {
      plan_bare(field, plan, index);
    } else {
      plan.kind = FieldPlan::Kind::Program;
      plan.index = static_cast<std::uint32_t>(out_.programs.size());
      out_.programs.emplace_back(*field.expr, *names_, org_);
      if (out_.programs.back().reads_meta()) out_.meta_fields.push_back(index);
      for (const auto& path : field.expr->paths()) {
        const auto source = SourcePath::resolve(*names_, path);
        consume(source.self).read_by.push_back(index);
        for (const auto& child : source.children) consume(child.id).read_by.push_back(index);
      }
    }
    if (field.name == entity_.sort) out_.sort_field = index;
    if (field.name == "created_at") out_.created_field = index;
    out_.fields.push_back(plan);
  }

  void plan_bare(const FieldMapping& field, FieldPlan& plan, std::uint32_t index) {
    const auto source = SourcePath::resolve(*names_, field.expr->root().text);
    plan.source = source.self;
    consume(source.self).shown_by.push_back(index);
    if (field.type == FieldType::Address || field.type == FieldType::Geo) {
      plan.kind = FieldPlan::Kind::Parts;
      plan.index = static_cast<std::uint32_t>(out_.parts.size());
      PartsPlan& parts = out_.parts.emplace_back();
      if (field.type == FieldType::Address) {
        parts.parts = kAddressParts;
      } else {
        parts.parts = kGeoParts;
      }
      for (const auto& part : parts.parts) {
        parts.ids.push_back(source.child(part.child));
        consume(parts.ids.back()).shown_by.push_back(index);
      }
    } else if (field.type == FieldType::Json && !source.children.empty()) {
      plan.kind = FieldPlan::Kind::Children;
      plan.index = static_cast<std::uint32_t>(out_.paths.size());
      for (const auto& child : source.children) consume(child.id).shown_by.push_back(index);
      out_.paths.push_back(source);
    }
  }

  RawPlan& consume(NameId id) {
    RawPlan& plan = consumed_[id];  // kNoName gathers what the table does not know; left out later
    plan.source = id;
    return plan;
  }

  /// The relation of a field of type ref: what `relations:` calls its path, else the field without
  /// `_id`.
  std::string relation_name(const FieldMapping& field) const {
    for (const auto& relation : entity_.relations) {
      if (field.expr->is_bare() && relation.from == field.expr->root().text) return relation.name;
    }
    return Mapping::relation_of(field.name);
  }

  void plan_relations() {
    std::map<std::string, RefPlan> refs;
    std::map<std::string, bool> read_by_field;
    for (std::uint32_t i = 0; i < entity_.fields.size(); ++i) {
      const FieldMapping& field = entity_.fields[i];
      if (field.type != FieldType::Ref) continue;
      if (field.expr->is_bare()) {
        if (makes_no_relation(field.expr->root().text)) continue;
        read_by_field[field.expr->root().text] = true;
      }
      const std::string name = relation_name(field);
      refs.try_emplace(name, RefPlan{names_->find(name), kNoName, i});
    }
    for (const auto& relation : entity_.relations) {
      if (read_by_field.count(relation.from) != 0) continue;
      const NameId source = names_->find(relation.from);
      if (source != kNoName) refs[relation.name] = RefPlan{names_->find(relation.name), source, 0};
    }
    for (const auto& [name, plan] : refs) {
      out_.refs.push_back(plan);
      related_.push_back(plan.source);
      relation_names_.push_back(name);
    }
  }

  void plan_raws() {
    consumed_.erase(kNoName);
    out_.raw_of.assign(out_.names_size, Layout::kNone);
    for (const auto& entry : names_->all()) {  // in the order of names
      const auto at = consumed_.find(entry.id);
      if (at == consumed_.end()) continue;
      if (at->second.shown_by.empty()) {
        out_.computed.push_back(static_cast<std::uint32_t>(out_.raws.size()));
      }
      out_.raw_of[entry.id] = static_cast<std::uint32_t>(out_.raws.size());
      out_.raws.push_back(at->second);
    }
  }

  void plan_extras() {
    for (const auto& entry : names_->all()) {
      if (consumed_.count(entry.id) != 0) continue;
      const auto& dropped = entity_.drop_extra;
      if (std::find(dropped.begin(), dropped.end(), entry.text) != dropped.end()) continue;
      ExtraPlan plan;
      plan.source = entry.id;
      plan.may_relate =
          !makes_no_relation(entry.text) &&
          std::find(related_.begin(), related_.end(), entry.id) == related_.end() &&
          !std::binary_search(
              relation_names_.begin(), relation_names_.end(), Mapping::relation_of(entry.text));
      out_.extras.push_back(plan);
    }
  }

  const EntityMapping& entity_;
  const OrgVariables& org_;
  NameTable& table_;
  std::optional<SourceNames> names_;
  std::unordered_map<NameId, RawPlan> consumed_;
  std::vector<NameId> related_;              // sources that a mapped relation reads
  std::vector<std::string> relation_names_;  // sorted
  Layout out_;
};

}  // namespace

KeyMaker::KeyMaker(const OrgFacts& org) : unknown_(org.name + "::") {
  const auto put = [&](std::string_view prefix, std::string_view object) {
    if (prefix.size() == 3) {
      heads_.try_emplace(packed(prefix), org.name + ":" + std::string(object) + ":");
    }
  };
  const auto standard = std::span(kStandardPrefixes);
  for (const auto& [prefix, object] : standard.first(kFixedPrefixes)) put(prefix, object);
  for (const auto& [prefix, object] : org.object_by_prefix) put(prefix, object);
  for (const auto& [prefix, object] : standard.subspan(kFixedPrefixes)) put(prefix, object);
}

std::string_view KeyMaker::make(std::string_view id, std::pmr::memory_resource& arena) const {
  const auto at = heads_.find(packed(id));
  const std::string& head = at == heads_.end() ? unknown_ : at->second;
  auto* text = static_cast<char*>(arena.allocate(head.size() + id.size(), 1));
  head.copy(text, head.size());
  id.copy(text + head.size(), id.size());
  return {text, head.size() + id.size()};
}

Layout Layout::make(const EntityMapping& entity, const OrgVariables& org, NameTable& names) {
  return Planner(entity, org, names).run();
}

}  // namespace headwater::crm
