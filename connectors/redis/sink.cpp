#include "connectors/redis/sink.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "connectors/claim.hpp"
#include "connectors/redis/errors.hpp"
#include "connectors/redis/library.hpp"

namespace headwater::redis {
namespace {

constexpr int kRedisMajorLeast = 7;  // functions came with 7.0

RenderOptions render_options(const RedisConfig& config) {
  return {config.prefix,
          config.tombstone_ttl.count(),
          config.feed ? config.prefix + config.feed_name : std::string(),
          config.feed_maxlen,
          kCallItemsMax};
}

/// The value of a `key:value` line of INFO; empty if there is none.
std::string_view info_value(std::string_view info, std::string_view key) {
  for (std::size_t at = 0; (at = info.find(key, at)) != std::string_view::npos; at += key.size()) {
    const bool line_start = at == 0 || info[at - 1] == '\n';
    const auto colon = at + key.size();
    if (!line_start || colon >= info.size() || info[colon] != ':') continue;
    const auto end = info.find_first_of("\r\n", colon);
    return info.substr(colon + 1, end == std::string_view::npos ? end : end - colon - 1);
  }
  return {};
}

std::uint64_t leading_number(std::string_view text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::string describe(const Call& call) {
  return call.items == 1 ? std::string(call.name) : fmt::format("{} of {}", call.name, call.items);
}

}  // namespace

RedisSink::RedisSink(RedisConfig config, Holder holder)
    : config_(std::move(config)), holder_(std::move(holder)), renderer_(render_options(config_)) {}

Result<std::vector<Cursor>> RedisSink::open(std::span<const std::string> orgs) {
  if (fenced_) return *fenced_;
  client_.reset();
  cursors_.clear();
  warnings_.clear();
  auto client = Client::connect(config_.endpoint, config_.timeout);
  if (!client) return client.error();
  client_.emplace(std::move(client).value());
  for (const auto step : {&RedisSink::log_in, &RedisSink::check_server, &RedisSink::load_library}) {
    if (auto done = (this->*step)(); !done) return done.error();
  }
  std::vector<Cursor> out;
  for (const auto& org : orgs) {
    auto cursor = claim(org);
    if (!cursor) return cursor.error();
    out.push_back(std::move(cursor).value());
  }
  was_ours_ = true;
  return out;
}

Result<void> RedisSink::log_in() {
  if (!config_.password_file.empty()) {
    auto password = config::read_secret(config_.password_file);
    if (!password) return password.error();
    const auto& user = config_.endpoint.user;
    const auto reply = user.empty() ? client_->run({"AUTH", password->reveal()})
                                    : client_->run({"AUTH", user, password->reveal()});
    if (!reply) return reply.error();
  }
  if (config_.endpoint.database != 0) {
    if (auto done = client_->run({"SELECT", std::to_string(config_.endpoint.database)}); !done)
      return done.error();
  }
  return {};
}

Result<void> RedisSink::check_server() {
  const auto server = client_->run({"INFO", "server"});
  if (!server) return server.error();
  const auto version = info_value(server->text(), "redis_version");
  if (leading_number(version) < kRedisMajorLeast) {
    return blocked(fmt::format("redis {}: the server is version {}; functions need {}.0 or newer",
                               client_->server(),
                               version,
                               kRedisMajorLeast));
  }
  const bool cluster = info_value(server->text(), "redis_mode") == "cluster";
  renderer_.set_call_items_max(cluster ? 1 : kCallItemsMax);

  const auto memory = client_->run({"INFO", "memory"});
  if (!memory) return memory.error();
  const auto policy = info_value(memory->text(), "maxmemory_policy");
  if (policy != "noeviction") {
    warnings_.push_back(
        fmt::format("redis {}: maxmemory-policy is {}: the server may drop records and no cursor "
                    "would show it; set it to noeviction",
                    client_->server(),
                    policy));
  }
  if (!config_.endpoint.loopback()) {
    warnings_.push_back(fmt::format(
        "redis {}: plain text over the network, as insecure: true allows", client_->server()));
  }
  return {};
}

Result<void> RedisSink::load_library() {
  const auto list = client_->run({"FUNCTION", "LIST", "LIBRARYNAME", kLibraryName, "WITHCODE"});
  if (!list) return list.error();
  std::string_view held;
  for (std::size_t library = 0; library < list->size(); ++library) {
    const auto fields = list->at(library);
    for (std::size_t i = 0; i + 1 < fields.size(); i += 2) {
      if (fields.at(i).text() == "library_code") held = fields.at(i + 1).text();
    }
  }
  if (held == kLibraryCode) return {};
  if (library_version(held) > library_version(kLibraryCode)) {
    return fatal(fmt::format(
        "redis {}: the server holds version {} of our function library, this daemon brings {}; "
        "upgrade this daemon",
        client_->server(),
        library_version(held),
        library_version(kLibraryCode)));
  }
  if (auto done = client_->run({"FUNCTION", "LOAD", "REPLACE", kLibraryCode}); !done)
    return done.error();
  return {};
}

Result<Cursor> RedisSink::claim(const std::string& org) {
  const auto key = config_.prefix + "cursor:" + org;
  const auto reply = client_->run({"FCALL",
                                   "headwater_claim",
                                   "1",
                                   key,
                                   holder_.holder,
                                   std::to_string(config_.claim_wait.count())});
  if (!reply) {
    auto error = reply.error();
    // Nothing to put aside here: somebody else's key stands where our cursor belongs.
    if (error.kind == ErrorKind::Rejected) error.kind = ErrorKind::Blocked;
    return error;
  }
  if (reply->size() == 3 && reply->at(0).text() == "held") {
    if (was_ours_) {
      // Ours was the target, so this is no claim that waits for its turn.
      fenced_ = taken_over(
          fmt::format("redis {}: claim {}: another daemon has taken over this target ({}); stop "
                      "one of the two, then restart",
                      client_->server(),
                      key,
                      reply->at(1).text()));
      return *fenced_;
    }
    const auto age = reply->at(2).integer();
    return claim_refused(fmt::format("redis {}: claim {}: held by another daemon ({}), which wrote "
                                     "{} s ago; stop it, or wait "
                                     "until it has been silent for {} s",
                                     client_->server(),
                                     key,
                                     reply->at(1).text(),
                                     age,
                                     config_.claim_wait.count() / 1000),
                         config_.claim_wait - std::chrono::seconds{age});
  }
  if (reply->size() != 5) {
    return transient(fmt::format(
        "redis {}: claim {}: an answer that is not our function's", client_->server(), key));
  }
  Cursor cursor{org,
                std::string(reply->at(1).text()),
                Rev(reply->at(3).number()),
                reply->at(2).number(),
                Rev(reply->at(4).number())};
  OrgCursor& kept = cursors_.emplace_back();
  kept.org = org;
  kept.key = key;
  kept.epoch = cursor.epoch;
  kept.stored = cursor.rev.value;
  kept.highest = cursor.highest.value;
  return cursor;
}

Result<void> RedisSink::write(const Batch& batch) {
  if (fenced_) return *fenced_;
  if (!client_ || !client_->alive() || cursors_.empty()) {
    return connection_error(config_.endpoint.str(), "write", "not open");
  }
  renderer_.coalesce(batch);
  if (renderer_.records() == 0) {
    owe(batch.cursors);  // no data that the cursor would have to wait for
    return flush_owed();
  }
  if (auto done = read_held(); !done) return done;
  pipeline_.clear();
  add_cursor_calls(batch.cursors);
  renderer_.write(pipeline_);
  if (auto done = send_and_check(); !done) return done;
  if (renderer_.restart_at_seams()) {
    if (auto done = read_held(); !done) return done;
    pipeline_.clear();
    renderer_.write(pipeline_);
    if (auto done = send_and_check(); !done) return done;
  }
  owe(batch.cursors);
  return {};
}

Result<void> RedisSink::read_held() {
  held_.clear();
  if (renderer_.needs_held().empty()) return {};
  pipeline_.clear();
  renderer_.ask_held(pipeline_);
  if (auto sent = client_->send(pipeline_); !sent) return sent;
  std::optional<Error> first;
  for (const auto record : renderer_.needs_held()) {
    auto reply = client_->receive();
    if (!reply) return reply.error();
    if (reply->is_error()) {
      if (!first) first = classify(client_->server(), "HMGET", reply->text());
    } else if (reply->size() == 2 && !reply->at(0).is_nil()) {
      renderer_.held(record, reply->at(0).number(), reply->at(1).text());
      held_.push_back(std::move(reply).value());
    }
  }
  if (first) return *first;
  return {};
}

void RedisSink::add_cursor_calls(std::span<const CursorMove> moves) {
  for (auto& cursor : cursors_) {
    const auto move = std::find_if(
        moves.begin(), moves.end(), [&](const CursorMove& m) { return m.org == cursor.org; });
    if (move == moves.end() && !cursor.owed) continue;
    cursor.brings = cursor.highest;
    if (move != moves.end()) cursor.brings = std::max(cursor.brings, move->rev.value);
    if (cursor.owed) cursor.brings = std::max(cursor.brings, cursor.owed->rev.value);
    pipeline_.function({kCursorFunction, 1}, 1, cursor.owed ? 11 : 5);
    pipeline_.arg(cursor.key);
    pipeline_.arg(holder_.holder);
    pipeline_.arg(cursor.epoch);
    pipeline_.arg(cursor.stored);
    pipeline_.arg(cursor.highest);
    pipeline_.arg(cursor.brings);
    cursor.asked = true;
    if (!cursor.owed) continue;
    pipeline_.arg("ledger");
    pipeline_.arg(holder_.ledger);
    pipeline_.arg("rev");
    pipeline_.arg(cursor.owed->rev.value);
    pipeline_.arg("commit_ts");
    pipeline_.arg(cursor.owed->commit_ts);
  }
}

Result<void> RedisSink::send_and_check() {
  if (auto sent = client_->send(pipeline_); !sent) return sent;
  std::optional<Error> first;
  auto cursor = cursors_.begin();
  std::size_t puts = 0;
  for (const auto& call : pipeline_.calls()) {
    const auto reply = client_->receive();
    if (!reply) return reply.error();
    if (reply->is_error() && !first)
      first = classify(client_->server(), describe(call), reply->text());
    if (call.name == kPutFunction) {
      for (std::size_t i = 0; i < reply->size(); ++i) {
        renderer_.seam(puts, reply->at(i).number() - 1);
      }
      ++puts;
    }
    if (call.name != kCursorFunction) continue;
    while (!cursor->asked) ++cursor;  // cursor calls went out in the cursors' order
    cursor->asked = false;
    if (reply->is_error()) continue;
    cursor->highest = cursor->brings;
    if (cursor->owed) {
      cursor->stored = cursor->owed->rev.value;
      cursor->owed.reset();
    }
  }
  if (!first) return {};
  if (first->code == kTakenOver) fenced_ = first;
  return *first;
}

void RedisSink::owe(std::span<const CursorMove> moves) {
  for (const auto& move : moves) {
    const auto cursor = std::find_if(
        cursors_.begin(), cursors_.end(), [&](const OrgCursor& c) { return c.org == move.org; });
    HEADWATER_ASSERT(cursor != cursors_.end());  // the loop moves only what it has opened
    cursor->owed = move;
  }
}

Result<void> RedisSink::flush_owed() {
  pipeline_.clear();
  add_cursor_calls({});
  if (pipeline_.calls().empty()) return {};
  return send_and_check();
}

Result<void> RedisSink::idle() {
  if (fenced_) return *fenced_;
  if (!client_ || !client_->alive()) {
    return connection_error(config_.endpoint.str(), "idle", "not open");
  }
  return flush_owed();
}

void RedisSink::close() noexcept {
  // Without this a clean stop would make the next start repeat one batch: harmless, so a failure
  // may pass.
  if (client_ && client_->alive()) (void)flush_owed();
  client_.reset();
  cursors_.clear();
}

}  // namespace headwater::redis
