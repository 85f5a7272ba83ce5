#include "connectors/redis/reader.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "connectors/redis/render.hpp"

namespace headwater::redis {
namespace {

constexpr std::string_view kScanCount = "1000";

/// `crm:{emea:Account:001…}:rec` -> `emea:Account:001…`.
std::string_view rkey_of(std::string_view key) {
  const auto open = key.find('{'), close = key.rfind('}');
  if (open == key.npos || close == key.npos || close < open) return {};
  return key.substr(open + 1, close - open - 1);
}

}  // namespace

Result<void> RedisReader::open() {
  auto connected = Client::connect(config_.endpoint, config_.timeout);
  if (!connected) return std::move(connected).error();
  client_ = std::move(connected).value();
  if (!config_.password_file.empty()) {
    auto password = config::read_secret(config_.password_file);
    if (!password) return std::move(password).error();
    const auto& user = config_.endpoint.user;
    const auto reply = user.empty() ? client_->run({"AUTH", password->reveal()})
                                    : client_->run({"AUTH", user, password->reveal()});
    if (!reply) return reply.error();
  }
  if (config_.endpoint.database != 0) {
    const auto reply = client_->run({"SELECT", std::to_string(config_.endpoint.database)});
    if (!reply) return reply.error();
  }
  return {};
}

Result<std::optional<Cursor>> RedisReader::cursor(const std::string& org) {
  const auto reply =
      client_->run({"HMGET", config_.prefix + "cursor:" + org, "ledger", "rev", "epoch"});
  if (!reply) return reply.error();
  if (reply->size() != 3 || reply->at(2).is_nil()) return std::optional<Cursor>{};
  return std::optional<Cursor>(Cursor{
      org, std::string(reply->at(0).text()), Rev{reply->at(1).number()}, reply->at(2).number()});
}

Result<std::vector<std::optional<headwater::Held>>> RedisReader::read(
    std::span<const RecordName> names) {
  Pipeline pipeline;
  for (const auto& name : names) {
    pipeline.command({"HMGET", 1}, 5);
    pipeline.arg("HMGET");
    pipeline.joined({config_.prefix, "{", name.rkey, "}:rec"});
    for (const auto field : {"j@", "del", "j"}) pipeline.arg(std::string_view(field));
  }
  if (auto sent = client_->send(pipeline); !sent) return std::move(sent).error();
  std::vector<std::optional<headwater::Held>> out;
  Pipeline scores;
  std::vector<std::size_t> asked;  // whose relation each score is
  std::vector<Relation> relations;
  for (const auto& name : names) {
    auto reply = client_->receive();
    if (!reply) return std::move(reply).error();
    auto& held = out.emplace_back();
    if (reply->size() != 3 || reply->at(0).is_nil()) continue;
    held.emplace();
    held->rev = Rev{reply->at(0).number()};
    held->deleted = reply->at(1).text() != "0";
    held->text = reply->at(2).text();
    if (held->deleted) continue;
    relations.clear();
    parse_relations(held->text, relations);
    for (const auto& relation : relations) {
      scores.command({"ZSCORE", 1}, 3);
      scores.arg("ZSCORE");
      scores.joined({config_.prefix, "{", relation.target, "}:rel:", relation.rel});
      scores.arg(std::string_view(name.rkey));
      asked.push_back(out.size() - 1);
    }
  }
  if (asked.empty()) return out;
  if (auto sent = client_->send(scores); !sent) return std::move(sent).error();
  for (const auto record : asked) {
    auto reply = client_->receive();
    if (!reply) return std::move(reply).error();
    if (reply->is_nil() || reply->is_error()) ++out[record]->relations_missing;
  }
  return out;
}

Result<void> RedisReader::visit_living(std::vector<std::string> keys, const KeyVisitor& visit) {
  Pipeline pipeline;
  for (const auto& key : keys) pipeline.simple({"HGET", key, "del"});
  if (auto sent = client_->send(pipeline); !sent) return sent;
  std::vector<std::string> living;
  for (const auto& key : keys) {
    auto reply = client_->receive();
    if (!reply) return std::move(reply).error();
    if (reply->text() == "0") living.emplace_back(rkey_of(key));
  }
  return living.empty() ? Result<void>() : visit(living);
}

std::string RedisReader::pattern(const std::string& org, std::string_view tail) const {
  // `*`, `?` and `[` have a meaning in a pattern, and a prefix may hold them.
  std::string out;
  for (const char c : config_.prefix + "{" + org + ":") {
    if (std::string_view("*?[]\\").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out.append("*}").append(tail);
}

Result<void> RedisReader::strays_of_set(const std::string& set,
                                        std::size_t most,
                                        std::vector<std::string>& out) {
  const auto rel = set.substr(set.rfind(":rel:") + 5);
  const auto target = rkey_of(set);
  std::string at = "0";
  do {
    auto page = client_->run({"ZSCAN", set, at, "COUNT", kScanCount});
    if (!page) return std::move(page).error();
    at = page->at(0).text();
    std::vector<std::string> members;  // and their scores between them
    for (std::size_t i = 0; i + 1 < page->at(1).size(); i += 2)
      members.emplace_back(page->at(1).at(i).text());
    Pipeline pipeline;
    for (const auto& member : members) {
      pipeline.command({"HMGET", 1}, 4);
      pipeline.arg("HMGET");
      pipeline.joined({config_.prefix, "{", member, "}:rec"});
      pipeline.arg("del");
      pipeline.arg("j");
    }
    if (members.empty()) continue;
    if (auto sent = client_->send(pipeline); !sent) return sent;
    std::vector<Relation> relations;
    for (const auto& member : members) {
      auto reply = client_->receive();
      if (!reply) return std::move(reply).error();
      relations.clear();
      if (reply->size() == 2 && reply->at(0).text() == "0")
        parse_relations(reply->at(1).text(), relations);
      const bool stated =
          std::find(relations.begin(), relations.end(), Relation{rel, target}) != relations.end();
      if (!stated && out.size() < most) out.push_back(member);
    }
  } while (at != "0");
  return {};
}

Result<std::vector<std::string>> RedisReader::strays(const std::string& org, std::size_t most) {
  const auto sets = pattern(org, ":rel:*");
  std::vector<std::string> out;
  std::string at = "0";
  do {
    auto page = client_->run({"SCAN", at, "MATCH", sets, "COUNT", kScanCount});
    if (!page) return std::move(page).error();
    at = page->at(0).text();
    std::vector<std::string> keys;
    for (std::size_t i = 0; i < page->at(1).size(); ++i)
      keys.emplace_back(page->at(1).at(i).text());
    for (const auto& key : keys)
      if (auto done = strays_of_set(key, most, out); !done) return std::move(done).error();
  } while (at != "0" && out.size() < most);
  return out;
}

Result<void> RedisReader::each_key(const std::string& org, const KeyVisitor& visit) {
  const auto records = pattern(org, ":rec");
  std::string at = "0";
  do {
    auto page = client_->run({"SCAN", at, "MATCH", records, "COUNT", kScanCount});
    if (!page) return std::move(page).error();
    at = page->at(0).text();
    std::vector<std::string> keys;
    for (std::size_t i = 0; i < page->at(1).size(); ++i)
      keys.emplace_back(page->at(1).at(i).text());
    if (!keys.empty())
      if (auto done = visit_living(std::move(keys), visit); !done) return done;
  } while (at != "0");
  return {};
}

}  // namespace headwater::redis
