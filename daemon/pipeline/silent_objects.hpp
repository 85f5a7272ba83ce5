#pragma once

#include <string_view>

#include "daemon/pipeline/org_objects.hpp"

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
// again, for a changed selection or permission takes effect late, and is repaired by reading what
// was saved since the streams last told of it. An object with a stream of its own is that
// stream's business (stream_doubts.hpp). ledger::is_silence() tells such a hole.

/// Opens and ends holes as the org's answer says. `settle`: how long a change of what is selected
/// may take to have an effect. True: a silence lasts.
Result<bool> note_silence(ledger::Ledger& ledger,
                          std::string_view org,
                          const Captured& captured,
                          const ObjectsAsked& asked,
                          Millis settle);

}  // namespace headwater
