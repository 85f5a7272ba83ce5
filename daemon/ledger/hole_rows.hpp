#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "daemon/ledger/ledger.hpp"

namespace headwater::ledger {

// Keys and bytes of holes and quarantine rows (unified-model.md section 13), and the JSON by which
// their entries tell sinks of them.

std::string hole_key(const Hole& hole);
void put_hole(std::string& out, const Hole& hole);
/// Nothing if the bytes are damaged or of a newer format.
std::optional<Hole> read_hole(std::string_view key, std::string_view bytes);
/// The key as entries show it: a stretch's rev in digits.
std::string shown_key(const Hole& hole);
std::string hole_json(const Hole& hole, bool closed, std::string_view evidence);

std::string quarantine_key(const QuarantineRow& row);
void put_row(std::string& out, const QuarantineRow& row);
std::optional<QuarantineRow> read_row(std::string_view bytes);
std::string quarantine_json(const QuarantineRow& row);

}  // namespace headwater::ledger
