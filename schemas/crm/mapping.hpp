#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace headwater::crm {

class Expression;  // expression.hpp: parsed and checked

/// Canonical types of a field (unified-model.md section 9).
enum class FieldType : std::uint8_t {
  Text,
  Bool,
  Int,
  Decimal,
  Date,
  Timestamp,
  Time,
  Ref,
  TextArray,
  Email,
  Phone,
  Url,
  Address,
  Geo,
  Json,
  Enum
};

struct FieldMapping {
  std::string name;  ///< canonical, snake_case
  std::shared_ptr<const Expression> expr;
  FieldType type = FieldType::Text;
  std::vector<std::string> values;  ///< of an enum
  std::string unit;                 ///< currency, percent or empty
  bool required = false, derived = false;
  std::string pii;
  bool column = false, index = false;  ///< Postgres: a column x_<name> of its own, an index on it
  bool builtin = false;  ///< from the built-in file: its column has the field's own name
};

struct RelationMapping {
  std::string name;     ///< rel
  std::string from;     ///< source path
  std::string section;  ///< of the 360 document; later step
};

struct EntityMapping {
  std::string entity;                ///< `contact`, `custom:Invoice__c`
  std::string object;                ///< API name
  std::vector<FieldMapping> fields;  ///< sorted by name
  std::vector<RelationMapping> relations;
  std::vector<std::string> drop_extra;
  std::string sort;  ///< canonical field that orders relation lists; empty: created_at
};

/// What a mapping file says of an org; empty texts: not said.
struct OrgBlock {
  std::string bu, region, currency;
};

/// Names what a projection is made of besides the files: this code and the public suffix list. Part
/// of a mapping's digest, so that a build that projects differently projects all records again.
std::string projection_tables();

/// The text of the built-in mapping file.
std::string_view builtin_yaml();

/// All mapping files together, parsed and checked. Immutable; shared by threads.
class Mapping {
 public:
  /// The mapping of an object; an object that no file names gets common fields and extra only, made
  /// on the first call and kept.
  const EntityMapping& of_object(std::string_view object) const;
  const std::vector<EntityMapping>& entities() const { return entities_; }
  /// The org's block, nullptr if the files have none.
  const OrgBlock* org(std::string_view name) const;
  std::uint32_t mapping_rev() const { return mapping_rev_; }
  /// SHA-256 (hex) of all that a projection is made of: the files' bytes and the build's tables.
  const std::string& digest() const { return digest_; }
  /// Text of all files, so that a ledger can keep the mapping that its images were made by.
  const std::string& source() const { return source_; }
  /// `account_id` or an unmapped `Foo__c` lookup -> name of its relation.
  static std::string relation_of(std::string_view canonical_or_path);
  /// Builds from entities and their common part; used by the file reader and by tests.
  static std::shared_ptr<const Mapping> build(
      std::vector<EntityMapping> entities,
      EntityMapping common,
      std::uint32_t mapping_rev,
      std::string digest,
      std::string source,
      std::map<std::string, OrgBlock, std::less<>> orgs = {});

 private:
  std::vector<EntityMapping> entities_;  // sorted by object
  std::map<std::string, OrgBlock, std::less<>> orgs_;
  EntityMapping common_;  // fields of an object without a mapping
  std::uint32_t mapping_rev_ = 0;
  std::string digest_, source_;
  struct Unmapped;
  std::shared_ptr<Unmapped> unmapped_;
};

}  // namespace headwater::crm
