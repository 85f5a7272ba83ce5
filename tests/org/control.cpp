#include "tests/org/control.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <chrono>
#include <optional>

#include "schemas/core/ids.hpp"
#include "schemas/core/json_text.hpp"
#include "tests/org/deployment.hpp"
#include "tests/org/emit.hpp"
#include "tests/org/org.hpp"
#include "tests/org/text.hpp"

namespace headwater::org {
namespace {

using boost::json::object;

HttpResponse refuse(std::string_view message) {
  return {400, boost::json::serialize(object{{"error", message}})};
}
HttpResponse ok() { return {200, "{}"}; }

template <typename T>
T number(const object& body, std::string_view key, T otherwise) {
  const auto* value = body.if_contains(key);
  boost::system::error_code fault;
  if (value == nullptr) return otherwise;
  const auto read = value->to_number<T>(fault);
  return fault ? otherwise : read;
}

std::string text(const object& body, std::string_view key, std::string_view otherwise = "") {
  const auto* value = body.if_contains(key);
  return std::string(value != nullptr && value->is_string() ? std::string_view(value->get_string())
                                                            : otherwise);
}

bool flag(const object& body, std::string_view key, bool otherwise) {
  const auto* value = body.if_contains(key);
  return value != nullptr && value->is_bool() ? value->get_bool() : otherwise;
}

HttpResponse load(Org& org, const object& body) {
  org.load(number<std::size_t>(body, "transactions", 100), number<double>(body, "rate", 0));
  return {200, boost::json::serialize(object{{"published", org.bus().published()}})};
}

/// Names of objects, in the place of the usual ones. False: something else.
bool take_objects(const object& body, std::vector<std::string>& out) {
  const auto* objects = body.if_contains("objects");
  if (objects == nullptr) return true;
  if (!objects->is_array()) return false;
  out.clear();
  for (const auto& item : objects->get_array()) {
    if (!item.is_string()) return false;
    out.emplace_back(item.get_string());
  }
  return true;
}

HttpResponse fill(Org& org, const object& body) {
  FillPlan plan;
  plan.records = number(body, "records", plan.records);
  plan.told = flag(body, "told", plan.told);
  if (!take_objects(body, plan.objects)) return refuse("fill: objects: needs names");
  const auto started = std::chrono::steady_clock::now();
  if (auto done = org.fill(plan); !done) return refuse("fill: " + done.error().message);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started;
  return {200,
          boost::json::serialize(object{{"records", plan.records}, {"seconds", took.count()}})};
}

HttpResponse replay(Org& org, const object& body) {
  ReplayPlan plan;
  plan.events = number(body, "events", plan.events);
  plan.records = number(body, "records", plan.records);
  plan.update_share = number(body, "update_share", plan.update_share);
  if (!take_objects(body, plan.objects)) return refuse("replay: objects: needs names");
  const auto bytes = org.bus().payload_bytes();
  const auto events = org.bus().published();
  const auto started = std::chrono::steady_clock::now();
  if (auto done = org.replay(plan); !done) return refuse("replay: " + done.error().message);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started;
  return {200,
          boost::json::serialize(object{{"events", org.bus().published() - events},
                                        {"bytes", org.bus().payload_bytes() - bytes},
                                        {"encode_seconds", took.count()},
                                        {"published", org.bus().published()}})};
}

HttpResponse kill_streams(Org& org, const object& body) {
  StreamEnd end;
  end.clean = flag(body, "clean", false);
  end.error_code = text(body, "error_code", end.error_code);
  end.status = number(body, "status", end.status);
  return {200, boost::json::serialize(object{{"streams", org.pubsub().end_streams(end)}})};
}

HttpResponse set_faults(Org& org, const object& body) {
  auto& faults = org.faults();
  if (flag(body, "clear", false)) faults.clear();
  faults.keepalives_off = flag(body, "keepalives_off", faults.keepalives_off);
  faults.half_credit_withheld = flag(body, "half_credit_withheld", faults.half_credit_withheld);
  faults.events_held = flag(body, "events_held", faults.events_held);
  faults.getschema_unavailable =
      number(body, "getschema_unavailable", faults.getschema_unavailable.load());
  faults.token_failures = number(body, "token_failures", faults.token_failures.load());
  faults.token_failure_status = number(body, "token_status", faults.token_failure_status.load());
  if (const auto error = text(body, "token_error"); !error.empty()) faults.set_token_error(error);
  faults.rest_failures = number(body, "rest_failures", faults.rest_failures.load());
  faults.rest_failure_status = number(body, "rest_status", faults.rest_failure_status.load());
  const std::pair<const char*, std::atomic<int>*> counts[] = {
      {"pages_failed", &faults.pages_failed},
      {"pages_short", &faults.pages_short},
      {"pages_repeated", &faults.pages_repeated},
      {"pages_cut", &faults.pages_cut},
      {"bulk_polls", &faults.bulk_polls},
      {"bulk_failed", &faults.bulk_failed},
      {"bulk_aborted", &faults.bulk_aborted}};
  for (const auto& [name, count] : counts) *count = number(body, name, count->load());
  faults.deletion_log_ms = number(body, "deletion_log_ms", faults.deletion_log_ms.load());
  faults.api_used = number(body, "api_used", faults.api_used.load());
  faults.api_max = number(body, "api_max", faults.api_max.load());
  if (const auto object = text(body, "withdraw_object"); !object.empty())
    faults.withdraw_object(object);
  if (const auto object = text(body, "hide_records"); !object.empty()) faults.hide_records(object);
  if (const auto id = text(body, "misprint"); !id.empty()) faults.misprint(id);
  if (const auto schema = text(body, "refuse_schema"); !schema.empty()) {
    const auto* named = org.catalog().find(schema);
    faults.refuse_schema(named != nullptr ? named->schema_id : schema);
  }
  if (const auto topic = text(body, "refuse_position"); !topic.empty())
    faults.refuse_position(topic);
  if (const auto topic = text(body, "refuse_topic"); !topic.empty()) {
    faults.refuse_topic(topic, text(body, "error_code", "subscription.topic.cannot.subscribe"));
  }
  return ok();
}

/// `{"name":value,…}`: all leaves by REST name, or those of events by their path.
void append_fields(std::string& out,
                   const ObjectDef& definition,
                   const Record& record,
                   bool paths) {
  char separator = '{';
  const auto add = [&](std::string_view name, FieldType type, const Value& value) {
    out += separator;
    separator = ',';
    append_json_string(out, name);
    out += ':';
    append_rest_value(out, type, value);
  };
  if (!paths) add("Id", FieldType::Reference, Value(record.id));
  if (!paths && definition.has_joined_name()) {
    add("Name", FieldType::Text, Value(joined_name(definition, record)));
  }
  for (std::size_t i = 0; i < definition.leaves.size(); ++i) {
    const auto& leaf = definition.leaves[i];
    if (leaf.rest_name.empty()) continue;  // a field that is gone
    if (!paths) {
      add(leaf.rest_name, leaf.type, visible_value(definition, record, i));
    } else if (leaf.top >= 0) {
      add(leaf.path, leaf.type, record.values[i]);
    }
  }
  out += '}';
}

void append_truth(
    std::string& out, Org& org, const ObjectDef& definition, bool deleted, bool paths) {
  org.store().each(definition, true, [&](const Record& record) {
    if (record.deleted != deleted) return;
    out += fmt::format(R"({{"object":"{}","id":"{}","fields":)", definition.name, record.id);
    append_fields(out, definition, record, paths);
    out += "}\n";
  });
}

/// JSON lines: all records, live or deleted; of one object if `object` is given.
HttpResponse records(Org& org, const HttpRequest& request, bool deleted) {
  const auto name = request.param("object");
  const auto* only = org.catalog().find(name);
  if (!name.empty() && only == nullptr) return refuse("no object " + name);
  HttpResponse out{200, {}, "application/x-ndjson"};
  for (const auto& definition : org.catalog().objects()) {
    if (only != nullptr && only != definition.get()) continue;
    append_truth(out.body, org, *definition, deleted, request.has("paths"));
  }
  return out;
}

HttpResponse counts(Org& org) {
  object out;
  for (const auto& definition : org.catalog().objects()) {
    out[definition->name] = org.store().live_count(*definition);
  }
  return {200, boost::json::serialize(out)};
}

HttpResponse stats(Org& org) {
  const auto pubsub = org.pubsub().stats();
  boost::json::array streams;
  for (const auto& stream : pubsub.streams) {
    streams.push_back(object{{"id", stream.id},
                             {"topic", stream.topic},
                             {"delivered", stream.delivered},
                             {"outstanding", stream.outstanding},
                             {"open", stream.open}});
  }
  return {200,
          boost::json::serialize(
              object{{"events_published", org.bus().published()},
                     {"platform_published", org.platform().published()},
                     {"platform_last_replay_id", to_hex(org.platform().newest_position())},
                     {"payload_bytes", org.bus().payload_bytes()},
                     {"last_replay_id", to_hex(org.bus().newest_position())},
                     {"events_delivered", pubsub.delivered},
                     {"credit_max", pubsub.credit_max},
                     {"subscribe_calls", pubsub.subscribe_calls},
                     {"get_schema_calls", pubsub.get_schema_calls},
                     {"get_topic_calls", pubsub.get_topic_calls},
                     {"tokens_issued", org.oauth().issued()},
                     {"api_calls", org.rest().calls()},
                     {"streams", streams}})};
}

HttpResponse record_type(Org& org, const object& body) {
  auto id = text(body, "id");
  const auto name = text(body, "developer_name");
  if (id.empty()) {
    auto added = org.record_types().add(text(body, "object"), name);
    if (!added) return refuse(added.error().message);
    id = std::move(*added);
  } else if (auto renamed = org.record_types().rename(id, name); !renamed) {
    return refuse(renamed.error().message);
  }
  return {200, boost::json::serialize(object{{"id", id}})};
}

HttpResponse get(Org& org, const HttpRequest& request) {
  const auto held = org.catalog().hold();
  if (request.path == "/truth") return records(org, request, false);
  if (request.path == "/deleted") return records(org, request, true);
  if (request.path == "/lost") return {200, org.store().loss().lines(), "application/x-ndjson"};
  if (request.path == "/counts") return counts(org);
  if (request.path == "/stats") return stats(org);
  return {404, R"({"error":"no such call"})"};
}

}  // namespace

HttpResponse Control::handle(const HttpRequest& request) const {
  auto& org = *org_;
  if (request.method == "GET") return get(org, request);
  object body;
  if (!request.body.empty()) {
    boost::system::error_code fault;
    auto parsed = boost::json::parse(request.body, fault);
    if (fault || !parsed.is_object()) return refuse("the body must be a JSON object");
    body = std::move(parsed.get_object());
  }
  const auto& path = request.path;
  if (path == "/load") return load(org, body);
  if (path == "/replay") return replay(org, body);
  if (path == "/fill") return fill(org, body);
  if (path == "/streams/kill") return kill_streams(org, body);
  if (path == "/faults") {
    const auto held = org.catalog().hold();
    return set_faults(org, body);
  }
  if (path == "/schema") {
    const auto done = deploy(org, body);
    return done ? ok() : refuse(done.error().message);
  }
  if (path == "/emit") {
    const auto held = org.catalog().hold();
    auto done = emit(org, body);
    return done ? HttpResponse{200, std::move(*done)} : refuse(done.error().message);
  }
  if (path == "/tokens/expire") return org.oauth().expire_all(), ok();
  if (path == "/tokens/revoke") return org.oauth().revoke_all(), ok();
  if (path == "/latency") {
    org.faults().latency_ms = number<std::int64_t>(body, "ms", 0);
    return ok();
  }
  if (path == "/loss") {
    org.store().loss().set(number<double>(body, "share", 0),
                           number<std::uint64_t>(body, "seed", 1));
    return ok();
  }
  if (path == "/publish") {
    auto done = org.platform().publish(body);
    return done ? HttpResponse{200, std::move(*done)} : refuse(done.error().message);
  }
  if (path == "/record-types") return record_type(org, body);
  if (path == "/retention") return org.bus().drop_all(), org.platform().drop_all(), ok();
  if (path == "/stop") return org.request_stop(), ok();
  return {404, R"({"error":"no such call"})"};
}

}  // namespace headwater::org
