#include <fmt/format.h>

#include <boost/json.hpp>

#include "daemon/verify/verifier.hpp"
#include "schemas/core/json_members.hpp"

// Platform events: the journal, the tables and the topics against each other.

namespace headwater::verify {
namespace {

namespace json = boost::json;

const char* const kEvents = "platform events";

/// Nothing: no envelope of an event.
std::optional<HeldEvent> event_of(const kafka::ReadMessage& message) {
  boost::system::error_code broken;
  const auto text = message.value.value_or("");
  const auto envelope = json::parse({text.data(), text.size()}, broken);
  if (broken || !envelope.is_object()) return std::nullopt;
  const auto* source = envelope.get_object().if_contains("source");
  if (source == nullptr || !source->is_object()) return std::nullopt;
  const auto& told = source->get_object();
  return HeldEvent{text_of(told, "topic"),
                   text_of(told, "replay_id"),
                   text_of(told, "event_uuid"),
                   Rev{message.rev}};
}

}  // namespace

Result<void> Verifier::events_of_ledger(EventView& view, Check& check) {
  EventView::Place place;
  place.name = "the journal";
  place.journal = true;
  const auto status = ledger_.document("status");
  if (!status) return status.error();
  const auto head = status->at("ledger").at("head_rev").to_number<std::uint64_t>();
  for (const auto& org : places_.orgs) place.passed[org.name] = head;
  const auto at = view.add_place(std::move(place));
  std::uint64_t after = 0, events = 0, first = 0;
  while (true) {
    const auto told = ledger_.document(fmt::format("events {}", after));
    if (!told) return told.error();
    for (const auto& item : told->at("events").as_array()) {
      const auto& it = item.as_object();
      const HeldEvent event{text_of(it, "topic"),
                            text_of(it, "replay_id"),
                            text_of(it, "uuid"),
                            Rev{it.at("rev").to_number<std::uint64_t>()}};
      if (auto added = view.add(at, text_of(it, "org"), event); !added) return added;
      ++events;
    }
    first = told->at("first").to_number<std::uint64_t>();
    view.born(told->at("birth").to_number<std::uint64_t>());
    if (told->at("done").as_bool()) break;
    after = told->at("read_to").to_number<std::uint64_t>();
  }
  // What was trimmed while we read is not expected any more.
  for (const auto& org : places_.orgs) view.begins(at, org.name, first);
  check.note += fmt::format("{} in the journal", events);
  return {};
}

Result<void> Verifier::events_of_log(Places::Log& log, EventView& view, Check& check) {
  EventView::Place place;
  place.name = log.name;
  place.passed = work(log.name + " records = ledger").cursors;
  const auto at = view.add_place(std::move(place));
  auto extent = log.reader->extent("events.");
  if (!extent) return std::move(extent).error();
  ConsumerRule rule;
  std::uint64_t events = 0, late = 0;
  Result<void> added;
  const auto done =
      log.reader->read(extent->first, extent->ends, [&](const kafka::ReadMessage& message) {
        const auto says = rule.take(message);
        if (says == ConsumerRule::Says::Late) ++late;
        if (says == ConsumerRule::Says::Again)
          differ(work(kEvents),
                 "",
                 fmt::format("{}: the event with rev {} at offset {} of partition {} of {} came "
                             "behind rev {}, where readers drop it",
                             log.name,
                             message.rev,
                             message.offset,
                             message.partition,
                             message.topic,
                             rule.behind()));
        if (says != ConsumerRule::Says::Taken) return;
        ++events;
        const auto event = event_of(message);
        if (!event)
          differ(work(kEvents),
                 "",
                 fmt::format("{}: the message at offset {} of partition {} of {} is no event",
                             log.name,
                             message.offset,
                             message.partition,
                             message.topic));
        else if (added)
          added = view.add(at, std::string(message.org), *event);
      });
  if (!done) return done;
  if (log.transactions && late > 0)
    differ(work(kEvents),
           "",
           fmt::format("{}: {} events came twice, though in transactions", log.name, late));
  check.note += fmt::format("{} in {} ({} late repeats dropped), ", events, log.name, late);
  return added;
}

Result<void> Verifier::compare_events() {
  if (!places_.platform_events) return {};
  Work& mine = work(kEvents);
  mine.check.name = kEvents;
  EventView view;
  for (auto& target : places_.targets) {
    EventView::Place place;
    place.name = target.name;
    place.passed = work(target.name + " = ledger").cursors;
    const auto at = view.add_place(std::move(place));
    std::uint64_t events = 0;
    for (const auto& org : places_.orgs) {
      const auto held = target.reader->each_event(org.name, [&](const HeldEvent& event) {
        ++events;
        return view.add(at, org.name, event);
      });
      if (!held) return failed(mine, held.error()), Result<void>{};
      if (!*held) view.keeps_none(at);
    }
    if (events > 0) mine.check.note += fmt::format("{} in {}, ", events, target.name);
  }
  // The journal last: what it no longer has then was not to be expected before either.
  for (std::size_t i = 0; i < places_.logs.size(); ++i) {
    if (auto read = events_of_log(places_.logs[i], view, mine.check); !read)
      return failed(mine, read.error()), Result<void>{};
  }
  if (auto read = events_of_ledger(view, mine.check); !read) return read;
  const auto compared = view.compare([&](std::string what) { differ(mine, "", std::move(what)); });
  if (!compared) return compared.error();
  mine.check.compared = *compared;
  return {};
}

}  // namespace headwater::verify
