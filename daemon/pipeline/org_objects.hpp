#pragma once

#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/salesforce/org_api.hpp"
#include "connectors/salesforce/org_facts.hpp"
#include "daemon/ledger/ledger.hpp"
#include "schemas/core/result.hpp"
#include "schemas/core/time.hpp"

namespace headwater {

// Which objects an org has for us. Whoever must not overlook one asks here: the planner of
// readings, the audit, and for `headwater verify` /status.
//
//   known     the ledger has a record of it, it was read in (be it that it had no record), the
//             configuration names it, or a stream is its own (/data/LeadChangeEvent)
//   captured  a stream of several objects may carry it, as the org says. No record of it need ever
//             have come: what was lost may have been its first one

/// What the configuration says of an org's objects.
struct ObjectsAsked {
  std::vector<std::string> snapshot_objects;
  std::vector<std::string> topics;  ///< of all its streams
};

using salesforce::object_of_topic;
/// The channels among the topics, `ChangeEvents`: change events of several objects.
std::vector<std::string> channels_of(std::span<const std::string> topics);

std::set<std::string> known_objects(const ledger::Ledger& ledger,
                                    std::string_view org,
                                    const ObjectsAsked& asked);

/// What the org's answers said so far. Kept in the ledger: a start while REST is away believes in
/// no fewer objects than the one before.
struct Captured {
  struct Object {
    EpochMs from = 0;     ///< when it was said first; 0: by the first answer of all
    EpochMs to = 0;       ///< when it was said last
    EpochMs told = 0;     ///< when it was said last, and not hidden: events of it came; 0: never
    EpochMs back = 0;     ///< since when every answer up to `told` says so; 0: the first one did
    bool sure = true;     ///< selected, not merely possible
    bool hidden = false;  ///< the org does not show it to our user, and sends nothing of it
  };
  EpochMs asked_at = 0;  ///< the last answer; 0: there was none
  bool exact = false;    ///< of the last answer: it said what is selected
  std::map<std::string, Object> objects;

  bool selected(const Object& object) const {
    return exact && object.sure && object.to == asked_at;
  }
  /// The org says that no stream of several objects brings it any more.
  bool silent(const Object& object) const {
    return exact && object.sure && object.told != asked_at;
  }
};
Result<Captured> captured_of(ledger::Ledger& ledger, std::string_view org);
/// Asks the org, and keeps what it says. An object that is no longer selected stays, for a stretch
/// that it was selected in. Errors: OrgApi's, the ledger's.
Result<Captured> ask_captured(salesforce::OrgApi& api,
                              ledger::Ledger& ledger,
                              std::string_view org,
                              std::span<const std::string> channels,
                              EpochMs now);

/// When this ledger began to listen to the org, less a margin; 0: it did not yet.
EpochMs listening_since(ledger::Ledger& ledger, std::string_view org);
Result<void> note_listening(ledger::Ledger& ledger, std::string_view org, EpochMs since);
/// Stamps are whole seconds of another clock: what was saved so long before we began to listen is
/// claimed too of an object whose records we have. One record too many is only read in.
inline constexpr EpochMs kListeningSlackMs = 5 * 60'000;

/// Selected objects that our user sees, and since when what is saved of them must come to us though
/// we never heard of them: what was saved before we began to listen, nobody asked for.
std::map<std::string, EpochMs> selected_objects(const Captured& captured, EpochMs listening_since);
/// Selected objects that our user does not see: nobody can say anything of them.
std::set<std::string> hidden_objects(const Captured& captured);

}  // namespace headwater
