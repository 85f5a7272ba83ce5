#include <algorithm>
#include <boost/json.hpp>

#include "tests/org/rest.hpp"

namespace headwater::org {
namespace {

constexpr std::size_t kIdsMax = 600'000;

}  // namespace

/// `sobjects/<Object>/deleted/?start=…&end=…` (salesforce.md section 11.6).
HttpResponse Rest::deletions(const HttpRequest& request, const ObjectDef& object) {
  const auto start = parse_datetime(request.param("start"));
  const auto end = parse_datetime(request.param("end"));
  if (!start || !end || *start >= *end) {
    return rest_refusal(
        400, "INVALID_REPLICATION_DATE", "start and end must be dates, start before end");
  }
  const EpochMs now = store_.clock().now_second();
  if (*start < now - Faults::kDeletionLogMs) {
    return rest_refusal(
        400, "INVALID_REPLICATION_DATE", "startDate cannot be more than 15 days ago");
  }
  const EpochMs earliest = now - faults_.deletion_log_ms;
  boost::json::array records;
  if (!faults_.records_hidden(object.name)) {
    for (const auto& [id, at] : store_.deletions(object, std::max(*start, earliest), *end)) {
      records.push_back(boost::json::object{{"id", id}, {"deletedDate", format_datetime(at)}});
    }
  }
  if (records.size() > kIdsMax) {
    return rest_refusal(400, "EXCEEDED_ID_LIMIT", "too many ids: narrow the interval");
  }
  return {200,
          boost::json::serialize(
              boost::json::object{{"deletedRecords", records},
                                  {"earliestDateAvailable", format_datetime(earliest)},
                                  {"latestDateCovered", format_datetime(std::min(*end, now))}})};
}

}  // namespace headwater::org
