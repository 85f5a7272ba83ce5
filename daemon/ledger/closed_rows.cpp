#include "daemon/ledger/closed_rows.hpp"

#include "daemon/ledger/keys.hpp"

namespace headwater::ledger {

Result<void> ClosedRows::load() {
  auto scan = store_.scan(Family::Meta, prefix_);
  for (; scan->valid() && scan->key().starts_with(prefix_); scan->next())
    kept_.push_back(rev_of_key(scan->key()));
  return scan->valid() ? Result<void>() : scan->status();
}

void ClosedRows::add(StoreBatch& batch, Rev closed, std::string_view bytes) {
  batch.put(Family::Meta, rev_key(prefix_, closed), bytes);
  kept_.push_back(closed);
  for (; kept_.size() > kClosedKept; kept_.pop_front())
    batch.erase(Family::Meta, rev_key(prefix_, kept_.front()));
}

void ClosedRows::add(StoreBatch& batch, std::string_view bytes) {
  add(batch, Rev{kept_.empty() ? 1 : kept_.back().value + 1}, bytes);
}

void ClosedRows::walk(const std::function<bool(std::string_view bytes)>& visit) const {
  auto scan = store_.scan(Family::Meta, prefix_);
  for (; scan->valid() && scan->key().starts_with(prefix_); scan->next()) {
    if (!visit(scan->value())) return;
  }
}

}  // namespace headwater::ledger
