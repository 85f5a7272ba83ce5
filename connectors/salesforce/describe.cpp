#include "connectors/salesforce/describe.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <set>

#include "schemas/core/json_members.hpp"

namespace headwater::salesforce {
namespace {

namespace json = boost::json;

/// The array of objects under `key`, or what is wrong with the body.
Result<json::array> objects_under(std::string_view body,
                                  std::string_view key,
                                  json::object& whole) {
  boost::system::error_code failed;
  auto value = json::parse(body, failed);
  if (failed || !value.is_object())
    return transient(fmt::format("describe: the answer is not a JSON object; trying again"));
  whole = std::move(value.get_object());
  auto* list = whole.if_contains(key);
  if (!list || !list->is_array() ||
      !std::all_of(list->get_array().begin(), list->get_array().end(), [](const json::value& item) {
        return item.is_object();
      }))
    return transient(fmt::format("describe: the answer has no list of {}; trying again", key));
  return std::move(list->get_array());
}

FieldInfo read_field(const json::object& source) {
  FieldInfo field;
  field.name = text_of(source, "name");
  field.type = text_of(source, "type");
  field.compound = text_of(source, "compoundFieldName");
  if (field.compound == field.name)
    field.compound.clear();  // some objects name a compound its own part
  field.calculated = flag_of(source, "calculated");
  if (const auto* targets = source.if_contains("referenceTo"); targets && targets->is_array())
    for (const auto& target : targets->get_array())
      if (target.is_string()) field.reference_to.emplace_back(target.get_string());
  field.path = field.compound.empty() ? field.name : compound_path(field.name, field.compound);
  return field;
}

/// A user's preferences are one boolean each in REST; events tell them as two arrays with the names
/// of the enabled ones (salesforce.md section 7.10). So no event ever tells the boolean.
bool is_preference(const ObjectDescription& object, const FieldInfo& field) {
  return object.name == "User" && field.type == "boolean" &&
         (field.name.starts_with("UserPreferences") || field.name.starts_with("EmailPreferences"));
}

}  // namespace

std::string compound_path(std::string_view name, std::string_view compound) {
  const auto part = [&]() -> std::string_view {
    constexpr std::string_view kAddress = "Address", kCustom = "__c", kPart = "__s";
    if (compound.ends_with(kCustom)) {
      const auto base = compound.substr(0, compound.size() - kCustom.size());
      const auto head = base.size() + 2;
      if (name.starts_with(base) && name.substr(base.size()).starts_with("__") &&
          name.ends_with(kPart) && name.size() > head + kPart.size())
        return name.substr(head, name.size() - head - kPart.size());
    } else if (compound.ends_with(kAddress)) {
      const auto prefix = compound.substr(0, compound.size() - kAddress.size());
      if (name.starts_with(prefix) && name.size() > prefix.size())
        return name.substr(prefix.size());
    }
    return name;
  }();
  return fmt::format("{}.{}", compound, part);
}

Result<std::vector<ObjectInfo>> read_describe_global(std::string_view body) {
  json::object whole;
  auto list = objects_under(body, "sobjects", whole);
  if (!list) return std::move(list).error();
  std::vector<ObjectInfo> objects;
  objects.reserve(list->size());
  for (const auto& item : *list) {
    const auto& source = item.get_object();
    objects.push_back({text_of(source, "name"),
                       text_of(source, "keyPrefix"),
                       flag_of(source, "queryable"),
                       flag_of(source, "retrieveable")});
  }
  return objects;
}

Result<ObjectDescription> read_describe(std::string_view body) {
  json::object whole;
  auto list = objects_under(body, "fields", whole);
  if (!list) return std::move(list).error();
  ObjectDescription object;
  object.name = text_of(whole, "name");
  object.key_prefix = text_of(whole, "keyPrefix");
  std::set<std::string> compounds;
  for (const auto& item : *list) {
    auto field = read_field(item.get_object());
    if (!field.compound.empty()) compounds.insert(field.compound);
    // Like a formula's: what REST shows of it is brought up to date, and a difference is no loss.
    field.calculated = field.calculated || is_preference(object, field);
    object.fields.push_back(std::move(field));
  }
  // Where person accounts are enabled, Account.Name is plain text for a business and a compound for
  // a person: it stays, and the row decoder looks at IsPersonAccount.
  std::erase_if(object.fields, [&](const FieldInfo& field) {
    if (field.type == "address" || field.type == "location") return true;
    return compounds.contains(field.name) && object.name != "Account";
  });
  return object;
}

bool never_in_events(const FieldInfo& field) {
  static constexpr std::array<std::string_view, 8> kNames = {"Id",
                                                             "IsDeleted",
                                                             "MasterRecordId",
                                                             "SystemModstamp",
                                                             "LastActivityDate",
                                                             "LastViewedDate",
                                                             "LastReferencedDate",
                                                             "PhotoUrl"};
  return field.type == "base64" ||
         std::find(kNames.begin(), kNames.end(), field.name) != kNames.end();
}

std::vector<std::string> fetch_fields(const ObjectDescription& object) {
  std::vector<std::string> names{"Id", "SystemModstamp"};
  for (const auto& field : object.fields)
    if (!never_in_events(field)) names.push_back(field.name);
  return names;
}

}  // namespace headwater::salesforce
