#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "schemas/core/result.hpp"
#include "tests/org/value.hpp"

namespace headwater::org {

/// What a field is. Each type has a change event form (Avro branch and `doc`) and a REST form.
enum class FieldType : std::uint8_t {
  Text,
  AutoNumber,
  LongText,
  RichText,
  Phone,
  Email,
  Url,
  Picklist,
  StaticPicklist,
  MultiPicklist,
  Reference,
  Boolean,
  Integer,
  Double,
  Currency,
  Percent,
  DateTime,
  CreatedDate,
  Date,
  Time,
  Address,
  Location,
  PersonName,
  SwitchableName,  ///< Account.Name: text of a business, a person's name of a person account
};

bool is_compound(FieldType type);
std::optional<FieldType> field_type(std::string_view word);  ///< as tables say it: `picklist`
std::string_view doc_type(FieldType type);       ///< `Data:Currency`, without the custom field id
std::string_view avro_branch(FieldType type);    ///< the union's branch; empty for compounds
std::string_view describe_type(FieldType type);  ///< `currency`

struct FieldDef;
/// True for the two fields that a platform event always has, and that are no union with null.
bool is_set_by_org(const FieldDef& field);

/// A field of an object as its owner defined it; compounds are one field here.
struct FieldDef {
  std::string name;
  FieldType type = FieldType::Text;
  std::vector<std::string> refers_to;  ///< objects a Reference may point to
  std::string custom_id;               ///< `00N…`, empty for standard fields
  bool in_events = true;    ///< false: REST alone knows it (SystemModstamp, IsDeleted, …)
  bool calculated = false;  ///< a formula
  bool added = false;       ///< by somebody who changed the org
  bool gone = false;        ///< removed: only its place among the leaves is left
  bool hidden = false;      ///< from the integration user: field-level security
};

/// The smallest thing that has a value: a plain field or one part of a compound.
struct Leaf {
  std::string rest_name;  ///< `BillingCity`
  std::string path;       ///< `BillingAddress.City`, as change events say it
  FieldType type = FieldType::Text;
  std::size_t field = 0;  ///< index into ObjectDef::fields
  int top = -1;           ///< index in the event's record, the header being 0; -1: not in events
  int child = -1;         ///< index in the compound's record; -1: not a part
};

/// One top-level field of the event's record: the leaf of a plain field, the parts of a compound,
/// or both (SwitchableName).
struct EventField {
  std::size_t field = 0;
  int plain = -1;          ///< leaf
  std::vector<int> parts;  ///< leaves, in the order of the compound's record
};

/// Where the fields stand that the org itself keeps.
struct SystemLeaves {
  int created_date = -1, created_by = -1, modified_date = -1, modified_by = -1, owner = -1;
  int record_type = -1;
};

/// An object: its fields, and what follows from them (leaves, Avro schema). Shared by all threads;
/// it changes only as its Catalog says. A leaf keeps its place for ever.
class ObjectDef {
 public:
  std::string name, key_prefix;
  bool custom = false;
  bool platform = false;         ///< a platform event: no header, `/event/…`
  bool standard_volume = false;  ///< a platform event that is kept for 24 h only
  std::size_t index = 0;         ///< place in its catalog
  std::vector<FieldDef> fields;
  std::vector<Leaf> leaves;
  std::vector<EventField> event_fields;
  SystemLeaves system;
  std::string event_name;   ///< `AccountChangeEvent`, `Invoice__ChangeEvent`
  std::string schema_json;  ///< Avro
  std::string schema_id;    ///< 22 characters: base64url of the MD5 of schema_json
  bool captured = true;     ///< selected in Change Data Capture: its changes make events
  /// As it was before the last change, and whether half of the org still works by that: as long as
  /// a deployment lasts, events come by either schema.
  std::shared_ptr<const ObjectDef> before;
  bool deploying = false;

  /// The leaf of this REST name or event path; nothing if there is none.
  std::optional<std::size_t> find_leaf(std::string_view name_or_path) const;
  /// REQUIRES: there is one.
  std::size_t leaf(std::string_view name_or_path) const;
  /// True if records of this object have a REST field `Name` made of the parts of a PersonName.
  bool has_joined_name() const { return joined_name_; }
  std::string topic() const { return (platform ? "/event/" : "/data/") + event_name; }

 private:
  friend class Catalog;
  void derive();
  void add_leaf(Leaf leaf);
  std::unordered_map<std::string, std::size_t> by_name_;
  bool joined_name_ = false;
};

/// All objects of the org.
///
/// It may change while the org runs: whoever reads definitions meanwhile holds it, and not twice on
/// one thread. The changing calls want it held by nobody.
class Catalog {
 public:
  /// Reads a table of objects: a line `Object prefix [standard]`, then one indented line per field,
  /// `Name type [targets]`, with `~` before a field that is not in events. Aborts on a table it
  /// cannot read: it is part of the program.
  explicit Catalog(std::string_view table, bool multi_currency = false);

  /// The objects of `headwater-org`.
  static std::string_view standard_table();

  const std::vector<std::unique_ptr<ObjectDef>>& objects() const { return objects_; }
  const ObjectDef* find(std::string_view name) const;
  const ObjectDef& get(std::string_view name) const;  ///< REQUIRES: it exists
  const ObjectDef* find_schema(std::string_view schema_id) const;
  /// The text of a schema that an object has or ever had. Null: there was none.
  const std::string* schema_text(std::string_view schema_id) const;

  using Held = std::shared_lock<std::shared_mutex>;
  Held hold() const { return Held(mutex_); }
  /// Adds objects as a table says them; `then` is called before anybody else sees them.
  void add(std::string_view table, const std::function<void()>& then);
  /// Lets `change` alter the object's fields, and `then` what follows. REQUIRES: the object exists;
  /// fields are altered or appended, not moved.
  void change(std::string_view object,
              const std::function<void(ObjectDef&)>& change,
              const std::function<void(const ObjectDef&)>& then);
  /// A field as a line of a table says it. REQUIRES: its type is a known one.
  FieldDef field(const std::string& line);

 private:
  void read(std::string_view table);
  void derive(ObjectDef& object);

  mutable std::shared_mutex mutex_;
  const bool multi_currency_;
  std::size_t custom_fields_ = 0;
  std::vector<std::unique_ptr<ObjectDef>> objects_;
  std::map<std::string, std::string, std::less<>> schemas_;  // by id: all there ever were
};

/// 22-character fingerprint: base64url without padding of the MD5 of the text.
std::string fingerprint(std::string_view text);

}  // namespace headwater::org
