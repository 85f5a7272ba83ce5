#include "tests/org/schema.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <set>
#include <sstream>

#include "schemas/core/assert.hpp"
#include "schemas/core/json_text.hpp"

namespace headwater::org {
namespace {

/// How one field type looks in each of its forms. Source of doc types: salesforce.md section 5.3.
struct TypeForm {
  std::string_view word;  ///< in the object table
  FieldType type;
  std::string_view doc, avro, describe;
};

constexpr std::array kForms{
    TypeForm{"text", FieldType::Text, "Data:Text", "string", "string"},
    TypeForm{"autonumber", FieldType::AutoNumber, "Data:Text", "string", "string"},
    TypeForm{"longtext", FieldType::LongText, "Data:StringPlusClob", "string", "textarea"},
    TypeForm{"richtext", FieldType::RichText, "Data:HtmlStringPlusClob", "string", "textarea"},
    TypeForm{"phone", FieldType::Phone, "Data:Phone", "string", "phone"},
    TypeForm{"email", FieldType::Email, "Data:Email", "string", "email"},
    TypeForm{"url", FieldType::Url, "Data:Url", "string", "url"},
    TypeForm{"picklist", FieldType::Picklist, "Data:DynamicEnum", "string", "picklist"},
    TypeForm{"static", FieldType::StaticPicklist, "Data:StaticEnum", "string", "picklist"},
    TypeForm{"multi", FieldType::MultiPicklist, "Data:MultiEnum", "string", "multipicklist"},
    TypeForm{"ref", FieldType::Reference, "ForeignKey:EntityId", "string", "reference"},
    TypeForm{"bool", FieldType::Boolean, "Data:Boolean", "boolean", "boolean"},
    TypeForm{"int", FieldType::Integer, "Data:Integer", "int", "int"},
    TypeForm{"double", FieldType::Double, "Data:Double", "double", "double"},
    TypeForm{"currency", FieldType::Currency, "Data:Currency", "double", "currency"},
    TypeForm{"percent", FieldType::Percent, "Data:Percent", "double", "percent"},
    TypeForm{"datetime", FieldType::DateTime, "Data:DateTime", "long", "datetime"},
    TypeForm{"created", FieldType::CreatedDate, "CreatedDate:DateTime", "long", "datetime"},
    TypeForm{"date", FieldType::Date, "Data:DateOnly", "long", "date"},
    TypeForm{"time", FieldType::Time, "Data:TimeOnly", "long", "time"},
    TypeForm{"address", FieldType::Address, "Data:Address", "", "address"},
    TypeForm{"location", FieldType::Location, "Data:Location", "", "location"},
    TypeForm{"personname", FieldType::PersonName, "Data:PersonName", "", "string"},
    TypeForm{"switchable", FieldType::SwitchableName, "Data:Switchable_PersonName", "", "string"},
};

const TypeForm& form(FieldType type) {
  for (const auto& f : kForms) {
    if (f.type == type) return f;
  }
  HEADWATER_ASSERT(false);
  return kForms[0];
}

struct Part {
  std::string_view name;
  FieldType type;
};

/// The parts of an address in an org with state and country picklists (salesforce.md section 5.4).
constexpr std::array kAddressParts{Part{"Street", FieldType::Text},
                                   Part{"City", FieldType::Text},
                                   Part{"State", FieldType::Text},
                                   Part{"PostalCode", FieldType::Text},
                                   Part{"Country", FieldType::Text},
                                   Part{"StateCode", FieldType::Picklist},
                                   Part{"CountryCode", FieldType::Picklist},
                                   Part{"Latitude", FieldType::Double},
                                   Part{"Longitude", FieldType::Double},
                                   Part{"GeocodeAccuracy", FieldType::Picklist}};
constexpr std::array kLocationParts{Part{"Latitude", FieldType::Double},
                                    Part{"Longitude", FieldType::Double}};
constexpr std::array kNameParts{Part{"Salutation", FieldType::Picklist},
                                Part{"FirstName", FieldType::Text},
                                Part{"LastName", FieldType::Text},
                                Part{"MiddleName", FieldType::Text},
                                Part{"Suffix", FieldType::Text}};
constexpr std::array kSwitchableParts{Part{"Salutation", FieldType::Picklist},
                                      Part{"FirstName", FieldType::Text},
                                      Part{"LastName", FieldType::Text}};

std::span<const Part> parts_of(FieldType type) {
  switch (type) {
    case FieldType::Address:
      return kAddressParts;
    case FieldType::Location:
      return kLocationParts;
    case FieldType::PersonName:
      return kNameParts;
    case FieldType::SwitchableName:
      return kSwitchableParts;
    default:
      return {};
  }
}

std::string_view record_name(FieldType type) {
  switch (type) {
    case FieldType::Address:
      return "Address";
    case FieldType::Location:
      return "Location";
    case FieldType::PersonName:
      return "PersonName";
    default:
      return "Switchable_PersonName";
  }
}

/// `MailingAddress` + `City` -> `MailingCity`; `Name` + `LastName` -> `LastName`; `HQ__c` +
/// `Latitude` -> `HQ__Latitude__s`.
std::string rest_name_of_part(const FieldDef& field, std::string_view part) {
  if (field.type == FieldType::Address) {
    return field.name.substr(0, field.name.size() - std::string_view("Address").size()) +
           std::string(part);
  }
  if (field.type == FieldType::Location) {
    return field.name.substr(0, field.name.size() - 1) + std::string(part) + "__s";
  }
  return std::string(part);
}

constexpr std::string_view kHeaderSchema =
    R"({"name":"ChangeEventHeader","type":{"type":"record","name":"ChangeEventHeader","fields":[)"
    R"({"name":"entityName","type":"string"},{"name":"recordIds","type":{"type":"array","items":"string"}},)"
    R"({"name":"changeType","type":{"type":"enum","name":"ChangeType","symbols":["CREATE","UPDATE","DELETE",)"
    R"("UNDELETE","GAP_CREATE","GAP_UPDATE","GAP_DELETE","GAP_UNDELETE","GAP_OVERFLOW","SNAPSHOT"]}},)"
    R"({"name":"changeOrigin","type":"string"},{"name":"transactionKey","type":"string"},)"
    R"({"name":"sequenceNumber","type":"int"},{"name":"commitTimestamp","type":"long"},)"
    R"({"name":"commitNumber","type":"long"},{"name":"commitUser","type":"string"},)"
    R"({"name":"nulledFields","type":{"type":"array","items":"string"}},)"
    R"({"name":"diffFields","type":{"type":"array","items":"string"}},)"
    R"({"name":"changedFields","type":{"type":"array","items":"string"}}]},"doc":"Data:ComplexValueType"})";

std::string union_of(const FieldDef& field, std::set<std::string_view>& defined) {
  if (!is_compound(field.type)) return fmt::format(R"(["null","{}"])", form(field.type).avro);
  std::string record;
  const auto name = record_name(field.type);
  if (defined.insert(name).second) {
    record = fmt::format(R"({{"type":"record","name":"{}","fields":[)", name);
    for (const auto& part : parts_of(field.type)) {
      if (record.back() != '[') record += ',';
      record += fmt::format(R"({{"name":"{}","type":["null","{}"],"default":null}})",
                            part.name,
                            form(part.type).avro);
    }
    record += "]}";
  } else {
    record = fmt::format(R"("{}")", name);
  }
  const auto* plain = field.type == FieldType::SwitchableName ? R"("string",)" : "";
  return fmt::format(R"(["null",{}{}])", plain, record);
}

/// Source: salesforce.md section 8.
std::string platform_schema_text(const ObjectDef& event) {
  std::string out =
      fmt::format(R"({{"type":"record","name":"{}","namespace":"com.sforce.eventbus","fields":[)",
                  event.event_name);
  for (const auto& event_field : event.event_fields) {
    const auto& field = event.fields[event_field.field];
    if (out.back() != '[') out += ',';
    if (is_set_by_org(field)) {
      const bool by = field.type == FieldType::Reference;
      out += fmt::format(R"({{"name":"{}","type":"{}","doc":"{}"}})",
                         field.name,
                         form(field.type).avro,
                         by ? "CreatedBy:EntityId" : form(field.type).doc);
    } else {
      out += fmt::format(R"({{"name":"{}","type":["null","{}"],"doc":"{}:{}","default":null}})",
                         field.name,
                         form(field.type).avro,
                         form(field.type).doc,
                         field.custom_id);
    }
  }
  return out + "]}";
}

std::string schema_text(const ObjectDef& object) {
  if (object.platform) return platform_schema_text(object);
  std::string out =
      fmt::format(R"({{"type":"record","name":"{}","namespace":"com.sforce.eventbus","fields":[)",
                  object.event_name);
  out += kHeaderSchema;
  std::set<std::string_view> defined;
  for (const auto& event_field : object.event_fields) {
    const auto& field = object.fields[event_field.field];
    out += fmt::format(R"(,{{"name":"{}","type":{},"doc":"{}{}{}","default":null}})",
                       field.name,
                       union_of(field, defined),
                       form(field.type).doc,
                       field.custom_id.empty() ? "" : ":",
                       field.custom_id);
  }
  out += "]}";
  return out;
}

}  // namespace

bool is_set_by_org(const FieldDef& field) {
  return field.name == "CreatedDate" || field.name == "CreatedById";
}

std::optional<FieldType> field_type(std::string_view word) {
  for (const auto& f : kForms) {
    if (f.word == word) return f.type;
  }
  return std::nullopt;
}

bool is_compound(FieldType type) { return !parts_of(type).empty(); }
std::string_view doc_type(FieldType type) { return form(type).doc; }
std::string_view avro_branch(FieldType type) { return form(type).avro; }
std::string_view describe_type(FieldType type) { return form(type).describe; }

std::string fingerprint(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_md5(), nullptr);
  static constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string out;
  unsigned bits = 0;
  unsigned held = 0;
  for (unsigned i = 0; i < size; ++i) {
    bits = bits << 8 | digest[i];
    held += 8;
    while (held >= 6) {
      held -= 6;
      out += kAlphabet[bits >> held & 63];
    }
  }
  if (held > 0) out += kAlphabet[bits << (6 - held) & 63];
  return out;
}

void ObjectDef::add_leaf(Leaf leaf) {
  by_name_.emplace(leaf.rest_name, leaves.size());
  by_name_.emplace(leaf.path, leaves.size());
  leaves.push_back(std::move(leaf));
}

void ObjectDef::derive() {
  const auto base = custom ? name.substr(0, name.size() - 1) : name;
  event_name = platform ? name : base + "ChangeEvent";
  leaves.clear();
  event_fields.clear();
  by_name_.clear();
  joined_name_ = false;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const auto& field = fields[i];
    if (field.gone) {
      leaves.push_back({{}, {}, field.type, i, -1, -1});
      continue;
    }
    const int top = field.in_events ? static_cast<int>(event_fields.size()) + 1 : -1;
    EventField event_field{i, -1, {}};
    if (!is_compound(field.type) || field.type == FieldType::SwitchableName) {
      event_field.plain = static_cast<int>(leaves.size());
      add_leaf({field.name, field.name, field.type, i, top, -1});
    }
    for (const auto& part : parts_of(field.type)) {
      const int child = static_cast<int>(event_field.parts.size());
      event_field.parts.push_back(static_cast<int>(leaves.size()));
      add_leaf({rest_name_of_part(field, part.name),
                field.name + "." + std::string(part.name),
                part.type,
                i,
                top,
                child});
    }
    joined_name_ = joined_name_ || field.type == FieldType::PersonName;
    if (field.in_events) event_fields.push_back(std::move(event_field));
  }
  const auto place = [this](std::string_view wanted) {
    const auto found = find_leaf(wanted);
    return found ? static_cast<int>(*found) : -1;
  };
  system = {place("CreatedDate"),
            place("CreatedById"),
            place("LastModifiedDate"),
            place("LastModifiedById"),
            place("OwnerId"),
            place("RecordTypeId")};
  schema_json = schema_text(*this);
  schema_id = fingerprint(schema_json);
}

std::optional<std::size_t> ObjectDef::find_leaf(std::string_view name_or_path) const {
  const auto found = by_name_.find(std::string(name_or_path));
  if (found == by_name_.end()) return std::nullopt;
  return found->second;
}

std::size_t ObjectDef::leaf(std::string_view name_or_path) const {
  const auto found = find_leaf(name_or_path);
  HEADWATER_ASSERT(found.has_value());
  return *found;
}

Catalog::Catalog(std::string_view table, bool multi_currency) : multi_currency_(multi_currency) {
  read(table);
}

FieldDef Catalog::field(const std::string& line) {
  std::istringstream words(line);
  FieldDef field;
  std::string type, targets;
  words >> field.name >> type >> targets;
  if (field.name.front() == '~') {
    field.in_events = false;
    field.name.erase(0, 1);
  }
  const auto known = field_type(type);
  HEADWATER_ASSERT(known.has_value());
  field.type = *known;
  std::istringstream list(targets);
  for (std::string target; std::getline(list, target, ',');) field.refers_to.push_back(target);
  if (field.name.ends_with("__c")) field.custom_id = fmt::format("00N{:012}", ++custom_fields_);
  return field;
}

void Catalog::read(std::string_view table) {
  std::istringstream lines{std::string(table)};
  const std::size_t first = objects_.size();
  for (std::string line; std::getline(lines, line);) {
    if (line.empty()) continue;
    if (line.front() != ' ') {
      auto object = std::make_unique<ObjectDef>();
      std::istringstream words(line);
      std::string volume;
      words >> object->name >> object->key_prefix >> volume;
      object->platform = object->name.ends_with("__e");
      object->standard_volume = volume == "standard";
      object->custom = object->name.ends_with("__c");
      object->index = objects_.size();
      objects_.push_back(std::move(object));
      continue;
    }
    HEADWATER_ASSERT(objects_.size() > first);
    auto& fields = objects_.back()->fields;
    fields.push_back(field(line));
    // In a multi-currency org every object with an amount tells the currency it is in.
    const bool amount = fields.back().type == FieldType::Currency;
    const bool told = std::any_of(fields.begin(), fields.end(), [](const FieldDef& f) {
      return f.name == "CurrencyIsoCode";
    });
    if (multi_currency_ && amount && !told) {
      fields.push_back({"CurrencyIsoCode", FieldType::Picklist, {}, {}, true});
    }
  }
  for (std::size_t i = first; i < objects_.size(); ++i) derive(*objects_[i]);
}

void Catalog::derive(ObjectDef& object) {
  object.derive();
  schemas_.insert_or_assign(object.schema_id, object.schema_json);
}

void Catalog::add(std::string_view table, const std::function<void()>& then) {
  const std::lock_guard lock(mutex_);
  read(table);
  then();
}

void Catalog::change(std::string_view object,
                     const std::function<void(ObjectDef&)>& change,
                     const std::function<void(const ObjectDef&)>& then) {
  const std::lock_guard lock(mutex_);
  for (auto& known : objects_) {
    if (known->name != object) continue;
    auto before = std::make_shared<ObjectDef>(*known);
    before->before.reset();
    const auto fields = known->fields.size();
    change(*known);
    HEADWATER_ASSERT(known->fields.size() >= fields);
    derive(*known);
    if (known->schema_id != before->schema_id) known->before = std::move(before);
    then(*known);
    return;
  }
  HEADWATER_ASSERT(false);
}

const std::string* Catalog::schema_text(std::string_view schema_id) const {
  const auto found = schemas_.find(schema_id);
  return found == schemas_.end() ? nullptr : &found->second;
}

const ObjectDef* Catalog::find(std::string_view name) const {
  for (const auto& object : objects_) {
    if (object->name == name) return object.get();
  }
  return nullptr;
}

const ObjectDef& Catalog::get(std::string_view name) const {
  const auto* found = find(name);
  HEADWATER_ASSERT(found != nullptr);
  return *found;
}

const ObjectDef* Catalog::find_schema(std::string_view schema_id) const {
  for (const auto& object : objects_) {
    if (object->schema_id == schema_id) return object.get();
  }
  return nullptr;
}

}  // namespace headwater::org
