#include "tests/sim/checks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <sstream>

#include "daemon/audit/receipt.hpp"
#include "daemon/ledger/hole_causes.hpp"

namespace headwater::sim {
namespace {

/// A field of an image as the org would have said it; nothing if it is null or not there.
std::optional<std::string> value_in(const ImageView& image, const SimField& field) {
  const ValueView* value = image.find(field.section, field.canonical);
  if (value == nullptr || value->is_null()) return std::nullopt;
  if (value->holds_text()) return std::string(value->text);
  return std::to_string(value->number);
}

std::uint64_t seq_of(const ImageView& image) {
  const ValueView* value = image.find(Section::Extra, kSeqField);
  std::uint64_t seq = 0;
  if (value != nullptr && value->holds_text()) {
    std::from_chars(value->text.data(), value->text.data() + value->text.size(), seq);
  }
  return seq;
}

const ImageView& image_of(const EntryView& entry) {
  return entry.meta.deleted ? entry.old : entry.after;
}

/// The first field that differs and is not excused, in words; empty if none does. Without `later`,
/// but for fields that a row may lack because the org got them after it was described to us.
std::string difference(const SimRecord& record,
                       const Point& point,
                       const ImageView& image,
                       bool later,
                       const std::function<bool(std::size_t)>& excused) {
  for (std::size_t i = 0; i < point.values.size(); ++i) {
    const SimField& field = record.object->fields[i];
    if (field.later && !later) continue;
    const auto found = value_in(image, field);
    if (found == point.values[i]) continue;
    if (excused(i)) continue;
    return fmt::format("{} is {} and was {} in the org",
                       field.name,
                       found.value_or("null"),
                       point.values[i].value_or("null"));
  }
  return {};
}

/// The first deletion after a change; 0: there is none.
std::uint64_t deletion_after(const SimRecord& record, std::uint64_t seq) {
  for (const Point& point : record.history) {
    if (point.seq > seq && point.deleted) return point.seq;
  }
  return 0;
}

[[noreturn]] void broken(const std::string& what) { throw Violation(what); }

}  // namespace

void Watch::reopened(ledger::Ledger& ledger, bool older_copy) {
  const std::uint64_t head = ledger.head().value;
  if (older_copy) {
    journal_.clear();  // taken anew by adopt(): the start may have told more already
    dropped_ = 0;
    latest_.clear();
    reached_.clear();
    topics_.clear();
    verified_events_ = 0;
    if (!ledger.position({kOrg, kTopic})) subscriptions_.anchored = false;
  }
  if (head < seen()) {
    broken(fmt::format("visible: head was {} and is {} after a start", seen(), head));
  }
}

void Watch::forget(const SimTarget& target) { topics_.erase(target.name()); }

void Watch::read_holes(const ledger::Ledger& ledger) {
  holes_.clear();
  if (ledger.holes_open() == 0) return;
  for (const auto& hole : ledger.holes()) {
    if (hole.scope == ledger::Hole::Scope::Record) {
      holes_.insert(hole.org + ":" + hole.object + ":" + hole.id);
    }
  }
}

void Watch::look(ledger::Ledger& ledger, const std::vector<SimTarget*>& targets) {
  read_journal(ledger, targets, true);
  check_position(ledger);
}

void Watch::adopt(ledger::Ledger& ledger, const std::vector<SimTarget*>& targets) {
  // All that it told may be trimmed away: then nothing can be read of it.
  if (ledger.journal().entries == 0) dropped_ = ledger.head().value;
  read_journal(ledger, targets, false);
  // Of what its journal tells no more nobody knows whether it was in doubt.
  for (const auto& [key, record] : org_.records()) {
    if (level(ledger, key).deleted) gone_in_doubt_.insert(key);
  }
  // What stands up to its position was looked at when it was written.
  const auto position = ledger.position({kOrg, kTopic});
  const auto index = position ? org_.index_of(position->replay_id.bytes()) : std::nullopt;
  verified_events_ = index ? *index + 1 : 0;
}

void Watch::read_journal(ledger::Ledger& ledger,
                         const std::vector<SimTarget*>& targets,
                         bool check) {
  if (ledger.head().value > seen()) {
    read_holes(ledger);
    batch_.clear();
    const auto read = ledger.read(
        Rev{std::max(seen(),
                     ledger.journal().first.value == 0 ? 0 : ledger.journal().first.value - 1)},
        100'000,
        1U << 30,
        batch_);
    if (!read) broken("visible: the journal cannot be read: " + read.error().message);
    const auto entries = batch_.entries();
    for (std::size_t i = 0; i < entries.size(); ++i) {
      // A record that owes a projection or a stamp is told before a row is applied to it, as it was
      // known: the same write that ends its doubt tells it right.
      const auto& entry = entries[i];
      const bool told_again =
          std::ranges::any_of(entries.subspan(i + 1),
                              [&](const EntryView& later) { return later.rkey == entry.rkey; }) &&
          (entry.origin.type == ChangeType::Remap || says_nothing_new(entry));
      note(entry, targets, check && !told_again);
    }
    if (journal_.empty() || journal_.back().rev != ledger.head().value) {
      broken(fmt::format("visible: head is {} but the journal ends before", ledger.head().value));
    }
  }
}

bool Watch::says_nothing_new(const EntryView& entry) const {
  const auto last = latest_.find(std::string(entry.rkey));
  return last != latest_.end() &&
         text_of(entry).substr(1) == std::string_view(journal_[last->second].text).substr(1);
}

void Watch::note(const EntryView& entry, const std::vector<SimTarget*>& targets, bool check) {
  Told told;
  told.rev = entry.meta.rev.value;
  told.key = entry.rkey;
  told.text = text_of(entry);
  told.record = entry.kind == EntryKind::Record;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    if (targets[i]->poison(entry)) told.poison |= 1U << i;
  }
  if (!journal_.empty() && told.rev <= journal_.back().rev) {
    broken(fmt::format("order: rev {} after {}", told.rev, journal_.back().rev));
  }
  world_.trace.line(fmt::format("  {} {} rev {} ver {} as of {}{}{}{} by {}",
                                told.key,
                                told.text[0],
                                told.rev,
                                entry.meta.version.str(),
                                told.record ? seq_of(image_of(entry)) : 0,
                                entry.meta.deleted ? " deleted" : "",
                                entry.meta.complete ? " complete" : "",
                                in_doubt(told.key) ? " in doubt" : "",
                                to_string(entry.origin.type)));
  world_.trace.bytes(told.text);
  if (told.record) {
    latest_[told.key] = journal_.size();
    note_values(told.key, image_of(entry));
    if (check) {
      check_image(entry);
    } else if (entry.meta.deleted) {
      gone_in_doubt_.insert(told.key);  // whether it was in doubt then is not known
    } else {
      gone_in_doubt_.erase(told.key);
    }
  }
  journal_.push_back(std::move(told));
}

/// Which fields had a value once.
void Watch::note_values(const std::string& key, const ImageView& image) {
  if (world_.faults.hide == 0) return;
  const SimRecord* record = org_.find(key);
  if (record == nullptr) return;
  for (const SimField& field : record->object->fields) {
    if (value_in(image, field)) valued_.emplace(key, field.name);
  }
}

void Watch::check_image(const EntryView& entry) {
  const std::string key(entry.rkey);
  const SimRecord* record = org_.find(key);
  if (record == nullptr) broken(fmt::format("image: the org never had {}", key));
  const std::uint64_t seq = seq_of(image_of(entry));
  const bool certain = entry.meta.complete && !in_doubt(key);
  std::uint64_t& reached = reached_[key];
  if (!entry.meta.deleted) gone_in_doubt_.erase(key);
  if (!certain) {
    reached = 0;  // it may be put right by whatever is true
    if (entry.meta.deleted) gone_in_doubt_.insert(key);
    return;
  }
  const Point* point = record->at(seq);
  if (point == nullptr) broken(fmt::format("image: {} as of change {}: never so", key, seq));
  // The last image of a record that was gone when it was read again is what we knew: nobody can say
  // any more what its doubt was about.
  const bool seen = !entry.meta.deleted ||
                    (entry.origin.type == ChangeType::Delete && gone_in_doubt_.count(key) == 0);
  if (const auto what =
          difference(*record, *point, image_of(entry), false, hidden_of(*record, image_of(entry)));
      seen && !what.empty()) {
    broken(
        fmt::format("image: {} rev {} as of change {}: {}", key, entry.meta.rev.value, seq, what));
  }
  std::uint64_t now = seq;
  if (entry.meta.deleted) {
    now = deletion_after(*record, seq);
    if (now == 0) {
      broken(fmt::format(
          "deletion: {} rev {} was never deleted after change {}", key, entry.meta.rev.value, seq));
    }
  } else if (point->deleted) {
    broken(
        fmt::format("deletion: {} rev {} is alive as of its deletion", key, entry.meta.rev.value));
  }
  if (now < reached) {
    broken(fmt::format("image: {} rev {} goes back from change {} to {}",
                       key,
                       entry.meta.rev.value,
                       reached,
                       now));
  }
  reached = now;
}

/// Of a field that was hidden from our user we may know an old value, which it had at some change;
/// null if it was so, or if we never knew another.
std::function<bool(std::size_t)> Watch::hidden_of(const SimRecord& record,
                                                  const ImageView& image) const {
  return [this, &record, &image](std::size_t i) {
    const SimField& field = record.object->fields[i];
    const auto& hidden = org_.hidden();
    if (!hidden || hidden->object != record.object->name || hidden->field != field.name)
      return false;
    const auto value = value_in(image, field);
    return (!value && !valued_.contains({record.rkey(), field.name})) ||
           std::ranges::any_of(record.history,
                               [&](const Point& point) { return point.values[i] == value; });
  };
}

Watch::Level Watch::level(ledger::Ledger& ledger, const std::string& rkey) {
  EntryBatch batch;
  const auto key = RecordKey::parse(rkey);
  const auto found = ledger.get(*key, batch);
  if (!found || !*found) return {};
  const EntryView& entry = batch.entries()[0];
  return {true, entry.meta.deleted, seq_of(image_of(entry))};
}

void Watch::check_position(ledger::Ledger& ledger) {
  const auto position = ledger.position({kOrg, kTopic});
  if (!position || position->replay_id.empty()) return;
  subscriptions_.anchored = true;
  const auto index = org_.index_of(position->replay_id.bytes());
  if (!index) {
    if (position->replay_id.bytes() != "tip") broken("position: none that the bus ever gave");
    return;
  }
  if (*index < verified_events_) return;
  read_holes(ledger);
  for (; verified_events_ <= *index; ++verified_events_) {
    if (verified_events_ >= subscriptions_.owed_from) check_event(ledger, verified_events_);
  }
}

void Watch::check_event(ledger::Ledger& ledger, std::size_t index) {
  const BusEvent& event = org_.bus()[index];
  for (const SimRecord* record : event.records) {
    const std::string key = record->rkey();
    if (in_doubt(key)) continue;
    const Level at = level(ledger, key);
    const bool there =
        event.type == ChangeType::Delete
            ? at.deleted || at.seq > event.seq
            : at.seq >= event.seq || (at.deleted && deletion_after(*record, event.seq));
    if (at.known && there) continue;
    broken(fmt::format("position: at event {} ({} of {}), but {} stands as of change {}",
                       index,
                       to_string(event.type),
                       event.seq,
                       key,
                       at.seq));
  }
}

// ---- targets

void Watch::look_at_cursors(ledger::Ledger& ledger,
                            const std::string& holder,
                            const std::vector<SimTarget*>& targets) {
  for (std::size_t i = 0; i < targets.size(); ++i) {
    const TargetCursor& cursor = targets[i]->state().cursor;
    Topic& topic = topics_[targets[i]->name()];
    // What a copy of us moved, or we before we were put back, says nothing of this journal.
    const bool ours = cursor.holder == holder && cursor.mover == holder &&
                      cursor.ledger == ledger.id() && cursor.rev <= ledger.head().value;
    if (!ours) topic.follows = 0;
    if (ours && !targets[i]->state().log.empty()) check_owed(*targets[i]);
    if (!ours || cursor.rev == topic.cursor) continue;
    topic.cursor = cursor.rev;
    for (const auto& [key, place] : latest_) {
      const Told& told = journal_[place];
      if (told.rev > cursor.rev || (told.poison >> i & 1) != 0) continue;
      const auto row = targets[i]->state().rows.find(key);
      if (row != targets[i]->state().rows.end() && row->second.rev >= told.rev) continue;
      broken(fmt::format("cursor: {} stands at {}, but of {} it has {}, not rev {}",
                         targets[i]->name(),
                         cursor.rev,
                         key,
                         row == targets[i]->state().rows.end() ? 0 : row->second.rev,
                         told.rev));
    }
    if (!targets[i]->state().log.empty()) check_topic(*targets[i], i, cursor.rev);
  }
}

/// States instead of the journal are for who has nothing yet, or lost it.
void Watch::check_owed(const SimTarget& target) {
  std::uint64_t& follows = topics_[target.name()].follows;
  const TargetState& state = target.state();
  if (follows != 0 && state.materialized > follows) {
    broken(fmt::format("owed: {} stood at {} and was given states up to {} instead of the journal",
                       target.name(),
                       follows,
                       state.materialized));
  }
  if (state.cursor.rev > state.materialized) follows = state.cursor.rev;
}

/// Every entry up to a cursor is in the log, unless it was given as a state, or belongs to what the
/// ledger tells again because it was born anew.
void Watch::check_topic(const SimTarget& target, std::size_t number, std::uint64_t upto) {
  Topic& topic = topics_[target.name()];
  const TargetState& state = target.state();
  topic.read.resize(state.log.size());
  for (std::size_t p = 0; p < state.log.size(); ++p) {
    for (; topic.read[p] < state.log[p].size(); ++topic.read[p]) {
      const Message& message = state.log[p][topic.read[p]];
      topic.messages.emplace(message.key, message.rev);
    }
  }
  const auto from = std::ranges::upper_bound(
      journal_, std::max({topic.verified, state.materialized, state.untold_to}), {}, &Told::rev);
  for (auto told = from; told != journal_.end() && told->rev <= upto; ++told) {
    if ((told->poison >> number & 1) != 0 || topic.messages.contains({told->key, told->rev})) {
      continue;
    }
    broken(fmt::format("cursor: {} stands at {}, but rev {} of {} is not in its log",
                       target.name(),
                       upto,
                       told->rev,
                       told->key));
  }
  topic.verified = std::max(topic.verified, upto);
}

// ---- at rest

void Watch::rest(ledger::Ledger& ledger, const std::vector<SimTarget*>& targets, bool history) {
  for (const auto& [key, record] : org_.records()) check_truth(ledger, record);
  check_silences(ledger);
  check_findings(ledger);
  // A new birth tells its states anew only once no stretch is in doubt: until then targets may hold
  // what another copy of the ledger told them.
  const auto holes = ledger.holes();
  if (!history && std::ranges::any_of(holes, [](const auto& hole) {
        return hole.scope == ledger::Hole::Scope::Stretch;
      })) {
    return;
  }
  for (const SimTarget* target : targets)
    for (const auto& partition : target->state().log) check_repeats(partition);
  for (std::size_t i = 0; i < targets.size(); ++i) {
    for (const auto& [key, record] : org_.records()) check_row(ledger, *targets[i], i, key);
    for (const auto& [key, row] : targets[i]->state().rows) {
      if (org_.find(key) == nullptr) broken(fmt::format("rest: the org never had {}", key));
    }
    if (targets[i]->state().log.empty()) continue;
    check_last_told(ledger, *targets[i], i);
    check_skipped(ledger, *targets[i], i);
    if (history) check_history(*targets[i], i);
  }
}

void Watch::check_truth(ledger::Ledger& ledger, const SimRecord& record) {
  const std::string key = record.rkey();
  // What was lost is read again, if objects are read at all.
  const auto lost = subscriptions_.lost.find(key);
  if (world_.faults.unread && lost != subscriptions_.lost.end()) {
    check_lost(ledger, key, lost->second.first, lost->second.second);
    return;
  }
  EntryBatch batch;
  const auto found = ledger.get(*RecordKey::parse(key), batch);
  if (!found || !*found) {
    if (record.now().deleted) return;  // it came and went, and nobody was told of it
    if (world_.faults.snapshot) broken(fmt::format("rest: {} was not read in", key));
    if (org_.untold().contains(key)) broken(fmt::format("rest: {} came in silence", key));
    if (was_owed(record, std::nullopt))
      broken(fmt::format("rest: the ledger does not know {}", key));
    return;  // from before the subscription
  }
  const EntryView& entry = batch.entries()[0];
  const Point& truth = record.now();
  if (entry.meta.deleted != truth.deleted) {
    broken(fmt::format("rest: {} is {} in the ledger and {} in the org",
                       key,
                       entry.meta.deleted ? "deleted" : "alive",
                       truth.deleted ? "deleted" : "alive"));
  }
  if (truth.deleted) return;
  // Of a field that no event of the record ever told, a lost update is not found (daemon/audit).
  const bool later = !org_.dropped().contains(key);
  if (const auto what =
          difference(record, truth, entry.after, later, hidden_of(record, entry.after));
      !what.empty()) {
    broken(fmt::format("rest: {} in the ledger: {}", key, what));
  }
}

/// Events that nobody can tell any more lie within one stretch hole, from the first to the last.
void Watch::check_lost(const ledger::Ledger& ledger,
                       const std::string& key,
                       EpochMs first,
                       EpochMs last) {
  // By a clock that was a day off a stretch has other times than the events in it.
  const bool timed = world_.faults.clock_back == 0;
  for (const auto& hole : ledger.holes()) {
    if (hole.scope != ledger::Hole::Scope::Stretch) continue;
    if (!timed || (hole.from_ts <= first && last <= hole.to_ts)) return;
  }
  broken(fmt::format("rest: events of {} from {} to {} were lost and no hole says so",
                     key,
                     format_datetime(first),
                     format_datetime(last)));
}

/// What an audit names is a record of which a change was told by no event, or lost.
void Watch::check_findings(ledger::Ledger& ledger) {
  for (const auto& object : org_.objects()) {
    const auto receipts = audit::Receipts(ledger).list(kOrg, object.name);
    if (!receipts) broken("audit: its receipts cannot be read: " + receipts.error().message);
    for (const auto& text : *receipts) {
      const auto receipt = boost::json::parse(text);
      for (const auto& finding : receipt.at("findings").as_array()) {
        const auto id = boost::json::value_to<std::string>(finding.at("id"));
        const std::string key = kOrg + ":" + object.name + ":" + id;
        if (org_.untold().contains(key) || subscriptions_.lost.contains(key)) continue;
        // From before the subscription: it may be read in, though events of it came later.
        const bool missing = finding.at("cause").as_string() == "audit_missing";
        const SimRecord& record = *org_.find(key);
        if (missing && !was_owed(record, record.history.front().seq)) continue;
        if (of_hidden(object, finding.at("fields"))) continue;
        broken(fmt::format("audit: nothing of {} was lost, and it is a finding: {}", key, text));
      }
    }
  }
}

/// Shown again, a field has another value in the org than we know of: the audit may see it first.
bool Watch::of_hidden(const SimObject& object, const boost::json::value& fields) const {
  const auto& hidden = org_.hidden();
  return hidden && hidden->object == object.name &&
         std::ranges::all_of(fields.as_array(), [&](const auto& field) {
           return field.as_string() == hidden->field || field.as_string() == "LastModifiedDate";
         });
}

/// An event of it, or of that change of it, came or must come.
bool Watch::was_owed(const SimRecord& record, std::optional<std::uint64_t> seq) const {
  const auto& bus = org_.bus();
  for (std::size_t i = subscriptions_.owed_from; i < bus.size(); ++i) {
    if (seq && bus[i].seq != *seq) continue;
    if (std::ranges::find(bus[i].records, &record) != bus[i].records.end()) return true;
  }
  return false;
}

/// What a channel did not tell of was named, read, and is closed with its evidence.
void Watch::check_silences(const ledger::Ledger& ledger) {
  const auto closed = ledger.closed_holes();
  for (const auto& object : org_.silences()) {
    const bool named = std::ranges::any_of(closed, [&](const ledger::Hole& hole) {
      return hole.cause == ledger::kSwitchedOff && hole.object == object &&
             hole.closing.how == ledger::Closing::How::Repaired;
    });
    if (!named) broken(fmt::format("rest: no closed hole says that {} was switched off", object));
  }
}

/// The target refuses the last image of the record.
bool Watch::is_refused(const std::string& key, std::size_t number) const {
  const auto told = latest_.find(key);
  return told != latest_.end() && (journal_[told->second].poison >> number & 1) != 0;
}

void Watch::check_row(ledger::Ledger& ledger,
                      const SimTarget& target,
                      std::size_t number,
                      const std::string& key) {
  EntryBatch batch;
  const auto found = ledger.get(*RecordKey::parse(key), batch);
  if (!found || !*found) return;
  const EntryView& entry = batch.entries()[0];
  if (is_refused(key, number)) return check_quarantined(ledger, target, *RecordKey::parse(key));
  const auto row = target.state().rows.find(key);
  if (row == target.state().rows.end()) {
    broken(fmt::format("rest: {} does not have {}", target.name(), key));
  }
  std::string image = text_of(entry).substr(1);
  if (row->second.rev != entry.meta.rev.value || row->second.deleted != entry.meta.deleted ||
      row->second.image != image) {
    broken(fmt::format("rest: {} has {} {} rev {}:\n  {}\nthe ledger has {} rev {}:\n  {}",
                       target.name(),
                       row->second.deleted ? "deleted" : "alive",
                       key,
                       row->second.rev,
                       row->second.image,
                       entry.meta.deleted ? "deleted" : "alive",
                       entry.meta.rev.value,
                       image));
  }
  if (target.name() == "kafka" || entry.meta.deleted) return;
  std::map<std::string, std::string> edges;
  for (const Member& member : entry.after[Section::Refs]) {
    edges.emplace(entry.after.names->text(member.name), member.value.text);
  }
  if (edges != row->second.edges) {
    broken(fmt::format(
        "rest: the relations of {} in {} are not those of the ledger", key, target.name()));
  }
}

/// What a target refuses for good is written down.
void Watch::check_quarantined(const ledger::Ledger& ledger,
                              const SimTarget& target,
                              const RecordKey& key) {
  const auto rows = ledger.quarantined(ledger.quarantine_open());
  const bool is_kept = std::ranges::any_of(rows, [&](const ledger::QuarantineRow& row) {
    return row.stage == "sink." + target.name() && row.org == key.org && row.object == key.object &&
           row.id == key.id.view();
  });
  if (!is_kept)
    broken(fmt::format("rest: {} refused {}, and no row says so", target.name(), key.str()));
}

/// Twice stands there only what its second writer could not have found: it comes late itself, or
/// the first did, after the second writer had read the partition back. And what is told whole
/// because another ledger was there in between: states.
void Watch::check_repeats(const std::vector<Message>& partition) {
  std::map<std::pair<std::string_view, std::uint64_t>, std::vector<std::size_t>> copies;
  for (std::size_t at = 0; at < partition.size(); ++at) {
    const Message& message = partition[at];
    auto& before = copies[{message.key, message.rev}];
    for (const std::size_t first : before) {
      const bool unseen = first >= message.found_to && partition[first].epoch != message.epoch;
      const bool told_whole =
          message.foreign && message.state && message.ledger == partition[first].ledger;
      if (message.late || unseen || told_whole) continue;
      broken(fmt::format("rest: history has rev {} of {} twice, by epoch {} and by epoch {}",
                         message.rev,
                         message.key,
                         partition[first].epoch,
                         message.epoch));
    }
    before.push_back(at);
  }
}

/// Whoever reads history alone ends with what the ledger holds, after births too.
void Watch::check_last_told(ledger::Ledger& ledger, const SimTarget& target, std::size_t number) {
  std::map<std::string_view, std::uint64_t> last_of;
  for (const auto& partition : target.state().log) {
    std::uint64_t last = 0;
    for (const Message& message : partition) {
      if (!message.record || message.rev <= last) continue;
      last = last_of[message.key] = message.rev;
    }
  }
  for (const auto& [key, record] : org_.records()) {
    EntryBatch state;
    const auto found = ledger.get(*RecordKey::parse(key), state);
    if (!found || !*found || is_refused(key, number)) continue;
    const std::uint64_t rev = state.entries().front().meta.rev.value;
    if (last_of[key] != rev) {
      broken(fmt::format(
          "rest: history ends with rev {} of {}, which has rev {}", last_of[key], key, rev));
    }
  }
}

/// What of the journal the changes topics never got lies within a hole that says so.
void Watch::check_skipped(const ledger::Ledger& ledger,
                          const SimTarget& target,
                          std::size_t number) {
  struct Stretch {
    std::uint64_t after = 0, upto = 0;
  };
  std::vector<Stretch> skipped;
  for (const auto& hole : ledger.closed_holes()) {
    if (hole.cause != ledger::kSinkHistory || hole.sink != target.name()) continue;
    Stretch& said = skipped.emplace_back();
    std::istringstream words(hole.detail);
    for (std::string word; words >> word;) {
      if (word == "after") words >> word >> said.after;
      if (word == "up" && said.upto == 0) words >> word >> word >> said.upto;
    }
  }
  std::set<std::pair<std::string_view, std::uint64_t>> told;
  for (const auto& partition : target.state().log) {
    for (const Message& message : partition) told.emplace(message.key, message.rev);
  }
  for (const Told& entry : journal_) {
    if ((entry.poison >> number & 1) != 0 || told.contains({entry.key, entry.rev})) continue;
    const bool said = std::ranges::any_of(skipped, [&](const Stretch& stretch) {
      return entry.rev > stretch.after && entry.rev <= stretch.upto;
    });
    if (!said) broken(fmt::format("rest: history lacks rev {}, and no hole says so", entry.rev));
  }
}

/// By the consumers' rule: what is not above the last rev of a partition is dropped.
void Watch::check_history(const SimTarget& target, std::size_t number) {
  const TargetState& state = target.state();
  std::map<std::uint64_t, const Message*> accepted;
  std::map<std::string, std::uint64_t> states;  // by record key: the last rev told as a state
  for (const auto& partition : state.log) {
    // What mirrors quarantine and holes has a topic of its own.
    std::uint64_t last_of_records = 0, last_of_mirrors = 0;
    for (const Message& message : partition) {
      std::uint64_t& last = message.record ? last_of_records : last_of_mirrors;
      if (message.rev <= last) continue;
      last = message.rev;
      accepted.emplace(message.rev, &message);
      if (message.state) states[message.key] = message.rev;
    }
  }
  for (const Told& told : journal_) {
    if (told.rev <= state.materialized || (told.poison >> number & 1) != 0) continue;
    const auto at = accepted.find(told.rev);
    // A materialization that was cut short may have told a rev as a state already: it is not told
    // again as a change, but says what the record became.
    const bool as_state = at != accepted.end() && at->second->state;
    // Or a later one, whose state holds the change: where it comes first, consumers drop the
    // change.
    const auto held = states.find(told.key);
    if (at == accepted.end() && held != states.end() && held->second > told.rev) continue;
    const auto said = [as_state](std::string_view text) { return text.substr(as_state ? 1 : 0); };
    if (at == accepted.end() || at->second->key != told.key ||
        said(at->second->text) != said(told.text)) {
      broken(fmt::format("rest: history lacks rev {} of {}", told.rev, told.key));
    }
    accepted.erase(at);
  }
  for (const auto& [rev, message] : accepted) {
    if (rev > state.materialized) {
      broken(
          fmt::format("rest: history has rev {} of {}, which was never told", rev, message->key));
    }
  }
}

}  // namespace headwater::sim
