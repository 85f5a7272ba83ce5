#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/audit/receipt.hpp"

namespace headwater::audit {

/// Where main, which answers persons, meets the org workers, which audit: orders in, receipts out,
/// and what is being done right now. Thread-safe.
class Desk {
 public:
  struct Order {
    std::uint64_t run = 0;
    std::string object;   ///< empty: every one that is audited
    bool repair = false;  ///< else findings are listed only
    bool full = false;    ///< compare all records field by field, not only those saved lately
    std::string by;
  };

  /// Main: an order for each of these orgs. Its number.
  std::uint64_t place(std::span<const std::string> orgs, Order order);
  /// Main: `{"run","done","doing","receipts"}`; nothing: no such run, or too long ago.
  std::optional<std::string> run_json(std::uint64_t run) const;
  /// Main: the orgs that are not through with a run.
  std::vector<std::string> awaited(std::uint64_t run) const;
  /// Main: for /status: the last receipt of each object without its findings, and what is being
  /// done.
  std::string status_json() const;

  /// Org worker: the next order of its org.
  std::optional<Order> take(std::string_view org);
  /// A number for a run that nobody ordered.
  std::uint64_t number();
  void told(const Receipt& receipt);
  /// Receipts of an earlier process, as the ledger kept them.
  void remember(std::string_view org, std::string_view object, const std::string& receipt);
  /// All objects of the order are through.
  void finished(std::uint64_t run, std::string_view org);
  /// A sentence; empty: nothing.
  void doing(std::string_view org, std::string sentence);

 private:
  static constexpr std::size_t kRunsKept = 20;
  struct Run {
    std::uint64_t number = 0;
    std::set<std::string, std::less<>> orgs_open;
    std::vector<std::string> receipts;
  };
  mutable std::mutex mutex_;
  std::uint64_t next_ = 1;
  std::map<std::string, std::deque<Order>, std::less<>> orders_;
  std::deque<Run> runs_;
  std::map<std::string, std::string, std::less<>> doing_;            // by org
  std::map<std::pair<std::string, std::string>, std::string> last_;  // by org and object: JSON
};

}  // namespace headwater::audit
