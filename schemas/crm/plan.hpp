#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "schemas/crm/convert.hpp"
#include "schemas/crm/evaluate.hpp"
#include "schemas/crm/projector.hpp"

namespace headwater::crm {

/// Turns a record id into `org:Object:id`, with the object that the id's prefix stands for.
class KeyMaker {
 public:
  explicit KeyMaker(const OrgFacts& org);
  /// REQUIRES: id has 18 characters.
  std::string_view make(std::string_view id, std::pmr::memory_resource& arena) const;

 private:
  std::string unknown_;                                   // `org::`
  std::unordered_map<std::uint32_t, std::string> heads_;  // packed prefix -> `org:Object:`
};

/// How one canonical field is made.
struct FieldPlan {
  enum class Kind : std::uint8_t { Bare, Parts, Children, Program };
  Kind kind = Kind::Bare;
  FieldType type = FieldType::Text;
  NameId name = kNoName;
  NameId source = kNoName;  ///< Bare, Parts, Children: the path itself
  std::uint32_t index = 0;  ///< in parts, paths or programs of the plan
  const FieldMapping* mapping = nullptr;
};

/// The children that an address or location shows.
struct PartsPlan {
  std::span<const CompoundPart> parts;
  std::vector<NameId> ids;
};

/// A source path that no field reads.
struct ExtraPlan {
  NameId source = kNoName;
  NameId relation = kNoName;  ///< given to it when it first turns out to be a reference
  bool may_relate =
      true;  ///< false for CreatedById and the like, and where a mapped relation has the name
};

/// A source path that fields read, and which of them may tell its value.
struct RawPlan {
  NameId source = kNoName;
  std::vector<std::uint32_t> shown_by;  ///< fields whose bare expression it, or its compound, is
  std::vector<std::uint32_t> read_by;   ///< fields that compute with it
};

struct RefPlan {
  NameId relation = kNoName;
  NameId source = kNoName;  ///< of a relation that reads a path of its own
  std::uint32_t field = 0;  ///< if source is kNoName
};

/// All of a projection that does not depend on the record: an entity's mapping laid over an
/// object's name table as it is now. Made again whenever the table has grown.
struct Layout {
  std::size_t names_size = 0;
  std::vector<FieldPlan> fields;  ///< sorted by name, as are all below
  std::vector<PartsPlan> parts;
  std::vector<SourcePath> paths;
  std::vector<Program> programs;
  std::vector<ExtraPlan> extras;
  std::vector<RawPlan> raws;
  std::vector<std::uint32_t>
      computed;  ///< those of raws that no field shows: looked at for every record
  std::vector<std::uint32_t> raw_of;       ///< by NameId: its place in raws, or kNone
  std::vector<std::uint32_t> meta_fields;  ///< computed with $meta: of no source path
  std::vector<RefPlan> refs;
  std::uint32_t sort_field = kNone, created_field = kNone;

  static constexpr std::uint32_t kNone = static_cast<std::uint32_t>(-1);

  static Layout make(const EntityMapping& entity, const OrgVariables& org, NameTable& names);
};

}  // namespace headwater::crm
