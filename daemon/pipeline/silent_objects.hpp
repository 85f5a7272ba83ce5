#pragma once

#include <string_view>
#include <vector>

#include "daemon/pipeline/org_objects.hpp"
#include "daemon/pipeline/stream_progress.hpp"

namespace headwater {

// Objects of ours that a stream of several objects told of and tells of no more. Such a stream goes
// on as if nothing changed (salesforce.md sections 7.9, 8): only the org's list of what is selected
// and shown to us says so. Each is an object hole of its own, beside any other of the object:
//
//   switched_off  it left the channels in Change Data Capture
//   hidden        it is selected, but our user may not read it any more, and gets no events of it
//
// It has no end while the silence lasts, and nothing closes it then but a person who accepts it for
// as long as that silence lasts. It ends once every answer of the last minutes names the object
// again, for a changed selection or permission takes effect late, and once the streams that carry
// it have told all that lies before it: a record whose creation they have yet to tell, and which
// was deleted in the silence, would come to life behind the reading. Then it is repaired by reading
// what was saved since the streams last told of it. An object with a stream of its own is that
// stream's business (stream_doubts.hpp). ledger::is_silence() tells such a hole.

/// By whom an org's objects are told of.
struct Listening {
  ObjectsAsked asked;
  /// One that tells nothing is waited for as long as the bus keeps what it has yet to tell.
  std::vector<StreamProgress> streams;
  Millis settle{0};  ///< a change of what is selected or shown takes effect so late at most
  EpochMs now = 0;   ///< our clock
};
/// True if the streams that may carry the object are past that time of our clock. What a stream has
/// not told within retention it never will.
bool have_told(const Listening& by, const std::string& object, EpochMs until);

/// When a hole was opened; 0, nobody knows: by a clock that was ahead.
EpochMs noticed_at(const ledger::Hole& hole, EpochMs now);

struct Silences {
  bool last = false;  ///< there is one
  bool wait = false;  ///< for a stream alone: one ends once that has told more
};
/// Opens and ends holes as the org's answer says. May be given the same answer again.
Result<Silences> note_silence(ledger::Ledger& ledger,
                              std::string_view org,
                              const Captured& captured,
                              const Listening& by);

}  // namespace headwater
