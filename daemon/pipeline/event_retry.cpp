#include "daemon/pipeline/event_retry.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

namespace headwater {
namespace {

using ledger::Closing;

/// Of an event whose header could not be read: nobody knows its records, a stretch hole stands for
/// them.
bool is_headless(const ledger::QuarantineRow& row, const ledger::StreamKey& stream) {
  return row.stage == "decode" && row.id.empty() && row.org == stream.org &&
         row.topic == stream.topic;
}

/// Null of a field that was hidden from our user when it was committed is no value.
void leave_out_hidden(const std::vector<HiddenFields::Mute>& hidden,
                      avro::Scratch& scratch,
                      EventView& event) {
  const auto says_nothing = [&](const Member& member) {
    if (!member.value.is_null()) return false;
    const auto at = std::ranges::lower_bound(hidden, member.name, {}, &HiddenFields::Mute::name);
    return at != hidden.end() && at->name == member.name && event.commit_ts <= at->until;
  };
  if (std::none_of(event.fields.begin(), event.fields.end(), says_nothing)) return;
  const auto kept = scratch.array<Member>(event.fields.size());
  const auto end =
      std::remove_copy_if(event.fields.begin(), event.fields.end(), kept.begin(), says_nothing);
  event.fields = kept.first(static_cast<std::size_t>(end - kept.begin()));
}

}  // namespace

Result<void> read_event(const salesforce::FetchedEvent& event,
                        SchemaBook::Page& page,
                        avro::Scratch& scratch,
                        EventView& out) {
  auto decoded = page.decoder->decode(event.payload, scratch, out);
  out.schema_id = event.schema_id;
  out.replay_id = event.replay_id;
  out.event_uuid = event.uuid;
  out.payload_bytes = event.payload.size();
  if (decoded && out.entity != page.object) {
    return rejected(fmt::format("event speaks of {} under a schema of {}", out.entity, page.object),
                    "entity");
  }
  if (decoded && page.hidden) leave_out_hidden(*page.hidden, scratch, out);
  return decoded;
}

Result<void> read_event(const salesforce::FetchedEvent& event,
                        SchemaBook::Page& page,
                        avro::Scratch& scratch,
                        PlatformEventView& out) {
  auto decoded = page.platform->decode(event.payload, scratch, out);
  out.schema_id = event.schema_id;
  out.replay_id = event.replay_id;
  out.event_uuid = event.uuid;
  return decoded;
}

/// Decodes and applies; what came of it. Rejected: it is undecodable still.
Result<std::string> EventRetry::apply(const salesforce::FetchedEvent& fetched,
                                      SchemaBook::Page& page) {
  avro::Scratch scratch;
  EventView event;
  PlatformEventView platform;
  ledger::IngestBatch batch;
  batch.stream = stream_;
  if (page.platform) {
    if (auto read = read_event(fetched, page, scratch, platform); !read) return read.error();
    batch.platform = {&platform, 1};
  } else {
    if (auto read = read_event(fetched, page, scratch, event); !read) return read.error();
    batch.events = {&event, 1};
  }
  const auto applied = ledger_.apply(batch);
  if (!applied) return applied.error();
  if (page.platform) {
    return fmt::format("decoded as {}: {}",
                       platform.name,
                       applied->repeats > 0 ? "it had come again by itself"
                                            : "it follows the events that came since");
  }
  return fmt::format("decoded as {} of {} and applied: {} changes, {} contained already",
                     to_string(event.type),
                     event.entity,
                     applied->entries,
                     applied->unchanged);
}

Result<std::string> EventRetry::run(const RetryRequest& request) {
  const ledger::QuarantineRow& row = request.row;
  if (!org_ready_.load()) return transient("the org is not known yet; nothing was tried");
  if (ledger_.journal().full)
    return transient("the journal is at journal.bytes_max; nothing was tried");
  const auto fail = [&](const Error& error) -> Result<std::string> {
    if (error.kind != ErrorKind::Rejected)
      return Error{error.kind, error.message + "; not counted as a try", error.code};
    if (const auto counted = ledger_.retry_failed(row, error); !counted) return counted.error();
    return error;
  };
  schemas_.forget_refusal(row.schema_id);
  auto page = schemas_.find(row.schema_id);
  if (!page) return fail(page.error());
  auto applied = apply({row.payload, row.schema_id, row.replay_id, {}}, **page);
  if (!applied) return fail(applied.error());
  Closing closing;
  closing.how = Closing::How::Retried;
  closing.by = request.by;
  closing.evidence = std::move(*applied);
  if (auto closed = ledger_.close_quarantined(row, closing); !closed) return closed.error();
  if (is_headless(row, stream_)) {
    if (auto closed = close_stretch(row); !closed) return closed.error();
  }
  return closing.evidence;
}

/// The stretch that such events opened is repaired once every one of them was decoded. One that was
/// given up proves nothing.
Result<void> EventRetry::close_stretch(const ledger::QuarantineRow& row) {
  const auto holes = ledger_.holes();
  const auto hole = std::find_if(holes.begin(), holes.end(), [&](const auto& item) {
    return item.scope == ledger::Hole::Scope::Stretch && item.org == row.org &&
           item.topic == row.topic && item.cause == "undecodable";
  });
  if (hole == holes.end()) return {};
  const auto is_of_it = [&](const auto& item) {
    return is_headless(item, stream_) && item.closing.how != Closing::How::Retried &&
           item.last_seen >= hole->opened_at;
  };
  const auto open = ledger_.quarantined(ledger_.quarantine_open());
  if (std::any_of(open.begin(), open.end(), is_of_it)) return {};
  const auto closed = ledger_.quarantine_closed(SIZE_MAX);
  if (std::any_of(closed.begin(), closed.end(), is_of_it)) return {};
  return ledger_.close_hole(
      *hole,
      {Closing::How::Repaired, "quarantine retry", "each of its events was decoded later", 0});
}

}  // namespace headwater
