#include "daemon/answer.hpp"

#include <boost/json.hpp>

namespace headwater {
namespace {

std::string refused(const std::string& why) {
  return boost::json::serialize(boost::json::object{{"error", why}});
}

std::string get(const std::string& rkey, ledger::Ledger& ledger) {
  const auto key = RecordKey::parse(rkey);
  if (!key) return refused(key.error().message);
  EntryBatch batch;
  const auto found = ledger.get(*key, batch);
  if (!found) return refused(found.error().message);
  if (!*found) return refused("the ledger has never seen this record");
  return record_json(batch.entries().front());
}

}  // namespace

std::string answer(const std::string& line,
                   const StatusSources& sources,
                   ledger::Ledger& ledger,
                   const Clock& clock) {
  const auto space = line.find(' ');
  const std::string verb = line.substr(0, space);
  if (verb == "status") return status_json(sources, clock);
  if (verb == "holes") return holes_json(ledger);
  if (verb == "quarantine") return quarantine_json(ledger);
  if (verb == "get") return get(space == std::string::npos ? "" : line.substr(space + 1), ledger);
  return refused("unknown command; known are status, get, holes, quarantine");
}

}  // namespace headwater
