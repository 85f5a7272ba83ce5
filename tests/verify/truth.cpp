#include "tests/verify/truth.hpp"

#include <fmt/format.h>
#include <httplib.h>

#include <boost/json.hpp>
#include <memory>

#include "config/mapping_file.hpp"
#include "connectors/salesforce/org.hpp"
#include "connectors/salesforce/row.hpp"
#include "schemas/crm/projector.hpp"
#include "schemas/model/render.hpp"

namespace headwater::verify {
namespace {

namespace json = boost::json;

/// Projects the rows of one object.
struct ObjectReader {
  salesforce::ObjectDescription description;
  NameTable names;
  std::unique_ptr<salesforce::RowDecoder> decoder;
  std::unique_ptr<crm::Projector> projector;
};

struct Reader {
  const salesforce::OrgConfig& org;
  std::unique_ptr<salesforce::OrgApi> api;
  std::shared_ptr<const crm::Mapping> mapping;
  std::shared_ptr<crm::OrgFacts> facts = std::make_shared<crm::OrgFacts>();
  std::map<std::string, std::unique_ptr<ObjectReader>> objects = {};

  Result<ObjectReader*> reader_of(const std::string& object) {
    auto& reader = objects[object];
    if (reader) return reader.get();
    auto described = api->describe(object);
    if (!described) return described.error();
    reader = std::make_unique<ObjectReader>();
    reader->description = std::move(described).value();
    reader->decoder = std::make_unique<salesforce::RowDecoder>(reader->description);
    reader->projector = std::make_unique<crm::Projector>(mapping, facts, object, reader->names);
    return reader.get();
  }

  Result<void> add(const std::string& object, const std::string& record, Truth& truth) {
    auto reader = reader_of(object);
    if (!reader) return reader.error();
    salesforce::RecordRow row;
    if (auto read = (*reader)->decoder->decode(record, row); !read) return read.error();
    crm::RawSlots slots;
    NameTable& names = (*reader)->names;
    for (const auto& field : row.fields) {
      const NameId id = names.intern(field.path);
      if (slots.size() <= id) slots.resize(id + 1, ValueView{Tag::Absent, 0, 0, {}});
      slots[id] = field.value;
    }
    slots.resize(std::max(slots.size(), names.size()), ValueView{Tag::Absent, 0, 0, {}});
    crm::Projection projection;
    (*reader)->projector->project(slots, crm::StateFacts{row.id.view(), 0, 0}, projection);
    Expected expected;
    expected.entity = (*reader)->projector->entity();
    std::string text;
    append_hash_input(text, projection.bu, projection.image(names));
    expected.sections =
        text.substr(text.find("\"fields\":"), text.size() - text.find("\"fields\":") - 1);
    truth[RecordKey{org.name, object, row.id}.str()] = std::move(expected);
    return {};
  }
};

}  // namespace

Result<std::string> http_get(const std::string& base_url, const std::string& path) {
  httplib::Client client(base_url);
  client.set_read_timeout(120);
  client.set_tcp_nodelay(true);
  const auto answer = client.Get(path);
  if (!answer)
    return transient(
        fmt::format("GET {}{}: {}", base_url, path, httplib::to_string(answer.error())));
  if (answer->status != 200)
    return transient(
        fmt::format("GET {}{}: status {}: {}", base_url, path, answer->status, answer->body));
  return answer->body;
}

Result<Truth> read_truth(const salesforce::OrgConfig& org,
                         const std::string& control_url,
                         const Clock& clock) {
  auto counts = std::make_shared<salesforce::OrgMetrics>();
  auto tokens = std::make_shared<salesforce::TokenSource>(org, counts, clock);
  config::Problems problems;
  Reader reader{
      org, salesforce::make_org_client(org, tokens, counts), config::load_mapping({}, problems)};
  if (!problems.empty()) return fatal(problems.str());
  auto listed = reader.api->describe_global();
  if (!listed) return listed.error();
  reader.facts->name = org.name;
  reader.facts->currency = org.currency;
  reader.facts->region = org.region;
  for (const auto& object : *listed) {
    if (!object.key_prefix.empty()) reader.facts->object_by_prefix[object.key_prefix] = object.name;
  }
  auto body = http_get(control_url, "/truth");
  if (!body) return body.error();
  Truth truth;
  for (std::size_t at = 0; at < body->size();) {
    const auto end = std::min(body->find('\n', at), body->size());
    const std::string line = body->substr(at, end - at);
    at = end + 1;
    if (line.empty()) continue;
    // {"object":"Account","id":"001…","fields":{…}}: the fields are handed on as they stand, for
    // their numbers' sake.
    const auto fields = line.find("\"fields\":");
    if (fields == std::string::npos) continue;
    const auto head = json::parse(line.substr(0, fields) + "\"fields\":{}}");
    const std::string record = line.substr(fields + 9, line.size() - fields - 10);
    if (auto added = reader.add(std::string(head.at("object").as_string()), record, truth); !added)
      return added.error();
  }
  return truth;
}

std::string_view sections_of(std::string_view document) {
  const auto from = document.find("\"fields\":");
  const auto to = document.rfind(",\"meta\":");
  if (from == std::string_view::npos || to == std::string_view::npos || to < from) return {};
  return document.substr(from, to - from);
}

bool same_sections(std::string_view expected, std::string_view found, std::string* difference) {
  if (expected == found) return true;
  boost::system::error_code broken;
  const auto want = json::parse("{" + std::string(expected) + "}", broken);
  const auto have = broken ? json::value() : json::parse("{" + std::string(found) + "}", broken);
  if (broken || !have.is_object()) {
    *difference = "not a canonical record";
    return false;
  }
  for (const auto& [section, members] : want.as_object()) {
    const auto& other = have.at(section).as_object();
    for (const auto& [name, value] : members.as_object()) {
      const auto* there = other.if_contains(name);
      if (there != nullptr && *there == value) continue;
      if (there != nullptr && name == "updated_at" && there->is_string() && value.is_string() &&
          there->as_string() > value.as_string()) {
        continue;
      }
      *difference = fmt::format("{}.{}: the org says {}, found {}",
                                std::string(section),
                                std::string(name),
                                json::serialize(value),
                                there == nullptr ? "nothing" : json::serialize(*there));
      return false;
    }
    for (const auto& [name, value] : other) {
      // The value that a later `updated_at` is not: kept in raw, because it is shown nowhere else.
      if (members.as_object().contains(name) || (section == "raw" && name == "LastModifiedDate"))
        continue;
      *difference = fmt::format("{}.{}: the org has no such member, found {}",
                                std::string(section),
                                std::string(name),
                                json::serialize(value));
      return false;
    }
  }
  return true;
}

}  // namespace headwater::verify
