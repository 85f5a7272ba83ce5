#include "daemon/audit_orders.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>

#include "daemon/audit/sink_audit.hpp"
#include "daemon/ledger/audit_book.hpp"
#include "daemon/observe/log.hpp"
#include "daemon/order_words.hpp"

namespace headwater {
namespace {

namespace json = boost::json;

/// `key=value` of a word; nothing: it is another one. `*` stands for all, and comes back empty.
std::optional<std::string> value_of(std::string_view word, std::string_view key) {
  if (!word.starts_with(key) || word.size() <= key.size() || word[key.size()] != '=')
    return std::nullopt;
  const auto value = word.substr(key.size() + 1);
  return value == "*" ? std::string() : std::string(value);
}

struct Words {
  std::string org, object, unknown;
  bool repair = false, full = false;
};

Words words_of(std::string_view line) {
  Words out;
  while (!line.empty()) {
    const std::string word = next_word(line);
    if (auto org = value_of(word, "org"))
      out.org = *org;
    else if (auto object = value_of(word, "object"))
      out.object = *object;
    else if (word == "repair")
      out.repair = true;
    else if (word == "full")
      out.full = true;
    else if (!word.empty())
      out.unknown = word;
  }
  return out;
}

}  // namespace

std::string AuditOrders::answer(const std::string& arguments, const runtime::Peer& peer) {
  std::string_view line = arguments;
  const std::string verb = next_word(line);
  if (verb == "start") return start(line, peer);
  if (verb == "show") return show(line);
  if (verb == "receipts") return receipts(line);
  if (verb == "restate") return restate(line, peer);
  return refused("unknown command; known are audit start, show, receipts, restate");
}

std::vector<std::string> AuditOrders::orgs_of(const std::string& name) const {
  if (name.empty()) return orgs_;
  if (std::ranges::find(orgs_, name) == orgs_.end()) return {};
  return {name};
}

std::string AuditOrders::start(std::string_view line, const runtime::Peer& peer) {
  if (const auto lack = lacks_right(peer)) return refused(*lack);
  audit::Desk::Order order;
  order.by = who_asks(line, peer);
  const Words words = words_of(line);
  if (!words.unknown.empty()) return refused("audit start: unknown word " + words.unknown);
  const auto orgs = orgs_of(words.org);
  if (orgs.empty())
    return refused(fmt::format("there is no org {} in the configuration", words.org));
  order.object = words.object;
  order.repair = words.repair;
  order.full = words.full;
  const auto run = desk_.place(orgs, order);
  log::info("an audit is ordered",
            {{"run", run},
             {"object", words.object.empty() ? "all" : words.object},
             {"repair", words.repair},
             {"by", order.by}});
  return json::serialize(json::object{{"run", run}});
}

std::string AuditOrders::show(std::string_view line) const {
  const std::string word = next_word(line);
  std::uint64_t run = 0;
  std::from_chars(word.data(), word.data() + word.size(), run);
  auto told = desk_.run_json(run);
  if (!told) return refused(fmt::format("there is no audit {}: ask for its receipts", word));
  return *told;
}

std::string AuditOrders::receipts(std::string_view line) const {
  const Words words = words_of(line);
  const audit::Receipts receipts(ledger_);
  std::string out;
  std::vector<std::string> places = orgs_;
  places.emplace_back(audit::SinkAudit::kOrg);
  if (!words.org.empty()) places = {words.org};
  for (const auto& org : places) {
    const auto list = receipts.list(org, words.object);
    if (!list) return refused(list.error().message);
    for (const auto& text : *list) out += (out.empty() ? "[\n" : ",\n") + text;
  }
  return out.empty() ? "[]" : out + "\n]";
}

std::string AuditOrders::restate(std::string_view line, const runtime::Peer& peer) {
  if (const auto lack = lacks_right(peer)) return refused(*lack);
  const std::string by = who_asks(line, peer);
  std::vector<RecordKey> keys;
  while (!line.empty()) {
    const std::string word = next_word(line);
    const auto key = RecordKey::parse(word);
    if (!key) return refused(key.error().message);
    keys.push_back(*key);
  }
  const auto told = ledger::AuditBook(ledger_).restate(keys);
  if (!told) return refused(told.error().message);
  log::info("records are told again to every sink", {{"records", *told}, {"by", by}});
  return json::serialize(json::object{{"restated", *told}});
}

}  // namespace headwater
