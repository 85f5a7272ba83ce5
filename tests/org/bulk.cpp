#include "tests/org/bulk.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <cmath>

#include "tests/org/text.hpp"

namespace headwater::org {
namespace {

/// `1.64329406E8`, `1500000.5`, `12.0`: Java's Double.toString.
std::string java_double(double value) {
  const double size = std::abs(value);
  if (size != 0 && (size >= 1e7 || size < 1e-3)) {
    auto text = fmt::format("{:e}", value);
    char digits[32];
    // Shortest digits that read back as the same number.
    const auto end =
        std::to_chars(digits, digits + sizeof digits, value, std::chars_format::scientific);
    text.assign(digits, end.ptr);
    const auto e = text.find('e');
    auto mantissa = text.substr(0, e);
    if (mantissa.find('.') == std::string::npos) mantissa += ".0";
    return fmt::format("{}E{}", mantissa, std::stoi(text.substr(e + 1)));
  }
  auto text = fmt::format("{}", value);
  if (text.find('.') == std::string::npos) text += ".0";
  return text;
}

std::string parameter(const boost::json::object& body, std::string_view key) {
  const auto* value = body.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

std::size_t number(const std::string& text, std::size_t otherwise) {
  std::size_t out = otherwise;
  std::from_chars(text.data(), text.data() + text.size(), out);
  return out;
}

}  // namespace

void append_csv_cell(std::string& out, FieldType type, const Value& value) {
  out += '"';
  std::string text;
  if (std::holds_alternative<std::string>(value)) {
    text = std::get<std::string>(value);
  } else if (std::holds_alternative<double>(value)) {
    text = java_double(std::get<double>(value));
  } else if (!is_null(value)) {
    append_rest_value(text, type, value);
    std::erase(text, '"');
    if (text.ends_with("+0000")) text.replace(text.size() - 5, 5, "Z");
  }
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  out += '"';
}

HttpResponse BulkJobs::handle(const HttpRequest& request,
                              const std::string& version,
                              const std::string& rest) {
  if (rest.empty()) {
    if (request.method == "POST") return create(request, version);
    return rest_refusal(405, "METHOD_NOT_ALLOWED", "HTTP Method not allowed. Allowed are POST");
  }
  const auto slash = rest.find('/', 1);
  const std::lock_guard lock(mutex_);
  const auto found = jobs_.find(rest.substr(1, slash == std::string::npos ? slash : slash - 1));
  if (found == jobs_.end())
    return rest_refusal(404, "NOT_FOUND", "The requested resource does not exist");
  auto& job = found->second;
  if (slash != std::string::npos) return results(request, version, job);
  const bool running = job.state == "UploadComplete" || job.state == "InProgress";
  if (request.method == "PATCH") {
    if (!running) return rest_refusal(400, "INVALIDJOBSTATE", "Aborting a job that is over");
    job.state = "Aborted";
  } else if (request.method == "DELETE") {
    if (running) return rest_refusal(400, "INVALIDJOBSTATE", "Deleting a job that runs");
    jobs_.erase(found);
    return {204, ""};
  } else if (running) {
    job.state = job.polls-- > 0 ? "InProgress" : job.end;
    if (job.state == "Failed")
      job.error = "InternalServerError : Error encountered when executing the query";
  }
  return {200, info(job)};
}

HttpResponse BulkJobs::create(const HttpRequest& request, const std::string& version) {
  boost::system::error_code fault;
  const auto body = boost::json::parse(request.body, fault);
  if (fault || !body.is_object())
    return rest_refusal(400, "JSON_PARSER_ERROR", "expected an object");
  Job job;
  job.version = version;
  job.operation = parameter(body.get_object(), "operation");
  job.query = parameter(body.get_object(), "query");
  if (job.operation != "query" && job.operation != "queryAll")
    return rest_refusal(400, "INVALIDOPERATION", "operation must be query or queryAll");
  const auto query = parse_query(store_.catalog(), job.query);
  if (!query) return rest_refusal(query.error());
  if (faults_.withdrawn(query->object->name))
    return rest_refusal(no_such_object(query->object->name));
  const bool compound =
      std::any_of(query->fields.begin(), query->fields.end(), [](const RestField& field) {
        return field.kind == RestField::Kind::Compound;
      });
  if (query->count || compound)
    return rest_refusal(
        400, "API_ERROR", "Aggregates and compound data are not supported in Bulk Query");
  job.object = query->object->name;
  for (const auto& field : query->fields) {
    job.header += job.header.empty() ? "" : ",";
    job.header += '"' + field.name + '"';
  }
  job.header += '\n';
  if (!faults_.records_hidden(job.object)) {
    Value made;
    select(store_, *query, job.operation == "queryAll", [&](const Record& record) {
      auto& row = job.rows.emplace_back();
      for (const auto& field : query->fields) {
        if (!row.empty()) row += ',';
        append_csv_cell(row, field.type, rest_field_value(*query->object, record, field, made));
      }
      row += '\n';
    });
  }
  job.polls = faults_.bulk_polls;
  if (Faults::take(faults_.bulk_failed)) job.end = "Failed";
  if (Faults::take(faults_.bulk_aborted)) job.end = "Aborted";
  job.id = fmt::format("7505f0{:09}AAA", ++created_);
  const std::lock_guard lock(mutex_);
  const auto made = jobs_.emplace(job.id, std::move(job)).first;
  return {200, info(made->second)};
}

std::string BulkJobs::info(const Job& job) const {
  boost::json::object out{{"id", job.id},
                          {"operation", job.operation},
                          {"object", job.object},
                          {"createdById", Store::integration_user()},
                          {"state", job.state},
                          {"concurrencyMode", "Parallel"},
                          {"contentType", "CSV"},
                          {"apiVersion", std::stod(job.version.substr(1))},
                          {"jobType", "V2Query"},
                          {"lineEnding", "LF"},
                          {"columnDelimiter", "COMMA"},
                          {"retries", 0},
                          {"totalProcessingTime", 12},
                          {"isPkChunkingSupported", true}};
  out["numberRecordsProcessed"] = job.state == "JobComplete" ? job.rows.size() : 0;
  if (!job.error.empty()) out["errorMessage"] = job.error;
  return boost::json::serialize(out);
}

HttpResponse BulkJobs::results(const HttpRequest& request,
                               const std::string& version,
                               const Job& job) {
  if (job.version != version)
    return rest_refusal(409, "INVALIDJOBSTATE", "Results are read with the job's own API version");
  if (job.state != "JobComplete")
    return rest_refusal(400, "INVALIDJOBSTATE", "Results of a job that is not complete");
  if (Faults::take(faults_.pages_failed))
    return rest_refusal(503, "SERVER_UNAVAILABLE", "The service is not available.");
  const auto batch = std::max<std::size_t>(number(request.param("maxRecords"), 50'000), 1);
  const auto locator = request.param("locator");
  auto from = locator.empty() ? 0 : number(locator.substr(1), job.rows.size() + 1);
  if (from > job.rows.size() || (!locator.empty() && locator.front() != 'L'))
    return rest_refusal(400, "INVALID_LOCATOR", "the locator is not one of this job");
  auto to = std::min(job.rows.size(), from + batch);
  HttpResponse out{200, job.header, "text/csv"};
  out.headers["Sforce-Locator"] = to < job.rows.size() ? fmt::format("L{}", to) : "null";
  out.headers["Sforce-NumberOfRecords"] = std::to_string(to - from);
  if (from >= batch && Faults::take(faults_.pages_repeated)) {
    to = from;
    from -= batch;
    out.headers["Sforce-NumberOfRecords"] = std::to_string(to - from);
  }
  if (to > from && Faults::take(faults_.pages_short)) --to;
  for (auto i = from; i < to; ++i) out.body += job.rows[i];
  if (Faults::take(faults_.pages_cut)) out.body.resize(out.body.size() - out.body.size() / 3);
  return out;
}

}  // namespace headwater::org
