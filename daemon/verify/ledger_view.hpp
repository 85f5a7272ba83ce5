#pragma once

#include <boost/json/value.hpp>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "daemon/verify/compare.hpp"
#include "schemas/core/result.hpp"
#include "schemas/core/time.hpp"

namespace headwater::verify {

/// A running daemon's ledger, seen through its control socket. Each call is one bounded question.
/// Errors: Blocked, the daemon cannot be reached or refuses.
class LedgerView {
 public:
  /// `ask`: sends a line, gives the JSON document that answers it.
  using Ask = std::function<Result<std::string>(const std::string& line)>;
  explicit LedgerView(Ask ask) : ask_(std::move(ask)) {}

  struct Page {
    std::vector<LedgerRecord> records;
    std::string last;  ///< to go on behind; empty: there are no more
  };
  /// States with keys behind `after`, in key order.
  Result<Page> page(const std::string& after);
  /// Nothing: never seen.
  Result<std::optional<LedgerRecord>> get(const std::string& rkey);
  struct Head {
    Rev rev;
    bool deleted = false;
  };
  Result<std::vector<std::optional<Head>>> heads(std::span<const std::string> rkeys);
  /// `status`, `holes`, `quarantine`, `facts KEY` as they are.
  Result<boost::json::value> document(const std::string& line);
  /// The journal's entries of a record, oldest first, the last `most` of them.
  Result<boost::json::array> entries_of(const std::string& rkey, std::size_t most);

 private:
  Ask ask_;
};

}  // namespace headwater::verify
