#include "daemon/cli/audit.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <chrono>
#include <thread>

namespace headwater::cli {
namespace {

namespace json = boost::json;

constexpr auto kPoll = std::chrono::milliseconds{300};
/// A difference of the sentences on a terminal, not a bound: the receipt has a thousand.
constexpr std::size_t kFindingsShown = 50;

/// In the place of an org's name: the receipt is of a sink (daemon/audit/sink_audit.hpp).
constexpr const char* kSinks = "sinks";

std::string named(const std::string& key, const std::string& value) {
  return fmt::format(" {}={}", key, value.empty() ? "*" : value);
}

std::string text(const json::value& item, const char* key) {
  const auto* found = item.as_object().if_contains(key);
  if (found == nullptr || found->is_null()) return {};
  return found->is_string() ? std::string(found->as_string()) : json::serialize(*found);
}

/// What was looked at: of a sink, records of the ledger's.
std::string looked_at(const json::value& receipt) {
  if (text(receipt, "org") == kSinks)
    return fmt::format("{} records compared with the ledger's", text(receipt, "compared"));
  return fmt::format("{} rows in the org, {} in the ledger; {} compared field by field",
                     text(receipt.at("org_side"), "rows"),
                     text(receipt.at("ledger_side"), "rows"),
                     text(receipt, "compared"));
}

std::string shown(const json::value& receipt) {
  std::string out =
      fmt::format("{:<28} {:<9} {}; {} suspects, {} proven, {} healed; {} API calls; {} {}\n",
                  text(receipt, "org") + " " + text(receipt, "object"),
                  text(receipt, "result"),
                  looked_at(receipt),
                  text(receipt, "suspects"),
                  text(receipt, "proven"),
                  text(receipt, "healed"),
                  text(receipt, "api_calls"),
                  text(receipt, "ended_at"),
                  text(receipt, "by"));
  if (const auto derived = text(receipt, "derived"); !derived.empty() && derived != "0")
    out += fmt::format("    {} with other values of formulas alone{}\n",
                       derived,
                       receipt.at("repair").as_bool() ? " (refreshed)" : "");
  if (const auto note = text(receipt, "note"); !note.empty()) out += fmt::format("    {}\n", note);
  std::size_t shown = 0;
  for (const auto& finding : receipt.at("findings").as_array()) {
    if (++shown > kFindingsShown) {
      out += "    … more with --json\n";
      break;
    }
    std::string fields;
    for (const auto& field : finding.at("fields").as_array())
      fields += " " + std::string(field.as_string());
    out += fmt::format("    {} {}{}{}\n",
                       text(finding, "id"),
                       text(finding, "cause"),
                       fields,
                       finding.at("healed").as_bool() ? " (healed)" : "");
  }
  return out;
}

int code_of(const json::array& receipts) {
  int code = kAuditEqual;
  for (const auto& receipt : receipts) {
    const auto result = text(receipt, "result");
    if (result == "failed" || result == "partial") return kAuditCouldNotLook;
    if (result == "different") code = kAuditDifferent;
  }
  return code;
}

using Ask = std::function<Result<std::string>(const std::string&)>;

/// Nothing: it was told why on `err`.
std::optional<json::value> answer(const Ask& ask, const std::string& line, std::ostream& err) {
  const auto reply = ask(line);
  if (!reply) {
    err << "headwater: " << reply.error().message << "\n";
    return std::nullopt;
  }
  boost::system::error_code broken;
  auto document = json::parse(*reply, broken);
  if (broken) {
    err << "headwater: the daemon's answer cannot be read\n";
    return std::nullopt;
  }
  if (document.is_object() && document.as_object().contains("error")) {
    err << "headwater: " << text(document, "error") << "\n";
    return std::nullopt;
  }
  return document;
}

std::string waits_of(const json::object& doing) {
  std::string out;
  for (const auto& [org, sentence] : doing) {
    const auto said = sentence.is_string() ? std::string(sentence.as_string()) : std::string();
    if (const auto at = said.find("waits: "); at != std::string::npos)
      out += fmt::format("{}{}: {}", out.empty() ? "" : "; ", std::string(org), said.substr(at));
  }
  return out;
}

int tell(const json::array& receipts, bool as_json, std::ostream& out) {
  if (as_json) {
    out << json::serialize(receipts) << "\n";
  } else {
    for (const auto& receipt : receipts) out << shown(receipt);
    if (receipts.empty()) out << "nothing was audited\n";
  }
  return code_of(receipts);
}

}  // namespace

int audit(const AuditCommand& command, const Ask& ask, std::ostream& out, std::ostream& err) {
  const std::string what = named("org", command.org) + named("object", command.object);
  if (command.receipts) {
    const auto list = answer(ask, "audit receipts" + what, err);
    if (!list) return kAuditCouldNotLook;
    tell(list->as_array(), command.json, out);
    return kAuditEqual;
  }
  std::string line = "audit start by=" + command.by + what;
  if (command.repair) line += " repair";
  if (command.full) line += " full";
  const auto started = answer(ask, line, err);
  if (!started) return kAuditCouldNotLook;
  const std::string run = text(*started, "run");
  std::string waits;
  while (true) {
    const auto now = answer(ask, "audit show " + run, err);
    if (!now) return kAuditCouldNotLook;
    if (now->at("done").as_bool()) return tell(now->at("receipts").as_array(), command.json, out);
    // What it waits for, once each: an audit may take hours.
    auto told = waits_of(now->at("doing").as_object());
    if (!told.empty() && told != waits) err << "headwater: " << told << "\n";
    waits = std::move(told);
    std::this_thread::sleep_for(kPoll);
  }
}

}  // namespace headwater::cli
