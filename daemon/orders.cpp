#include "daemon/orders.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <optional>

#include "daemon/observe/log.hpp"
#include "daemon/order_words.hpp"
#include "daemon/status.hpp"

namespace headwater {
namespace {

namespace json = boost::json;
using ledger::Closing;

/// `N [by=WHO] [REASON…]`
struct Order {
  std::optional<Rev> number;
  std::string by;
  std::string reason;
};

Order parse(std::string_view line, const runtime::Peer& peer) {
  Order order;
  const std::string number = next_word(line);
  std::uint64_t value = 0;
  const auto parsed = std::from_chars(number.data(), number.data() + number.size(), value);
  if (parsed.ec == std::errc() && parsed.ptr == number.data() + number.size() && value != 0)
    order.number = Rev{value};
  order.by = who_asks(line, peer);
  order.reason = line;
  for (char& c : order.reason) {
    if (static_cast<unsigned char>(c) < ' ') c = ' ';
  }
  while (!order.reason.empty() && order.reason.back() == ' ') order.reason.pop_back();
  return order;
}

constexpr std::string_view kNoReason =
    "give a reason: it is kept with your name for those who ask later";

/// What a record says, without what it holds: names stay, values go.
void redact(json::value& value) {
  if (value.is_object()) {
    for (auto& member : value.as_object()) redact(member.value());
  } else if (value.is_array()) {
    for (auto& item : value.as_array()) redact(item);
  } else if (!value.is_null()) {
    value = "***";
  }
}

}  // namespace

void Orders::quarantine(const std::string& arguments,
                        const runtime::Peer& peer,
                        runtime::Reply reply) {
  std::string_view line = arguments;
  const std::string verb = next_word(line);
  const std::string rest(line);
  if (verb.empty() || verb == "list") {
    reply(quarantine_json(ledger_, rest == "all"));
  } else if (verb == "show") {
    reply(show(rest, peer));
  } else if (verb == "retry") {
    retry(rest, peer, std::move(reply));
  } else if (verb == "discard") {
    reply(discard(rest, peer));
  } else {
    reply(refused("unknown command; known are quarantine list, show, retry, discard"));
  }
}

std::string Orders::show(const std::string& arguments, const runtime::Peer& peer) {
  const Order order = parse(arguments, peer);
  if (!order.number) return refused("which row? give its number, as `quarantine list` shows it");
  const auto row = ledger_.quarantine_row(*order.number);
  if (!row) return refused(fmt::format("there is no quarantine row {}", order.number->value));
  const bool values = order.reason == "values";
  if (values && !peer.may_operate) return refused("field values: " + *lacks_right(peer));
  json::object out = quarantine_object(*row);
  add_content(out, *row, values);
  return json::serialize(out);
}

/// The bytes as far as they may be shown: a sink's row holds an entry of ours, an event's row what
/// the org sent, of which nobody knows which of its bytes are a person's.
void Orders::add_content(json::object& out, const ledger::QuarantineRow& row, bool values) {
  if (row.payload.empty()) return;
  if (row.entry_rev.value == 0) {
    out["payload_hex"] = values ? json::value(to_hex(row.payload)) : json::value(nullptr);
    return;
  }
  EntryBatch batch;
  if (const auto read = batch.add(row.entry_rev, row.payload, ledger_); !read) {
    out["unreadable"] = read.error().message;
    return;
  }
  // A value may be JSON of the org's: nested as deep as its schema, and of a damaged row anything.
  boost::system::error_code failed;
  json::parse_options options;
  options.max_depth = 256;
  json::value record = json::parse(record_json(batch.entries().front()), failed, {}, options);
  if (failed) {
    out["unreadable"] = "the record holds a value that is no JSON: " + failed.message();
    return;
  }
  if (!values) {
    for (const char* section : {"fields", "extra", "raw"}) {
      if (auto* found = record.as_object().if_contains(section)) redact(*found);
    }
  }
  out["record"] = std::move(record);
}

void Orders::retry(const std::string& arguments, const runtime::Peer& peer, runtime::Reply reply) {
  const Order order = parse(arguments, peer);
  if (const auto lack = lacks_right(peer)) return reply(refused(*lack));
  if (!order.number)
    return reply(refused("which row? give its number, as `quarantine list` shows it"));
  auto row = ledger_.quarantine_row(*order.number);
  if (!row)
    return reply(refused(fmt::format("there is no quarantine row {}", order.number->value)));
  if (row->closing.how != Closing::How::Open) {
    return reply(refused(fmt::format("row {} is {} since {}",
                                     row->rev.value,
                                     to_string(row->closing.how),
                                     format_datetime(row->closing.at))));
  }
  log::info("a quarantined row is tried again", {{"row", row->rev.value}, {"by", order.by}});
  RetryRequest request;
  request.row = std::move(*row);
  request.by = order.by;
  request.done = [reply, number = order.number->value](const Result<std::string>& what) {
    reply(what ? done(fmt::format("row {} is closed: {}", number, *what))
               : refused(fmt::format("row {} stays: {}", number, what.error().message)));
  };
  if (auto taken = try_again_(request); !taken)
    reply(refused(fmt::format("row {} stays: {}", order.number->value, taken.error().message)));
}

std::string Orders::discard(const std::string& arguments, const runtime::Peer& peer) {
  const Order order = parse(arguments, peer);
  if (const auto lack = lacks_right(peer)) return refused(*lack);
  if (!order.number) return refused("which row? give its number, as `quarantine list` shows it");
  if (order.reason.empty()) return refused(std::string(kNoReason));
  const auto row = ledger_.quarantine_row(*order.number);
  if (!row) return refused(fmt::format("there is no quarantine row {}", order.number->value));
  const auto closed = ledger_.close_quarantined(
      *row, {Closing::How::Discarded, order.by, order.reason, clock_.now_ms()});
  if (!closed) return refused(closed.error().message);
  if (!*closed) {
    return refused(fmt::format("row {} is {} since {}",
                               row->rev.value,
                               to_string(row->closing.how),
                               format_datetime(row->closing.at)));
  }
  log::warning("a quarantined row is discarded, its bytes are gone",
               {{"row", row->rev.value}, {"by", order.by}, {"reason", order.reason}});
  return done(fmt::format("row {} is discarded by {}", row->rev.value, order.by));
}

std::string Orders::close_hole(const std::string& arguments, const runtime::Peer& peer) {
  const Order order = parse(arguments, peer);
  if (const auto lack = lacks_right(peer)) return refused(*lack);
  if (!order.number) {
    return refused(
        "which hole? give its number, as `holes` shows it; one of a single record has none and "
        "closes by itself once the record is read again");
  }
  if (order.reason.empty()) return refused(std::string(kNoReason));
  const auto open = ledger_.holes();
  const auto hole = std::find_if(
      open.begin(), open.end(), [&](const auto& item) { return item.rev == *order.number; });
  if (hole == open.end())
    return refused(fmt::format("there is no open hole {}", order.number->value));
  const auto closed =
      ledger_.close_hole(*hole, {Closing::How::Accepted, order.by, order.reason, clock_.now_ms()});
  if (!closed) return refused(closed.error().message);
  log::warning("a hole is accepted by a person, not repaired",
               {{"hole", hole->rev.value},
                {"cause", hole->cause},
                {"by", order.by},
                {"reason", order.reason}});
  return done(fmt::format("hole {} is accepted by {}, not repaired: what it may hide stays unknown",
                          hole->rev.value,
                          order.by));
}

}  // namespace headwater
