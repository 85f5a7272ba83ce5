#include <fmt/format.h>

#include <array>
#include <boost/json.hpp>

#include "tests/org/rest.hpp"

namespace headwater::org {

/// What the standard channel carries; there is no other. Only this one query of the setup.
HttpResponse Rest::tooling_query(const HttpRequest& request) {
  constexpr std::string_view kAsked =
      "SELECT SelectedEntity FROM PlatformEventChannelMember WHERE EventChannel = '";
  const auto soql = request.param("q");
  if (!soql.starts_with(kAsked) || !soql.ends_with('\''))
    return rest_refusal(400, "MALFORMED_QUERY", "only PlatformEventChannelMember can be asked");
  boost::json::array members;
  if (soql.substr(kAsked.size()) == "ChangeEvents'") {
    for (const auto& object : store_.catalog().objects()) {
      if (!object->captured) continue;
      members.push_back(
          boost::json::object{{"attributes", {{"type", "PlatformEventChannelMember"}}},
                              {"SelectedEntity", object->event_name}});
    }
  }
  return {
      200,
      boost::json::serialize(boost::json::object{{"size", members.size()},
                                                 {"totalSize", members.size()},
                                                 {"done", true},
                                                 {"queryLocator", nullptr},
                                                 {"entityTypeName", "PlatformEventChannelMember"},
                                                 {"records", std::move(members)}})};
}

HttpResponse Rest::describe_global(const std::string& version) {
  boost::json::array objects;
  for (const auto& object : store_.catalog().objects()) {
    if (faults_.withdrawn(object->name)) continue;
    const auto url = fmt::format("{}/{}/sobjects/{}", kRoot, version, object->name);
    objects.push_back(
        boost::json::object{{"name", object->name},
                            {"label", object->name},
                            {"keyPrefix", object->key_prefix},
                            {"custom", object->custom},
                            {"queryable", true},
                            {"retrieveable", true},
                            {"replicateable", true},
                            {"urls", {{"sobject", url}, {"describe", url + "/describe"}}}});
    // Of what can be captured, whether it is selected or not.
    objects.push_back(boost::json::object{{"name", object->event_name},
                                          {"label", "Change Event: " + object->name},
                                          {"keyPrefix", nullptr},
                                          {"custom", object->custom},
                                          {"associateEntityType", "ChangeEvent"},
                                          {"associateParentEntity", object->name},
                                          {"queryable", false},
                                          {"retrieveable", true},
                                          {"replicateable", false}});
  }
  // Objects that lookups point to without being held here: clients need their prefixes.
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kOthers{
      {{"Group", "00G"},
       {"Profile", "00e"},
       {"UserRole", "00E"},
       {"RecordType", "012"},
       {"Campaign", "701"},
       {"Pricebook2", "01s"}}};
  for (const auto& [name, prefix] : kOthers) {
    objects.push_back(boost::json::object{{"name", name},
                                          {"label", name},
                                          {"keyPrefix", prefix},
                                          {"custom", false},
                                          {"queryable", name == "RecordType"},
                                          {"retrieveable", false},
                                          {"replicateable", false}});
  }
  return {200,
          boost::json::serialize(boost::json::object{
              {"encoding", "UTF-8"}, {"maxBatchSize", 200}, {"sobjects", objects}})};
}

boost::json::array Rest::record_types(const ObjectDef& object) const {
  const auto& type = types_.store().catalog().get("RecordType");
  const auto text_of = [&](const Record& record, std::string_view field) {
    return std::get<std::string>(record.values[type.leaf(field)]);
  };
  boost::json::array out;
  const auto add = [&out](std::string_view id, std::string_view name, bool master) {
    out.push_back(boost::json::object{{"active", true},
                                      {"available", true},
                                      {"defaultRecordTypeMapping", false},
                                      {"developerName", name},
                                      {"master", master},
                                      {"name", name},
                                      {"recordTypeId", id}});
  };
  types_.store().each(type, false, [&](const Record& record) {
    if (text_of(record, "SobjectType") == object.name)
      add(record.id, text_of(record, "DeveloperName"), false);
  });
  add("012000000000000AAA", "Master", true);
  return out;
}

HttpResponse Rest::describe(const ObjectDef& object) {
  boost::json::array fields;
  const auto add = [&](std::string_view name, FieldType type, const FieldDef* owner, bool part) {
    boost::json::array targets;
    if (owner != nullptr && type == FieldType::Reference) {
      for (const auto& target : owner->refers_to) targets.push_back(boost::json::value(target));
    }
    const bool in_compound = owner != nullptr && is_compound(owner->type);
    const bool own_compound = in_compound && !part && describe_type(type) != "string";
    boost::json::object field{{"name", name},
                              {"label", name},
                              {"type", name == "Id" ? "id" : describe_type(type)},
                              {"nillable", name != "Id" && type != FieldType::Boolean},
                              {"calculated", owner != nullptr && owner->calculated},
                              {"custom", owner != nullptr && !owner->custom_id.empty()},
                              {"encrypted", false},
                              {"externalId", false},
                              {"referenceTo", targets},
                              {"relationshipName", nullptr},
                              {"compoundFieldName", nullptr},
                              {"extraTypeInfo", nullptr}};
    if (in_compound && !own_compound) field["compoundFieldName"] = owner->name;
    if (!part && type == FieldType::PersonName) field["extraTypeInfo"] = "personname";
    if (!part && type == FieldType::SwitchableName) field["extraTypeInfo"] = "switchablepersonname";
    fields.push_back(std::move(field));
  };
  add("Id", FieldType::Reference, nullptr, false);
  for (std::size_t i = 0; i < object.fields.size(); ++i) {
    const auto& field = object.fields[i];
    if (field.gone || field.hidden) continue;
    add(field.name, field.type, &field, false);
    for (const auto& leaf : object.leaves) {
      if (leaf.field == i && leaf.child >= 0) add(leaf.rest_name, leaf.type, &field, true);
    }
  }
  return {200,
          boost::json::serialize(boost::json::object{{"name", object.name},
                                                     {"label", object.name},
                                                     {"keyPrefix", object.key_prefix},
                                                     {"custom", object.custom},
                                                     {"queryable", true},
                                                     {"retrieveable", true},
                                                     {"replicateable", true},
                                                     {"fields", fields},
                                                     {"recordTypeInfos", record_types(object)}})};
}

}  // namespace headwater::org
