#include "daemon/ledger/ledger_impl.hpp"

#include <fmt/format.h>

#include <sstream>

#include "daemon/ledger/keys.hpp"
#include "daemon/ledger/ulid.hpp"

namespace headwater::ledger {
namespace {

/// Of the whole store: raised when an older build could no longer read it.
constexpr std::uint8_t kFormat = 1;
/// How far above a cursor a birth stands. The cursor is a lower bound: a target may hold what its
/// writer told after it, and after one more start, which jumps by up to a million. An image below
/// those would never replace them. Not farther: revs that run ahead of the clock take from the next
/// start what the clock gives it, to stand above all that was told before.
constexpr std::uint64_t kBirthDistance = 2'000'000;

}  // namespace

// ---- opening

Result<void> Ledger::Impl::open(std::shared_ptr<const crm::Mapping> mapping) {
  std::string bytes;
  auto found = store_->get(Family::Meta, kLedgerKey, bytes);
  if (!found) return found.error();
  if (*found) {
    ByteReader reader(bytes);
    if (const auto format = reader.byte(); format != kFormat) {
      return fatal(
          fmt::format("ledger: its format is {}, this build reads {}; start the version "
                      "that wrote it",
                      format,
                      kFormat));
    }
    id_ = reader.text();
    birth_ = Rev{reader.varint()};
    if (!reader.ok()) return fatal("ledger: its identity row is damaged; restore a backup");
  }
  if (auto ok = journal_.load(birth_); !ok) return ok;
  if (auto ok = orgs_.load(); !ok) return ok;
  if (auto ok = names_.load(); !ok) return ok;
  if (auto ok = objects_.load(); !ok) return ok;
  if (auto ok = positions_.load(); !ok) return ok;
  if (auto ok = holes_.load(); !ok) return ok;
  if (auto ok = jobs_.load(); !ok) return ok;
  if (!*found) {
    id_ = make_ulid(clock_.now_ms(), random_);
    birth_ = journal_.peek();
    stage_identity();
    Reprojection::stage_mapping(writer_.batch(), *mapping);
    BackRefs::stage_complete(writer_.batch());
    if (auto ok = commit(); !ok) return ok;
  }
  if (auto ok = back_refs_.bring(writer_.batch(), [this] { return commit(); }); !ok) return ok;
  return reprojection_.open(writer_, std::move(mapping), birth_);
}

void Ledger::Impl::stage_identity() {
  std::string bytes;
  put_byte(bytes, kFormat);
  put_text(bytes, id_);
  put_varint(bytes, birth_.value);
  writer_.batch().put(Family::Meta, kLedgerKey, bytes);
}

// ---- births

/// All revs from the next one on are of it.
void Ledger::Impl::begin_birth(std::string id) {
  {
    const std::lock_guard lock(id_mutex_);
    id_ = std::move(id);
    birth_ = journal_.peek();
  }
  stage_identity();
}

Result<Ledger::Impl::Claim> Ledger::Impl::read_claim(const std::string& key) const {
  std::string text;
  if (auto found = store_->get(Family::Meta, key, text); !found) return found.error();
  Claim out;
  std::istringstream words(text);
  words >> out.by >> out.told.records.value >> out.told.events.value;
  Skipped skipped;
  if (words >> skipped.after.value >> skipped.upto.value) out.skipped = skipped;
  return out;
}

Result<void> Ledger::Impl::write_claim(const std::string& key, const Claim& claim) {
  const auto& [records, events] = claim.told;
  std::string row = claim.by;
  if (records.value != 0 || claim.skipped)
    row += fmt::format(" {} {}", records.value, events.value);
  if (claim.skipped)
    row += fmt::format(" {} {}", claim.skipped->after.value, claim.skipped->upto.value);
  writer_.batch().put(Family::Meta, key, row);
  return commit();
}

Result<CursorVerdict> Ledger::Impl::found_cursor(const std::string& claim,
                                                 std::string_view ledger_id,
                                                 Rev rev,
                                                 Rev highest) {
  const bool ours = ledger_id == id_;
  auto row = read_claim(claim);
  if (!row) return row.error();
  const std::string& claimed_by = row->by;
  // A rev under our name that we never gave: we are an old copy of the ledger that did.
  const bool outrun = ours && !journal_.gave(rev);
  // Images that no state of ours replaces. One that we gave is no such thing: whoever wrote between
  // would have been born above it. But nothing is ours in a target that this birth never claimed,
  // whatever its rev: two old copies that find the same image are born at the same rev.
  const bool told = (ours || claimed_by == id_) && journal_.gave(highest);
  const bool outranked = (!ours && rev >= birth_) || (highest >= birth_ && !told);
  if (outrun || outranked) {
    const Rev above{std::max(std::max(rev, highest).value + kBirthDistance, journal_.last().value)};
    if (ours || journal_.ever_wrote()) {
      if (auto ok = be_born(above); !ok) return ok.error();
      return CursorVerdict::Materialize;
    }
    journal_.raise(above);
    begin_birth(id_);
    if (auto ok = write_claim(claim, {id_, {}}); !ok) return ok.error();
    return CursorVerdict::Materialize;
  }
  // Images without a cursor, and none that we know: whoever wrote them died before it wrote one.
  const bool unsigned_images = ledger_id.empty() && highest.value != 0 && !told;
  if (claimed_by != id_) {
    // Its cursor bears the name that we had when we claimed it last. One that stands at 0 says
    // nothing: an older copy of that ledger may have claimed it since.
    ToldBefore before;
    if (!claimed_by.empty() && ledger_id == claimed_by && rev.value != 0)
      before = {rev, rev};
    else if ((!ledger_id.empty() && !ours) || unsigned_images)
      before.records = Rev{birth_.value - 1};
    if (auto ok = write_claim(claim, {id_, before}); !ok) return ok.error();
  } else if (ours && rev.value == 0 && row->told.records.value != 0) {
    // It lost what it was told.
    if (auto ok = write_claim(claim, {id_, {}}); !ok) return ok.error();
  }
  // A target that never heard of us, and a journal that still begins at the beginning: all of it,
  // history too.
  const bool fresh = ledger_id.empty() && rev.value == 0 && !unsigned_images;
  if (!ours && !fresh) return CursorVerdict::Materialize;
  // States end where they were to end when they began: the journal up to there is given up.
  const bool among_states = row->skipped && rev >= row->skipped->after && rev < row->skipped->upto;
  return among_states || rev < journal_.trimmed_to() ? CursorVerdict::Materialize
                                                     : CursorVerdict::Follow;
}

Result<void> Ledger::Impl::be_born(Rev above) {
  journal_.raise(above);
  begin_birth(make_ulid(clock_.now_ms(), random_));
  reprojection_.owe_stamp(writer_.batch(), birth_);
  if (auto ok = commit(); !ok) return ok;
  auto more = reprojection_.go_on(writer_);
  return more ? Result<void>() : more.error();
}

Result<void> Ledger::Impl::trim() {
  if (directory_) {
    if (auto held = directory_->still_held(); !held) return held;
  }
  if (!journal_.stage_trim(writer_.batch(), clock_.now_ms())) return {};
  return commit();
}

}  // namespace headwater::ledger
