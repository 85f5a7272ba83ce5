#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "schemas/avro/plan_compiler.hpp"

namespace headwater::avro {
namespace {

/// The parts of `<role>:<type>[:<field id>]`.
struct Doc {
  std::string_view type, field_id;
};
Doc split_doc(std::string_view doc) {
  const auto colon = doc.find(':');
  if (colon == std::string_view::npos) return {};
  const auto rest = doc.substr(colon + 1);
  const auto second = rest.find(':');
  if (second == std::string_view::npos) return {rest, {}};
  return {rest.substr(0, second), rest.substr(second + 1)};
}

DocType doc_type(std::string_view type) {
  struct Known {
    std::string_view name;
    DocType type;
  };
  static constexpr Known kKnown[] = {
      {"EntityId", DocType::EntityId},
      {"MultiEnum", DocType::MultiEnum},
      {"Integer", DocType::Integer},
      {"Double", DocType::Number},
      {"Currency", DocType::Number},
      {"Percent", DocType::Number},
      {"DateOnly", DocType::DateOnly},
      {"DateTime", DocType::DateTime},
      {"TimeOnly", DocType::TimeOnly},
      {"Text", DocType::Text},
      {"StringPlusClob", DocType::Text},
      {"HtmlStringPlusClob", DocType::Text},
  };
  for (const auto& known : kKnown) {
    if (known.name == type) return known.type;
  }
  return DocType::Other;
}

/// What a header member must be, and where it goes.
struct HeaderMember {
  std::string_view name;
  char kind;  // 't' text, 'i' int or long, 's' strings, 'c' change type
  std::uint32_t index;
  bool required;
};
constexpr HeaderMember kHeaderMembers[] = {
    {"entityName", 't', kEntityName, true},
    {"recordIds", 's', kRecordIds, true},
    {"changeType", 'c', 0, true},
    {"changeOrigin", 't', kChangeOrigin, false},
    {"transactionKey", 't', kTransactionKey, true},
    {"sequenceNumber", 'i', kSequenceNumber, true},
    {"commitTimestamp", 'i', kCommitTimestamp, true},
    {"commitNumber", 'i', kCommitNumber, true},
    {"commitUser", 't', kCommitUser, false},
    {"nulledFields", 's', kNulledFields, true},
    {"diffFields", 's', kDiffFields, false},
    {"changedFields", 's', kChangedFields, true},
};

}  // namespace

Result<Plan> PlanCompiler::run(Schema schema, PlanKind kind) {
  kind_ = kind;
  plan_.schema_ = std::move(schema);
  const Node& root = at(plan_.schema_.root);
  if (root.type != Type::Record) return refuse("it is not a record");
  const auto header = std::find_if(root.fields.begin(), root.fields.end(), [](const Field& f) {
    return f.name == "ChangeEventHeader";
  });
  const bool has_header = header != root.fields.end();
  if (kind == PlanKind::Change && !has_header) return refuse("it has no ChangeEventHeader");
  if (kind == PlanKind::Platform && has_header) return refuse("it has a ChangeEventHeader");
  for (std::size_t i = 0; i < root.fields.size(); ++i) {
    const Field& field = root.fields[i];
    top_ = static_cast<std::uint16_t>(i);
    TopField top;
    top.leaf_first = leaf_count();
    if (has_header && &field == &*header) {
      if (auto done = compile_header(field); !done) return std::move(done).error();
      top.children = static_cast<std::int32_t>(at(field.node).fields.size());
    } else {
      compile_field(field, top);
    }
    top.leaf_count = leaf_count() - top.leaf_first;
    plan_.top_fields_.push_back(top);
    if (leaf_count() > kLeavesMax) {
      return refuse(
          fmt::format("with the children of its compounds it has more than {} fields", kLeavesMax));
    }
  }
  return std::move(plan_);
}

Error PlanCompiler::refuse(std::string_view what) const {
  return rejected(fmt::format("avro: {} cannot be a {} event's schema: {}",
                              plan_.name(),
                              kind_ == PlanKind::Change ? "change" : "platform",
                              what));
}

std::uint32_t PlanCompiler::leaf_count() const {
  return static_cast<std::uint32_t>(plan_.leaves_.size());
}

Result<void> PlanCompiler::compile_header(const Field& header) {
  const Node& node = at(header.node);
  if (node.type != Type::Record) return refuse("its ChangeEventHeader is not a record");
  for (const auto& member : kHeaderMembers) {
    const bool found = std::any_of(node.fields.begin(), node.fields.end(), [&](const Field& f) {
      return f.name == member.name;
    });
    if (!found && member.required)
      return refuse(fmt::format("its ChangeEventHeader has no {}", member.name));
  }
  for (const Field& field : node.fields) {
    if (auto done = compile_member(field.name, field.node); !done) return done;
  }
  return {};
}

Result<void> PlanCompiler::compile_member(const std::string& name, NodeId id) {
  const auto* member = std::find_if(std::begin(kHeaderMembers),
                                    std::end(kHeaderMembers),
                                    [&](const HeaderMember& m) { return m.name == name; });
  if (member == std::end(kHeaderMembers)) {
    emit(Plan::Code::Skip, 0).node = id;
    return {};
  }
  const Node& node = at(id);
  if (node.type == Type::Union) {  // not seen in Salesforce's own, but in fixtures made after it
    return compile_branches(id, 0, 0, [&](NodeId branch) { return compile_member(name, branch); });
  }
  const bool strings = node.type == Type::Array && at(node.parts[0]).type == Type::String;
  std::optional<Plan::Code> code;
  if (member->kind == 't' && node.type == Type::String) code = Plan::Code::HeaderText;
  if (member->kind == 's' && strings) code = Plan::Code::HeaderStrings;
  if (member->kind == 'i' && node.type == Type::Int) code = Plan::Code::HeaderInt;
  if (member->kind == 'i' && node.type == Type::Long) code = Plan::Code::HeaderLong;
  if (member->kind == 'c' && node.type == Type::String) code = Plan::Code::HeaderSymbolText;
  if (member->kind == 'c' && node.type == Type::Enum && plan_.change_types_.empty()) {
    code = Plan::Code::HeaderSymbol;
    for (const auto& symbol : node.symbols) {
      ChangeType type{};
      const bool known = parse_change_type(symbol, type);
      plan_.change_types_.push_back(known ? static_cast<std::int16_t>(type) : std::int16_t{-1});
    }
  }
  if (!code)
    return refuse(fmt::format("its header's {} is of type {}", name, to_string(node.type)));
  auto& op = emit(*code, member->index);
  op.node = id;
  return {};
}

void PlanCompiler::compile_field(const Field& field, TopField& top) {
  const Node& node = at(field.node);
  if (node.type == Type::Record) {
    top.children = static_cast<std::int32_t>(node.fields.size());
    return compile_children(field, node);
  }
  const bool compound = node.type == Type::Union &&
                        std::any_of(node.parts.begin(), node.parts.end(), [&](NodeId part) {
                          return at(part).type == Type::Record;
                        });
  if (!compound) return compile_value(field.node, add_leaf(field.name, field.doc, -1));
  // A compound, maybe with a branch that is a plain value: leaves for both, all null but those
  // taken.
  const std::uint32_t first = leaf_count();
  std::optional<std::uint32_t> own;
  for (const NodeId part : node.parts) {
    const Node& branch = at(part);
    if (branch.type == Type::Record) {
      if (top.children < 0) top.children = static_cast<std::int32_t>(branch.fields.size());
      add_children(field, branch);
    } else if (branch.type != Type::Null && !own) {
      own = add_leaf(field.name, field.doc, -1);
    }
  }
  const auto compiled = compile_branches(field.node, first, leaf_count() - first, [&](NodeId part) {
    const Node& branch = at(part);
    if (branch.type == Type::Record) {
      compile_children(field, branch);
    } else {
      compile_value(part, *own);
    }
    return Result<void>();
  });
  HEADWATER_ASSERT(compiled.ok());
}

void PlanCompiler::add_children(const Field& parent, const Node& record) {
  for (std::size_t i = 0; i < record.fields.size(); ++i) {
    add_leaf(parent.name + "." + record.fields[i].name,
             child_doc(parent, record.fields[i]),
             static_cast<std::int32_t>(i));
  }
}

void PlanCompiler::compile_children(const Field& parent, const Node& record) {
  for (std::size_t i = 0; i < record.fields.size(); ++i) {
    const Field& child = record.fields[i];
    compile_value(child.node,
                  add_leaf(parent.name + "." + child.name,
                           child_doc(parent, child),
                           static_cast<std::int32_t>(i)));
  }
}

/// A compound's children have no doc of their own; the parent's field id then names them too.
std::string PlanCompiler::child_doc(const Field& parent, const Field& child) const {
  if (!child.doc.empty()) return child.doc;
  const auto id = split_doc(parent.doc).field_id;
  return id.empty() ? std::string() : fmt::format("Data::{}", id);
}

std::uint32_t PlanCompiler::add_leaf(std::string path, std::string_view doc, std::int32_t child) {
  // Two record branches of one union may name the same child: it is one leaf.
  for (std::uint32_t i = leaf_count(); i-- > 0 && plan_.leaves_[i].top == top_;) {
    if (plan_.leaves_[i].path == path) return i;
  }
  const auto parts = split_doc(doc);
  Leaf leaf;
  leaf.path = std::move(path);
  leaf.doc_type = parts.type;
  leaf.field_id = parts.field_id;
  leaf.type = doc_type(parts.type);
  leaf.top = top_;
  leaf.child = child;
  plan_.leaves_.push_back(std::move(leaf));
  return leaf_count() - 1;
}

void PlanCompiler::compile_value(NodeId id, std::uint32_t leaf) {
  using Code = Plan::Code;
  const Node& node = at(id);
  const auto optional = [](Type type) -> std::optional<Code> {
    switch (type) {
      case Type::String:
        return Code::OptionalText;
      case Type::Long:
        return Code::OptionalLong;
      case Type::Int:
        return Code::OptionalInt;
      case Type::Double:
        return Code::OptionalDouble;
      case Type::Boolean:
        return Code::OptionalBoolean;
      default:
        return std::nullopt;
    }
  };
  if (node.type == Type::Union && node.parts.size() == 2) {
    for (std::uint8_t null = 0; null < 2; ++null) {
      const auto code = optional(at(node.parts[1 - null]).type);
      if (at(node.parts[null]).type != Type::Null || !code) continue;
      emit(*code, leaf).null_branch = null;
      return;
    }
  }
  const auto plain = [&]() -> Code {
    switch (node.type) {
      case Type::String:
        return Code::Text;
      case Type::Long:
        return Code::Long;
      case Type::Int:
        return Code::Int;
      case Type::Double:
        return Code::Double;
      case Type::Boolean:
        return Code::Boolean;
      default:
        return Code::Datum;
    }
  }();
  emit(plain, leaf).node = id;
}

Plan::Op& PlanCompiler::emit(Plan::Code code, std::uint32_t leaf) {
  Plan::Op op{};
  op.code = code;
  op.leaf = leaf;
  op.top = top_;
  return plan_.ops_.emplace_back(op);
}

}  // namespace headwater::avro
