#include "daemon/audit/tally.hpp"

namespace headwater::audit {
namespace {

/// FNV-1a over the id and the second, then the finalizer of splitmix64: sums of plain FNV hashes of
/// ids that differ in their last digits are too alike.
std::uint64_t hash_of(const RecordId& id, EpochMs stamp) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  const auto add = [&hash](std::uint8_t byte) { hash = (hash ^ byte) * 0x100000001b3U; };
  for (const char c : id.view()) add(static_cast<std::uint8_t>(c));
  const auto second = static_cast<std::uint64_t>(stamp / 1000);
  for (int shift = 0; shift < 64; shift += 8) add(static_cast<std::uint8_t>(second >> shift));
  hash ^= hash >> 30;
  hash *= 0xbf58476d1ce4e5b9U;
  hash ^= hash >> 27;
  hash *= 0x94d049bb133111ebU;
  return hash ^ (hash >> 31);
}

constexpr std::size_t kMonthSize = 7;  // `2026-03` of a date and time

}  // namespace

void Sum::add(const RecordId& id, EpochMs stamp) {
  ++rows;
  checksum += hash_of(id, stamp);
}

Tally::Month& Tally::month(EpochMs stamp) {
  auto name = format_datetime(stamp).substr(0, kMonthSize);
  Month& found = months_[name];
  if (found.name.empty()) found.name = std::move(name);
  return found;
}

void Tally::both(const RecordId& id, EpochMs stamp) {
  Month& in = month(stamp);
  in.org.add(id, stamp);
  in.ledger.add(id, stamp);
  org_.add(id, stamp);
  ledger_.add(id, stamp);
}

void Tally::org_alone(const RecordId& id, EpochMs stamp) {
  month(stamp).org.add(id, stamp);
  org_.add(id, stamp);
}

void Tally::ledger_alone(const RecordId& id, EpochMs known_to) {
  month(known_to).ledger.add(id, known_to);
  ledger_.add(id, known_to);
}

std::vector<Tally::Month> Tally::differing(std::size_t most) const {
  std::vector<Month> out;
  for (const auto& [name, month] : months_) {
    if (out.size() == most) break;
    if (!(month.org == month.ledger)) out.push_back(month);
  }
  return out;
}

}  // namespace headwater::audit
