#pragma once

#include <string>
#include <string_view>

#include "schemas/avro/plan.hpp"

namespace headwater::avro {

// Members of Header by the numbers that operations carry; plan_read.cpp has the tables.
enum HeaderTextMember : std::uint32_t { kEntityName, kChangeOrigin, kTransactionKey, kCommitUser };
enum HeaderNumberMember : std::uint32_t { kSequenceNumber, kCommitTimestamp, kCommitNumber };
enum HeaderStringsMember : std::uint32_t { kRecordIds, kNulledFields, kDiffFields, kChangedFields };

/// Schema -> Plan; inner to this room. Used once per schema id.
class PlanCompiler {
 public:
  Result<Plan> run(Schema schema, PlanKind kind);

 private:
  const Node& at(NodeId id) const { return plan_.schema_.at(id); }
  Error refuse(std::string_view what) const;
  std::uint32_t leaf_count() const;
  Plan::Op& emit(Plan::Code code, std::uint32_t leaf);

  Result<void> compile_header(const Field& header);
  Result<void> compile_member(const std::string& name, NodeId id);
  void compile_field(const Field& field, TopField& top);
  void compile_value(NodeId id, std::uint32_t leaf);
  void compile_children(const Field& parent, const Node& record);
  void add_children(const Field& parent, const Node& record);
  std::uint32_t add_leaf(std::string path, std::string_view doc, std::int32_t child);
  std::string child_doc(const Field& parent, const Field& child) const;

  /// A union whose branches are compiled by `each`; null branches go straight to what follows.
  template <typename Each>
  Result<void> compile_branches(NodeId id,
                                std::uint32_t leaf,
                                std::uint32_t leaf_count,
                                Each each) {
    const auto& parts = at(id).parts;
    const auto table = static_cast<std::uint32_t>(plan_.branches_.size());
    plan_.branches_.resize(table + parts.size());
    auto& op = emit(Plan::Code::Union, leaf);
    op.node = static_cast<NodeId>(parts.size());
    op.target = table;
    op.leaf_count = leaf_count;
    std::vector<std::size_t> jumps;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (at(parts[i]).type == Type::Null) continue;
      plan_.branches_[table + i] = next_op();
      if (Result<void> done = each(parts[i]); !done) return done;
      jumps.push_back(plan_.ops_.size());
      emit(Plan::Code::Jump, 0);
    }
    for (const auto jump : jumps) plan_.ops_[jump].target = next_op();
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (at(parts[i]).type == Type::Null) plan_.branches_[table + i] = next_op();
    }
    return {};
  }
  std::uint32_t next_op() const { return static_cast<std::uint32_t>(plan_.ops_.size()); }

  Plan plan_;
  PlanKind kind_ = PlanKind::Change;
  std::uint16_t top_ = 0;
};

}  // namespace headwater::avro
