#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <map>
#include <memory>
#include <string>

#include "tests/tools/gate.hpp"

namespace headwater::gate {

/// Named gates, and the words that command them: one JSON object in, one out.
///
///   {"open": NAME, "target": "host:port"}           -> {"port": N}; a name that is open: its
///   target changes
///   {"gate": NAME, "up": FLOW, "down": FLOW, "accept": "pass|refuse|reset|hang"}
///                                                   sets all of it: what is not named is as if new
///   {"gate": NAME, "cut": "reset|close"}            ends open connections; faults stay -> {"cut":
///   N}
///   {"count": NAME}                                 -> {"connections", "accepted", "bytes_up",
///   "bytes_down"} FLOW: {"latency_ms", "bytes_per_second", "slice_bytes", "reset_after_bytes":
///   numbers, "hold", "drop": booleans}
///
/// What cannot be done answers {"error": why} and changes nothing.
class Gates {
 public:
  explicit Gates(boost::asio::any_io_executor executor) : executor_(std::move(executor)) {}
  std::string answer(const std::string& line);

 private:
  boost::asio::any_io_executor executor_;
  std::map<std::string, std::unique_ptr<Gate>> gates_;
};

}  // namespace headwater::gate
