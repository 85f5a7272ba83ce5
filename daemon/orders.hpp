#pragma once

#include <boost/json/fwd.hpp>
#include <functional>
#include <string>

#include "daemon/ledger/ledger.hpp"
#include "daemon/pipeline/retry_lane.hpp"
#include "daemon/runtime/control.hpp"

namespace headwater {

/// A row on its way to the part that can try it again. Refused in a sentence if there is none, or
/// it has no room.
using TryAgain = std::function<Result<void>(RetryRequest&)>;

/// What a person asks of quarantine rows and holes, by their number.
///
/// Looking needs the right to read, all else the right to operate: root, or the user that the
/// daemon runs as. Nothing is closed without proof but by a person's word, and then it says so:
/// who, when and why stay in the ledger, are shown with `--all` and told to the sinks. Main's
/// thread; the replies of retries come from other threads.
class Orders {
 public:
  Orders(ledger::Ledger& ledger, const Clock& clock, TryAgain try_again)
      : ledger_(ledger), clock_(clock), try_again_(std::move(try_again)) {}

  /// `quarantine …`: `show N [values]`, `retry N by=WHO`, `discard N by=WHO REASON…`
  void quarantine(const std::string& arguments, const runtime::Peer& peer, runtime::Reply reply);
  /// `holes close N by=WHO REASON…`; the answer is a JSON document.
  std::string close_hole(const std::string& arguments, const runtime::Peer& peer);

 private:
  std::string show(const std::string& arguments, const runtime::Peer& peer);
  void retry(const std::string& arguments, const runtime::Peer& peer, runtime::Reply reply);
  std::string discard(const std::string& arguments, const runtime::Peer& peer);
  void add_content(boost::json::object& out, const ledger::QuarantineRow& row, bool values);

  ledger::Ledger& ledger_;
  const Clock& clock_;
  TryAgain try_again_;
};

}  // namespace headwater
