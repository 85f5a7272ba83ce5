#include "daemon/verify/ledger_view.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>

namespace headwater::verify {
namespace {

namespace json = boost::json;

/// Keys of one question: a line of the control socket has 4,096 bytes at most.
constexpr std::size_t kHeadsAtOnce = 60;
/// Stretches of the journal that a story looks through at most: some ten million entries.
constexpr int kStretchesMax = 2'000;

Error unclear(const std::string& line) {
  return blocked(fmt::format(
      "ask the daemon for `{}`: the answer is not what it should be; is it of the same version?",
      line.substr(0, line.find(' '))));
}

/// The answer as JSON; what the daemon said where it could not answer.
Result<json::value> read(const std::string& line, const std::string& reply) {
  boost::system::error_code broken;
  auto value = json::parse(reply, broken);
  if (broken) return unclear(line);
  if (value.is_object() && value.as_object().contains("error"))
    return rejected(fmt::format("the daemon, asked for `{}`: {}",
                                line.substr(0, line.find(' ')),
                                value.at("error").as_string().c_str()));
  return value;
}

}  // namespace

Result<json::value> LedgerView::document(const std::string& line) {
  auto reply = ask_(line);
  if (!reply) return std::move(reply).error();
  return read(line, *reply);
}

Result<LedgerView::Page> LedgerView::page(const std::string& after) {
  const auto line = after.empty() ? "records" : "records " + after;
  auto reply = ask_(line);
  if (!reply) return std::move(reply).error();
  // {"last":"…","records":[ and one record a line.
  const auto begin = reply->find('\n');
  if (begin == std::string::npos) {
    const auto said = read(line, *reply);
    return said ? unclear(line) : said.error();
  }
  boost::system::error_code broken;
  const auto head = json::parse(reply->substr(0, begin) + "]}", broken);
  if (broken || !head.is_object() || !head.as_object().contains("last")) return unclear(line);
  Page page;
  page.last = head.at("last").as_string();
  for (std::size_t at = begin + 1; at < reply->size();) {
    const auto end = std::min(reply->find('\n', at), reply->size());
    std::string text = reply->substr(at, end - at);
    at = end + 1;
    if (text.starts_with("]")) break;
    if (text.ends_with(",")) text.pop_back();
    auto record = read_record(std::move(text));
    if (!record) return unclear(line);
    page.records.push_back(std::move(*record));
  }
  return page;
}

Result<std::optional<LedgerRecord>> LedgerView::get(const std::string& rkey) {
  const auto heads_of = heads(std::span(&rkey, 1));
  if (!heads_of) return heads_of.error();
  if (!heads_of->front()) return std::optional<LedgerRecord>{};
  auto reply = ask_("get " + rkey);
  if (!reply) return std::move(reply).error();
  while (reply->ends_with('\n')) reply->pop_back();
  auto record = read_record(std::move(*reply));
  if (!record) return unclear("get");
  return record;
}

Result<std::vector<std::optional<LedgerView::Head>>> LedgerView::heads(
    std::span<const std::string> rkeys) {
  std::vector<std::optional<Head>> out;
  while (!rkeys.empty()) {
    const auto some = rkeys.first(std::min(rkeys.size(), kHeadsAtOnce));
    rkeys = rkeys.subspan(some.size());
    auto told = document(fmt::format("heads {}", fmt::join(some, " ")));
    if (!told) return std::move(told).error();
    if (!told->is_array() || told->as_array().size() != some.size()) return unclear("heads");
    for (const auto& item : told->as_array()) {
      auto& head = out.emplace_back();
      if (item.is_object())
        head = Head{Rev{item.at("rev").to_number<std::uint64_t>()}, item.at("deleted").as_bool()};
    }
  }
  return out;
}

Result<json::array> LedgerView::entries_of(const std::string& rkey, std::size_t most) {
  json::array out;
  std::uint64_t after = 0;
  for (int stretch = 0; stretch < kStretchesMax; ++stretch) {
    auto told = document(fmt::format("journal {} {}", rkey, after));
    if (!told) return std::move(told).error();
    for (auto& entry : told->at("entries").as_array()) {
      out.push_back(entry);
      if (out.size() > most) out.erase(out.begin());
    }
    if (told->at("done").as_bool()) break;
    after = told->at("read_to").to_number<std::uint64_t>();
  }
  return out;
}

}  // namespace headwater::verify
