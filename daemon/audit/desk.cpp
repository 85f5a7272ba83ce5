#include "daemon/audit/desk.hpp"

#include <algorithm>
#include <boost/json.hpp>

namespace headwater::audit {
namespace {

namespace json = boost::json;

json::array parsed(const std::vector<std::string>& texts) {
  json::array out;
  for (const auto& text : texts) {
    boost::system::error_code broken;
    auto value = json::parse(text, broken);
    if (!broken) out.push_back(std::move(value));
  }
  return out;
}

std::string without_findings(const std::string& receipt) {
  boost::system::error_code broken;
  auto value = json::parse(receipt, broken);
  if (broken || !value.is_object()) return {};
  value.get_object().erase("findings");
  return json::serialize(value);
}

}  // namespace

std::uint64_t Desk::place(std::span<const std::string> orgs, Order order) {
  const std::lock_guard lock(mutex_);
  order.run = next_++;
  Run run;
  run.number = order.run;
  for (const auto& org : orgs) {
    run.orgs_open.insert(org);
    orders_[org].push_back(order);
  }
  runs_.push_back(std::move(run));
  if (runs_.size() > kRunsKept) runs_.pop_front();
  return order.run;
}

std::optional<std::string> Desk::run_json(std::uint64_t number) const {
  const std::lock_guard lock(mutex_);
  const auto run = std::ranges::find(runs_, number, &Run::number);
  if (run == runs_.end()) return std::nullopt;
  json::object doing;
  for (const auto& org : run->orgs_open) {
    const auto at = doing_.find(org);
    doing[org] = at == doing_.end() ? json::value(nullptr) : json::value(at->second);
  }
  return json::serialize(json::object{{"run", number},
                                      {"done", run->orgs_open.empty()},
                                      {"doing", std::move(doing)},
                                      {"receipts", parsed(run->receipts)}});
}

std::vector<std::string> Desk::awaited(std::uint64_t number) const {
  const std::lock_guard lock(mutex_);
  const auto run = std::ranges::find(runs_, number, &Run::number);
  if (run == runs_.end()) return {};
  return {run->orgs_open.begin(), run->orgs_open.end()};
}

std::string Desk::status_json() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> last;
  for (const auto& [key, receipt] : last_) last.push_back(receipt);
  json::object doing;
  for (const auto& [org, sentence] : doing_) {
    if (!sentence.empty()) doing[org] = sentence;
  }
  return json::serialize(json::object{{"doing", std::move(doing)}, {"last", parsed(last)}});
}

std::optional<Desk::Order> Desk::take(std::string_view org) {
  const std::lock_guard lock(mutex_);
  const auto at = orders_.find(org);
  if (at == orders_.end() || at->second.empty()) return std::nullopt;
  Order order = std::move(at->second.front());
  at->second.pop_front();
  return order;
}

std::uint64_t Desk::number() {
  const std::lock_guard lock(mutex_);
  return next_++;
}

void Desk::told(const Receipt& receipt) {
  std::string text = receipt.json();
  remember(receipt.org, receipt.object, text);
  const std::lock_guard lock(mutex_);
  for (Run& run : runs_) {
    if (run.number == receipt.run) run.receipts.push_back(std::move(text));
  }
}

void Desk::remember(std::string_view org, std::string_view object, const std::string& receipt) {
  auto text = without_findings(receipt);
  const std::lock_guard lock(mutex_);
  last_[{std::string(org), std::string(object)}] = std::move(text);
}

void Desk::finished(std::uint64_t number, std::string_view org) {
  const std::lock_guard lock(mutex_);
  for (Run& run : runs_) {
    if (run.number != number) continue;
    if (const auto at = run.orgs_open.find(org); at != run.orgs_open.end()) run.orgs_open.erase(at);
  }
}

void Desk::doing(std::string_view org, std::string sentence) {
  const std::lock_guard lock(mutex_);
  doing_[std::string(org)] = std::move(sentence);
}

}  // namespace headwater::audit
