#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "config/node.hpp"
#include "connectors/sink.hpp"
#include "connectors/target_reader.hpp"
#include "schemas/core/time.hpp"
#include "schemas/crm/mapping.hpp"

namespace headwater {

/// What a sink is built from, besides its own section of the configuration.
struct SinkContext {
  std::string name;  ///< the sink's key: its name in cursors and metrics
  Holder holder;
  std::shared_ptr<const crm::Mapping> mapping;
  std::function<std::string(std::string_view org)>
      org_id;                    ///< 18 characters, empty while unknown. Any thread
  std::string version;           ///< of Headwater
  bool platform_events = false;  ///< some stream brings them
  const Clock* clock = nullptr;
};
using MakeSink = std::function<std::unique_ptr<Sink>(const SinkContext&)>;

/// What only the mapping shows to be wrong with a sink's section, one sentence each.
using CheckSink = std::function<std::vector<std::string>(const crm::Mapping& mapping)>;

/// Reads the sink's target, to compare it with the ledger.
using MakeReader =
    std::function<std::unique_ptr<TargetReader>(const std::string& name, const crm::Mapping&)>;

struct SinkMaker {
  MakeSink make;    ///< nothing if the section has an unknown type
  CheckSink check;  ///< nothing if there is nothing to check
  MakeReader reader = {};  ///< nothing if the target cannot be asked for single records
  /// Where it writes, as the configuration says it: two sinks with one target would be at odds.
  std::string target = {};
};

/// The one table that names every connector. Reads the section; an unknown `type` is a problem and
/// makes nothing.
SinkMaker parse_sink(const std::string& name, config::Node& section);

}  // namespace headwater
