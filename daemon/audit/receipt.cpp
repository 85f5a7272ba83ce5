#include "daemon/audit/receipt.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>

namespace headwater::audit {
namespace {

namespace json = boost::json;

constexpr std::size_t kKept = 100;

json::value time_or_null(EpochMs ms) {
  return ms == 0 ? json::value(nullptr) : json::value(format_datetime(ms));
}

json::object side(const Sum& sum) {
  return {{"rows", sum.rows}, {"checksum", fmt::format("{:016x}", sum.checksum)}};
}

/// `r:emea:Account:` and, behind it, the end's time in digits that sort.
std::string prefix_of(std::string_view org, std::string_view object) {
  return object.empty() ? fmt::format("r:{}:", org) : fmt::format("r:{}:{}:", org, object);
}

EpochMs time_of(const json::object& receipt, std::string_view key) {
  const auto* text = receipt.if_contains(key);
  if (text == nullptr || !text->is_string()) return 0;
  return parse_datetime(std::string_view(text->get_string())).value_or(0);
}

}  // namespace

std::string_view to_string(Receipt::Result result) {
  switch (result) {
    case Receipt::Result::Equal:
      return "equal";
    case Receipt::Result::Repaired:
      return "repaired";
    case Receipt::Result::Different:
      return "different";
    case Receipt::Result::Partial:
      return "partial";
    case Receipt::Result::Failed:
      return "failed";
  }
  return "?";
}

double Receipt::drift_ppm() const {
  const auto rows = std::max<std::uint64_t>({org_side.rows, compared, 1});
  return static_cast<double>(proven) * 1e6 / static_cast<double>(rows);
}

std::string Receipt::json() const {
  json::array months_told, findings_told;
  for (const auto& month : months)
    months_told.push_back(json::object{
        {"month", month.name}, {"org", side(month.org)}, {"ledger", side(month.ledger)}});
  for (const auto& finding : findings) {
    json::array fields(finding.fields.begin(), finding.fields.end());
    findings_told.push_back(json::object{{"id", finding.id},
                                         {"cause", cause_of(finding.what)},
                                         {"fields", std::move(fields)},
                                         {"healed", finding.healed}});
  }
  return json::serialize(
      json::object{{"run", run},
                   {"org", org},
                   {"object", object},
                   {"by", by},
                   {"repair", repair},
                   {"started_at", time_or_null(started_at)},
                   {"ended_at", time_or_null(ended_at)},
                   {"result", to_string(result)},
                   {"note", note.empty() ? json::value(nullptr) : json::value(note)},
                   {"org_side", side(org_side)},
                   {"ledger_side", side(ledger_side)},
                   {"binned", binned},
                   {"before_start", before_start},
                   {"window_from", time_or_null(window_from)},
                   {"compared", compared},
                   {"suspects", suspects},
                   {"proven", proven},
                   {"healed", healed},
                   {"known", known},
                   {"unsettled", unsettled},
                   {"derived", derived},
                   {"unread", unread},
                   {"drift_ppm", drift_ppm()},
                   {"api_calls", api_calls},
                   {"differing_months", std::move(months_told)},
                   {"findings", std::move(findings_told)}});
}

::headwater::Result<void> Receipts::add(const Receipt& receipt) {
  const std::string prefix = prefix_of(receipt.org, receipt.object);
  if (auto kept = book_.keep(fmt::format("{}{:014}", prefix, receipt.ended_at), receipt.json());
      !kept)
    return kept;
  const auto all = book_.kept(prefix);
  if (!all) return all.error();
  for (std::size_t i = 0; i + kKept < all->size(); ++i) {
    if (auto gone = book_.forget((*all)[i].first); !gone) return gone;
  }
  return {};
}

::headwater::Result<std::vector<std::string>> Receipts::list(std::string_view org,
                                                             std::string_view object) const {
  auto rows = book_.kept(prefix_of(org, object));
  if (!rows) return rows.error();
  std::vector<std::string> out;
  for (auto& [name, text] : *rows) out.push_back(std::move(text));
  return out;
}

::headwater::Result<std::optional<LastAudit>> Receipts::last(std::string_view org,
                                                             std::string_view object,
                                                             bool complete) const {
  const auto rows = book_.kept(prefix_of(org, object));
  if (!rows) return rows.error();
  for (auto at = rows->rbegin(); at != rows->rend(); ++at) {
    boost::system::error_code broken;
    const auto receipt = json::parse(at->second, broken);
    if (broken || !receipt.is_object()) continue;
    const auto& told = receipt.get_object();
    const auto* result = told.if_contains("result");
    LastAudit last{time_of(told, "started_at"), time_of(told, "ended_at")};
    last.complete = result != nullptr && *result != "failed";
    // Without repair nobody else remembers what could not be read.
    const auto* repaired = told.if_contains("repair");
    const bool remembered = *result != "partial" || (repaired != nullptr && *repaired == true);
    last.settled = last.complete && *result != "different" && remembered;
    last.window_from = time_of(told, "window_from");
    if (!complete || last.complete) return std::optional<LastAudit>(last);
  }
  return std::optional<LastAudit>();
}

}  // namespace headwater::audit
