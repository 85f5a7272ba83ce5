#include "tests/tools/gate_control.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <optional>
#include <set>

namespace headwater::gate {
namespace {

namespace json = boost::json;

json::object problem(std::string_view what) { return {{"error", what}}; }

std::string text(const json::object& from, std::string_view key) {
  const auto* value = from.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string{};
}

Result<Flow> parse_flow(const json::object& request, std::string_view direction) {
  Flow out;
  const auto* value = request.if_contains(direction);
  if (value == nullptr) return out;
  if (!value->is_object()) return rejected(fmt::format("{} must be an object", direction));
  std::size_t latency_ms = 0;
  const std::map<std::string_view, std::size_t*> numbers{
      {"latency_ms", &latency_ms},
      {"bytes_per_second", &out.bytes_per_second},
      {"slice_bytes", &out.slice_bytes},
      {"reset_after_bytes", &out.reset_after_bytes}};
  const std::map<std::string_view, bool*> flags{{"hold", &out.hold}, {"drop", &out.drop}};
  for (const auto& [key, setting] : value->get_object()) {
    boost::system::error_code fault;
    if (const auto number = numbers.find(key); number != numbers.end()) {
      *number->second = setting.to_number<std::size_t>(fault);
      if (fault) return rejected(fmt::format("{}.{} must be a number", direction, key));
    } else if (const auto flag = flags.find(key); flag != flags.end() && setting.is_bool()) {
      *flag->second = setting.get_bool();
    } else {
      return rejected(fmt::format("{}.{} is no fault of a flow", direction, key));
    }
  }
  out.latency = Millis(latency_ms);
  return out;
}

std::optional<Accept> parse_accept(std::string_view word) {
  if (word.empty() || word == "pass") return Accept::Pass;
  if (word == "refuse") return Accept::Refuse;
  if (word == "reset") return Accept::Reset;
  if (word == "hang") return Accept::Hang;
  return std::nullopt;
}

json::object set_faults(Gate& gate, const json::object& request) {
  static const std::set<std::string_view> kKnown{"gate", "up", "down", "accept"};
  for (const auto& [key, value] : request) {
    if (!kKnown.contains(key)) return problem(fmt::format("unknown key {}", std::string_view(key)));
  }
  const auto up = parse_flow(request, "up");
  if (!up) return problem(up.error().message);
  const auto down = parse_flow(request, "down");
  if (!down) return problem(down.error().message);
  const auto accept = parse_accept(text(request, "accept"));
  if (!accept) return problem("accept must be pass, refuse, reset or hang");
  gate.set_flows(*up, *down);
  if (auto set = gate.set_accept(*accept); !set) return problem(set.error().message);
  return {};
}

json::object count(const Gate& gate) {
  const Counts counts = gate.counts();
  return {{"connections", counts.connections},
          {"accepted", counts.accepted},
          {"bytes_up", counts.bytes_up},
          {"bytes_down", counts.bytes_down},
          {"bytes_dropped", counts.bytes_dropped}};
}

json::object open(std::map<std::string, std::unique_ptr<Gate>>& gates,
                  const boost::asio::any_io_executor& executor,
                  const json::object& request) {
  const auto name = text(request, "open");
  auto& gate = gates[name];
  if (gate) {
    if (auto set = gate->set_target(text(request, "target")); !set)
      return problem(set.error().message);
  } else {
    auto opened = Gate::open(executor, text(request, "target"));
    if (!opened) {
      gates.erase(name);
      return problem(opened.error().message);
    }
    gate = std::move(opened).value();
  }
  return {{"port", gate->port()}};
}

}  // namespace

std::string Gates::answer(const std::string& line) {
  boost::system::error_code fault;
  const auto parsed = json::parse(line, fault);
  if (fault || !parsed.is_object())
    return json::serialize(problem("a command is one JSON object on one line"));
  const auto& request = parsed.get_object();
  if (request.contains("open")) return json::serialize(open(gates_, executor_, request));
  const bool counting = request.contains("count");
  const auto found = gates_.find(text(request, counting ? "count" : "gate"));
  if (found == gates_.end()) return json::serialize(problem("no gate of that name"));
  Gate& gate = *found->second;
  if (counting) return json::serialize(count(gate));
  if (!request.contains("cut")) return json::serialize(set_faults(gate, request));
  const auto how = text(request, "cut");
  if (how != "reset" && how != "close")
    return json::serialize(problem("cut must be reset or close"));
  return json::serialize(json::object{{"cut", gate.cut(how == "reset")}});
}

}  // namespace headwater::gate
