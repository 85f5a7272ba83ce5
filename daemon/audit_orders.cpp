#include "daemon/audit_orders.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <set>

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

/// Takes the text up to the next tab off a line.
std::string_view next_item(std::string_view& line) {
  const auto end = std::min(line.find('\t'), line.size());
  const auto item = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return item;
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
  if (verb == "drift") return drift(line, peer);
  if (verb == "proven") return proven(line, peer);
  return refused("unknown command; known are audit start, show, receipts, drift, proven");
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
  const auto parts = health_.parts();
  for (const auto& org : desk_.awaited(run)) {
    const auto worker = std::ranges::find(parts, "org " + org, &observe::Part::Snapshot::name);
    if (worker != parts.end() && worker->state == observe::PartState::Fatal)
      return refused(fmt::format(
          "audit {} does not end: {} is fatal: {}", run, worker->name, worker->sentence));
  }
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

std::string AuditOrders::drift(std::string_view line, const runtime::Peer& peer) {
  if (const auto lack = lacks_right(peer)) return refused(*lack);
  const std::string by = who_asks(line, peer);
  const auto sink = value_of(next_word(line), "sink");
  if (!sink) return refused("audit drift: needs sink=NAME");
  std::vector<RecordKey> keys;
  std::vector<ledger::Hole> holes;
  ledger::AuditBook book(ledger_);
  std::size_t in_quarantine = 0;
  Rev above;
  while (!line.empty()) {
    std::string_view item = next_item(line);
    const std::string rkey = next_word(item);
    const auto key = RecordKey::parse(rkey);
    if (!key) return refused(key.error().message);
    if (item.starts_with("rev=")) {
      const std::string word = next_word(item);
      Rev held;
      std::from_chars(word.data() + 4, word.data() + word.size(), held.value);
      if (!book.may_follow(held))
        return refused(fmt::format(
            "{} of sink {} holds rev {}, years ahead of every rev of ours: delete the record there "
            "(row or key), then repeat",
            rkey,
            *sink,
            held.value));
      above = std::max(above, held);
    }
    const auto head = ledger_.heads({&rkey, 1});
    if (!head) return refused(head.error().message);
    if (!head->front()) continue;  // never seen: there is nothing to tell
    const auto waits = book.in_quarantine(*key, "sink." + *sink);
    if (!waits) return refused(waits.error().message);
    in_quarantine += *waits ? 1 : 0;
    if (*waits) continue;  // the sink refused it, and would again
    keys.push_back(*key);
    holes.push_back(
        ledger::sink_hole(*sink, *key, fmt::format("asked by {}: {}; told again", by, item)));
  }
  if (auto opened = book.open(holes); !opened) return refused(opened.error().message);
  const auto told = book.restate(keys, above);
  if (!told) return refused(told.error().message);
  log::info("records are told again to every sink",
            {{"sink", *sink}, {"records", *told}, {"by", by}});
  return json::serialize(json::object{{"restated", *told}, {"in_quarantine", in_quarantine}});
}

std::string AuditOrders::proven(std::string_view line, const runtime::Peer& peer) {
  if (const auto lack = lacks_right(peer)) return refused(*lack);
  const std::string by = who_asks(line, peer);
  const auto sink = value_of(next_word(line), "sink");
  if (!sink) return refused("audit proven: needs sink=NAME");
  std::set<std::string> keys;
  while (!line.empty()) keys.emplace(next_item(line));
  ledger::AuditBook book(ledger_);
  std::vector<ledger::Hole> closed;
  for (const auto& org : orgs_) {
    for (auto& hole : book.sink_holes(org, *sink)) {
      if (!keys.contains(ledger::rkey_of(hole))) continue;
      hole.closing.how = ledger::Closing::How::Repaired;
      hole.closing.by = by;
      hole.closing.evidence =
          "headwater audit --sinks compared all that the sink holds with the ledger: equal";
      closed.push_back(std::move(hole));
    }
  }
  if (auto done = book.close(closed); !done) return refused(done.error().message);
  return json::serialize(json::object{{"closed", closed.size()}});
}

}  // namespace headwater
