#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "daemon/ledger/ledger.hpp"

namespace headwater::ledger {

// Keys and bytes of holes and quarantine rows (unified-model.md section 13), and the JSON by which
// their entries tell sinks of them.

/// Cause of the hole of a record that a sink holds and the ledger has never seen.
inline constexpr std::string_view kStray = "sink_stray";

std::string hole_key(const Hole& hole);
void put_hole(std::string& out, const Hole& hole);
/// Nothing if the bytes are damaged or of a newer format.
std::optional<Hole> read_hole(std::string_view key, std::string_view bytes);
/// The key as entries show it: a stretch's rev in digits.
std::string shown_key(const Hole& hole);
std::string hole_json(const Hole& hole);
/// A closed hole with the key it had.
void put_closed_hole(std::string& out, std::string_view key, const Hole& hole);
std::optional<Hole> read_closed_hole(std::string_view bytes);

/// Where a row stands: the record or the stream it is of, stage and reason, and last what makes the
/// occasion its own: the event's replay id, or the rev of the entry that a sink refused.
std::string quarantine_key(const QuarantineRow& row);
/// What a row is about: the record's key, else `<org>:<topic>`, else the org.
std::string subject(const QuarantineRow& row);
void put_row(std::string& out, const QuarantineRow& row);
std::optional<QuarantineRow> read_row(std::string_view key, std::string_view bytes);
/// Reads the row's own key and, behind it, what put_row() wrote.
std::optional<QuarantineRow> read_closed_row(std::string_view bytes);

/// Most bytes of a row that its entry tells; more of them stay in the ledger alone, so that the
/// entry itself is never too large for a target.
inline constexpr std::size_t kPayloadToldMax = 256 * 1024;
enum class Payload : std::uint8_t { Told, Counted };
std::string quarantine_json(const QuarantineRow& row, Payload payload);

}  // namespace headwater::ledger
