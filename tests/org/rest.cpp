#include "tests/org/rest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <charconv>
#include <sstream>

#include "schemas/core/ids.hpp"
#include "schemas/core/json_text.hpp"
#include "tests/org/text.hpp"

namespace headwater::org {

HttpResponse rest_refusal(int status, std::string_view code, std::string_view message) {
  boost::json::array body;
  body.push_back(boost::json::object{{"message", message}, {"errorCode", code}});
  return {status, boost::json::serialize(body)};
}

HttpResponse rest_refusal(const Error& error) {
  return rest_refusal(400, error.code, error.message);
}

namespace {

constexpr std::size_t kBatchMin = 200;
constexpr std::size_t kBatchMax = 2'000;
constexpr std::size_t kCollectionMax = 2'000;
constexpr std::size_t kResultsKept = 32;
constexpr std::array kVersions{64, 65, 66, 67};

std::vector<std::string> split(std::string_view text, char by) {
  std::vector<std::string> out;
  std::istringstream stream{std::string(text)};
  for (std::string item; std::getline(stream, item, by);) out.push_back(std::move(item));
  return out;
}

/// `street` from `BillingAddress.Street`, as REST spells the parts of a compound.
std::string part_key(std::string_view path) {
  std::string key(path.substr(path.rfind('.') + 1));
  key.front() = static_cast<char>(std::tolower(static_cast<unsigned char>(key.front())));
  return key;
}

void append_compound(std::string& out,
                     const ObjectDef& object,
                     const Record& record,
                     std::size_t field) {
  std::string body;
  bool any = false;
  for (std::size_t i = 0; i < object.leaves.size(); ++i) {
    if (object.leaves[i].field != field) continue;
    any = any || !is_null(record.values[i]);
    body += body.empty() ? '{' : ',';
    append_json_string(body, part_key(object.leaves[i].path));
    body += ':';
    append_rest_value(body, object.leaves[i].type, record.values[i]);
  }
  out += any ? body + "}" : "null";
}

}  // namespace

void append_record(std::string& out,
                   const std::string& version,
                   const ObjectDef& object,
                   const Record& record,
                   const std::vector<RestField>& fields,
                   bool misprinted) {
  out += fmt::format(R"({{"attributes":{{"type":"{0}","url":"{1}/{2}/sobjects/{0}/{3}"}})",
                     object.name,
                     kRoot,
                     version,
                     record.id);
  Value made;
  for (const auto& field : fields) {
    out += ',';
    append_json_string(out, field.name);
    out += ':';
    if (field.kind == RestField::Kind::Compound) {
      append_compound(out, object, record, field.field);
    } else if (misprinted && field.type == FieldType::Date) {
      out += R"("some day")";
    } else {
      append_rest_value(out, field.type, rest_field_value(object, record, field, made));
    }
  }
  out += '}';
}

Rest::Rest(Store& store, RecordTypes& types, Oauth& oauth, Faults& faults)
    : store_(store), types_(types), oauth_(oauth), faults_(faults), bulk_(store, faults) {}

HttpResponse Rest::handle(const HttpRequest& request) {
  const auto path = std::string_view(request.path).substr(kRoot.size());
  if (path.empty() || path == "/") {
    boost::json::array body;
    for (const int version : kVersions) {
      body.push_back(boost::json::object{{"label", fmt::format("Version {}", version)},
                                         {"url", fmt::format("{}/v{}.0", kRoot, version)},
                                         {"version", fmt::format("{}.0", version)}});
    }
    return {200, boost::json::serialize(body)};
  }
  ++calls_;
  if (Faults::take(faults_.rest_failures)) {
    const int status = faults_.rest_failure_status;
    return status == 403
               ? rest_refusal(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
               : rest_refusal(status, "SERVER_UNAVAILABLE", "The service is not available.");
  }
  const auto header = request.header("authorization");
  const std::string_view token =
      header.starts_with("Bearer ") ? std::string_view(header).substr(7) : "";
  if (!oauth_.valid(token)) {
    return rest_refusal(401, "INVALID_SESSION_ID", "Session expired or invalid");
  }
  const auto slash = path.find('/', 1);
  const std::string version(path.substr(1, slash == std::string_view::npos ? slash : slash - 1));
  int major = 0;
  if (version.starts_with('v')) {
    std::from_chars(version.data() + 1, version.data() + version.size(), major);
  }
  const auto used = ++faults_.api_used;
  if (used > faults_.api_max)
    return rest_refusal(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.");
  const auto held = store_.catalog().hold();
  auto response = major < 20 || major > kVersions.back() || slash == std::string_view::npos
                      ? rest_refusal(404, "NOT_FOUND", "The requested resource does not exist")
                      : route(request, version, std::string(path.substr(slash + 1)));
  response.headers["Sforce-Limit-Info"] =
      fmt::format("api-usage={}/{}", used, faults_.api_max.load());
  return response;
}

HttpResponse Rest::route(const HttpRequest& request,
                         const std::string& version,
                         const std::string& rest) {
  if (rest == "limits") return limits();
  if (rest == "jobs/query" || rest.starts_with("jobs/query/"))
    return bulk_.handle(request, version, rest.substr(std::string_view("jobs/query").size()));
  if (rest == "query" || rest == "queryAll") return query(request, version, rest == "queryAll");
  if (rest == "tooling/query") return tooling_query(request);
  if (rest.starts_with("query/")) return page(version, rest.substr(6));
  if (rest.starts_with("queryAll/")) return page(version, rest.substr(9));
  if (rest == "sobjects" || rest == "sobjects/") return describe_global(version);
  if (rest.starts_with("sobjects/")) return sobjects(request, version, rest.substr(9));
  const std::string_view kCollection = "composite/sobjects/";
  if (rest.starts_with(kCollection)) {
    const auto* object = readable(rest.substr(kCollection.size()));
    if (object != nullptr) return collection(request, version, *object);
  }
  return rest_refusal(404, "NOT_FOUND", "The requested resource does not exist");
}

HttpResponse Rest::sobjects(const HttpRequest& request,
                            const std::string& version,
                            const std::string& rest) {
  const auto parts = split(rest, '/');
  const auto* object = readable(parts.front());
  if (object == nullptr)
    return rest_refusal(404, "NOT_FOUND", "The requested resource does not exist");
  if (parts.size() == 2 && parts[1] == "describe") return describe(*object);
  if (parts.size() == 2 && parts[1] == "deleted") return deletions(request, *object);
  if (parts.size() == 2) return row(request, version, *object, parts[1]);
  return rest_refusal(404, "NOT_FOUND", "The requested resource does not exist");
}

HttpResponse Rest::collection(const HttpRequest& request,
                              const std::string& version,
                              const ObjectDef& object) {
  std::vector<std::string> ids;
  std::vector<std::string> names;
  if (request.method == "GET") {
    ids = split(request.param("ids"), ',');
    names = split(request.param("fields"), ',');
  } else {
    boost::system::error_code fault;
    const auto body = boost::json::parse(request.body, fault);
    const auto* wanted = fault || !body.is_object() ? nullptr : &body.get_object();
    const auto take = [wanted](std::string_view key, std::vector<std::string>& out) {
      const auto* list = wanted == nullptr ? nullptr : wanted->if_contains(key);
      if (list == nullptr || !list->is_array()) return false;
      for (const auto& item : list->get_array()) {
        if (!item.is_string()) return false;
        out.emplace_back(item.get_string());
      }
      return true;
    };
    if (!take("ids", ids) || !take("fields", names)) {
      return rest_refusal(
          400, "JSON_PARSER_ERROR", "expected an object with the lists ids and fields");
    }
  }
  if (ids.size() > kCollectionMax) {
    return rest_refusal(400, "EXCEEDED_ID_LIMIT", fmt::format("at most {} ids", kCollectionMax));
  }
  std::vector<RestField> fields;
  for (const auto& name : names) {
    auto field = find_rest_field(object, name);
    if (!field) {
      return rest_refusal(400,
                          "INVALID_FIELD",
                          fmt::format("No such column '{}' on entity '{}'.", name, object.name));
    }
    fields.push_back(std::move(*field));
  }
  std::string out = "[";
  for (const auto& id : ids) {
    const auto parsed = RecordId::parse(id);
    if (!parsed) return rest_refusal(400, "MALFORMED_ID", "malformed id " + id);
    if (out.size() > 1) out += ',';
    const auto size = out.size();
    store_.with(object, parsed->view(), [&](const Record& record) {
      if (!record.deleted && !faults_.records_hidden(object.name))
        append_record(out, version, object, record, fields, faults_.misprinted(record.id));
    });
    if (out.size() == size) out += "null";
  }
  return {200, out + "]"};
}

HttpResponse Rest::row(const HttpRequest& request,
                       const std::string& version,
                       const ObjectDef& object,
                       const std::string& id) {
  std::vector<RestField> fields;
  auto names = split(request.param("fields"), ',');
  if (names.empty()) {
    names.emplace_back("Id");
    for (const auto& leaf : object.leaves) {
      if (!leaf.rest_name.empty() && !object.fields[leaf.field].hidden)
        names.push_back(leaf.rest_name);
    }
  }
  for (const auto& name : names) {
    auto field = find_rest_field(object, name);
    if (!field)
      return rest_refusal(400, "INVALID_FIELD", fmt::format("No such column '{}'.", name));
    fields.push_back(std::move(*field));
  }
  const auto parsed = RecordId::parse(id);
  std::string out;
  if (parsed) {
    store_.with(object, parsed->view(), [&](const Record& record) {
      if (!record.deleted && !faults_.records_hidden(object.name))
        append_record(out, version, object, record, fields, faults_.misprinted(record.id));
    });
  }
  if (out.empty()) return rest_refusal(404, "NOT_FOUND", "The requested resource does not exist");
  return {200, out};
}

HttpResponse Rest::query(const HttpRequest& request, const std::string& version, bool all) {
  const Store* store = &store_;
  auto parsed = parse_query(store->catalog(), request.param("q"));
  if (!parsed && parsed.error().code == "INVALID_TYPE") {
    if (auto setup = parse_query(types_.store().catalog(), request.param("q"))) {
      parsed = std::move(setup);
      store = &types_.store();
    }
  }
  if (!parsed) return rest_refusal(parsed.error());
  if (faults_.withdrawn(parsed->object->name))
    return rest_refusal(no_such_object(parsed->object->name));
  const auto each = [&](const std::function<void(const Record&)>& visit) {
    if (!faults_.records_hidden(parsed->object->name)) select(*store, *parsed, all, visit);
  };
  if (parsed->count) {
    std::size_t count = 0;
    each([&](const Record&) { ++count; });
    return {200, fmt::format(R"({{"totalSize":{},"done":true,"records":[]}})", count)};
  }
  ResultSet result{{}, kBatchMax};
  const auto options = request.header("sforce-query-options");
  if (const auto at = options.find("batchSize="); at != std::string::npos) {
    std::from_chars(options.data() + at + 10, options.data() + options.size(), result.batch);
    result.batch = std::clamp(result.batch, kBatchMin, kBatchMax);
  }
  each([&](const Record& record) {
    append_record(result.rows.emplace_back(),
                  version,
                  *parsed->object,
                  record,
                  parsed->fields,
                  faults_.misprinted(record.id));
  });
  std::string locator;
  {
    const std::lock_guard lock(mutex_);
    locator = fmt::format("01g5f0{:09}AAA", next_locator_++);
    results_.emplace(locator, std::move(result));
  }
  return render_page(version, locator, 0);
}

HttpResponse Rest::page(const std::string& version, const std::string& locator) {
  const auto dash = locator.rfind('-');
  std::size_t from = 0;
  if (dash != std::string::npos) {
    std::from_chars(locator.data() + dash + 1, locator.data() + locator.size(), from);
  }
  return render_page(version, locator.substr(0, dash), from);
}

HttpResponse Rest::render_page(const std::string& version,
                               const std::string& locator,
                               std::size_t from) {
  const std::lock_guard lock(mutex_);
  const auto found = results_.find(locator);
  if (found == results_.end() || from > found->second.rows.size()) {
    return rest_refusal(400, "INVALID_QUERY_LOCATOR", "invalid query locator");
  }
  if (Faults::take(faults_.pages_failed)) {
    return rest_refusal(503, "SERVER_UNAVAILABLE", "The service is not available.");
  }
  const auto& rows = found->second.rows;
  const auto batch = found->second.batch;
  const auto to = std::min(rows.size(), from + batch);
  std::string out = fmt::format(R"({{"totalSize":{},"done":{},)", rows.size(), to == rows.size());
  if (to < rows.size()) {
    out += fmt::format(R"("nextRecordsUrl":"{}/{}/query/{}-{}",)", kRoot, version, locator, to);
  }
  const bool again = from >= batch && Faults::take(faults_.pages_repeated);
  auto first = from - (again ? batch : 0), last = again ? from : to;
  if (last > first && Faults::take(faults_.pages_short)) --last;
  out += fmt::format(R"("records":[{}]}})",
                     fmt::join(rows.begin() + static_cast<std::ptrdiff_t>(first),
                               rows.begin() + static_cast<std::ptrdiff_t>(last),
                               ","));
  if (Faults::take(faults_.pages_cut)) out.resize(out.size() / 2);
  // A page may be asked for again as long as its query is among the last ones.
  if (to == rows.size() && from == 0) results_.erase(found);
  if (results_.size() > kResultsKept) results_.erase(results_.begin());
  return {200, out};
}

HttpResponse Rest::limits() {
  const auto allowance = [](std::int64_t max, std::int64_t used) {
    return boost::json::object{{"Max", max}, {"Remaining", std::max<std::int64_t>(max - used, 0)}};
  };
  const auto jobs = static_cast<std::int64_t>(bulk_.created());
  return {200,
          boost::json::serialize(boost::json::object{
              {"DailyApiRequests", allowance(faults_.api_max, faults_.api_used)},
              {"DailyBulkV2QueryJobs", allowance(10'000, jobs)},
              {"DailyBulkV2QueryFileStorageMB", allowance(976'562, 0)},
              {"DailyDeliveredPlatformEvents", allowance(50'000, 0)}})};
}

const ObjectDef* Rest::readable(const std::string& object) const {
  return faults_.withdrawn(object) ? nullptr : store_.catalog().find(object);
}

}  // namespace headwater::org
