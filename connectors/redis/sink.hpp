#pragma once

#include <optional>
#include <string>
#include <vector>

#include "connectors/redis/client.hpp"
#include "connectors/redis/config.hpp"
#include "connectors/redis/render.hpp"
#include "connectors/sink.hpp"

namespace headwater::redis {

inline constexpr std::string_view kCursorFunction = "headwater_cursor";

/// Keeps Redis in step: records, relation sets, the feed.
///
///   open:   connect, log in, check the server, load our function library, claim every org's cursor
///   write:  ONE pipeline: per org check(epoch, cursor) and advance to the last batch whose replies
///   were all good;
///           then relations, records, feed, each guarded by rev
///           (a second round trip only where a record does not hold what its entry builds on:
///           Renderer's seams)
///   idle:   the cursor still owed goes out alone
///
/// The cursor never runs ahead of the data: it moves only after every reply of its batch was good,
/// and what a server loses (append-only file, replica) is a suffix, so the cursor goes first. A
/// repeat changes nothing. A fenced sink stays Fatal for good; the pipeline whose check told it so
/// may have left its records behind, guarded by rev like all. Used by one thread.
class RedisSink final : public Sink {
 public:
  RedisSink(RedisConfig config, Holder holder);

  Result<std::vector<Cursor>> open(std::span<const std::string> orgs) override;
  Result<void> write(const Batch& batch) override;
  Result<void> idle() override;
  /// Sends the cursor still owed, if the connection is healthy.
  void close() noexcept override;

  std::size_t entries_max() const override { return config_.entries_max; }
  std::size_t bytes_max() const override { return config_.bytes_max; }

  /// What the last open() found that works but may hurt, one sentence each.
  const std::vector<std::string>& warnings() const override { return warnings_; }

 private:
  struct OrgCursor {
    std::string org, key;
    std::uint64_t epoch = 0;
    std::uint64_t stored = 0;        // rev in the server
    std::uint64_t highest = 0;       // rev of any record in the server
    std::uint64_t brings = 0;        // that, once the pipeline under way is there
    std::optional<CursorMove> owed;  // of a batch that is complete; its org's text is not used
    bool asked = false;              // the pipeline under way has a call for it
  };

  Result<void> log_in();
  Result<void> check_server();
  Result<void> load_library();
  Result<Cursor> claim(const std::string& org);
  Result<void> read_held();
  Result<void> send_and_check();
  void add_cursor_calls(std::span<const CursorMove> moves);
  void owe(std::span<const CursorMove> moves);
  Result<void> flush_owed();

  RedisConfig config_;
  Holder holder_;
  std::optional<Client> client_;
  std::vector<OrgCursor> cursors_;
  bool was_ours_ = false;  // every org, at an open before
  std::optional<Error>
      fenced_;  // somebody claimed after us: this object never writes nor claims again
  std::vector<std::string> warnings_;
  Renderer renderer_;
  Pipeline pipeline_;
  std::vector<OwnedReply> held_;  // keeps the texts that the renderer borrows
};

}  // namespace headwater::redis
