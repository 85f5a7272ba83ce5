#include <fmt/format.h>

#include <boost/json.hpp>

#include "daemon/verify/verifier.hpp"

// Is each place's cursor of this ledger, and none above what the ledger ever gave?

namespace headwater::verify {

Result<void> Verifier::check_cursor(const std::string& name,
                                    const std::string& org,
                                    const std::optional<Cursor>& cursor) {
  Work& cursors = work(kCursors);
  owed_cursors_.erase({name, org});
  if (!cursor || cursor->ledger.empty()) {
    owed_cursors_[{name, org}] =
        fmt::format("{}: it has no cursor of org {}: nothing was written yet", name, org);
    return {};
  }
  // The head is read after the cursor, so that a cursor above it was never given.
  const auto status = ledger_.document("status");
  if (!status) return status.error();
  const auto head = status->at("ledger").at("head_rev").to_number<std::uint64_t>();
  if (cursor->ledger != ledger_id_)
    owed_cursors_[{name, org}] =
        fmt::format("{}: its cursor of org {} is of ledger {}, not of this one ({})",
                    name,
                    org,
                    cursor->ledger,
                    ledger_id_);
  else if (cursor->rev.value > head)
    differ(cursors,
           "",
           fmt::format("{}: its cursor of org {} stands at rev {}, but the ledger's last rev is {}",
                       name,
                       org,
                       cursor->rev.value,
                       head));
  return {};
}

Result<std::optional<Cursor>> Verifier::log_cursor(Places::Log& log, const std::string& org) {
  auto record = log.reader->cursor(log.name, org);
  if (!record) return std::move(record).error();
  std::optional<Cursor> cursor;
  if (*record) cursor = Cursor{org, (*record)->ledger, (*record)->rev, (*record)->epoch};
  return cursor;
}

/// Looks once more at the cursors that may only be late. True if some still are.
Result<bool> Verifier::owed_round() {
  const auto owed = [this](const std::string& name, const std::string& org) {
    return owed_cursors_.contains({name, org});
  };
  for (const auto& org : places_.orgs) {
    for (auto& target : places_.targets) {
      if (!owed(target.name, org.name)) continue;
      const auto cursor = target.reader->cursor(org.name);
      if (!cursor) continue;  // told with its records, or as the cursor that did not come
      if (auto checked = check_cursor(target.name, org.name, *cursor); !checked)
        return checked.error();
    }
    for (auto& log : places_.logs) {
      if (!owed(log.name, org.name)) continue;
      const auto cursor = log_cursor(log, org.name);
      if (!cursor) continue;
      if (auto checked = check_cursor(log.name, org.name, *cursor); !checked)
        return checked.error();
    }
  }
  return !owed_cursors_.empty();
}

}  // namespace headwater::verify
