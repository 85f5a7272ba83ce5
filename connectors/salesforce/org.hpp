#pragma once

#include <memory>
#include <string>

#include "connectors/salesforce/config.hpp"
#include "connectors/salesforce/event_source.hpp"
#include "connectors/salesforce/metrics.hpp"
#include "connectors/salesforce/org_api.hpp"
#include "connectors/salesforce/org_reader.hpp"
#include "connectors/salesforce/quota.hpp"
#include "connectors/salesforce/token.hpp"

namespace headwater::salesforce {

// What the daemon builds of an org: one TokenSource and one QuotaGovernor, then a subscription per
// stream and a client per thread that reads records. `clock` must outlive them.

/// A subscription of one topic. Owned and called by one ingest thread.
std::unique_ptr<EventSource> make_subscription(const OrgConfig& config,
                                               std::string topic,
                                               std::shared_ptr<TokenSource> tokens,
                                               std::shared_ptr<OrgMetrics> metrics,
                                               const Clock& clock);

/// Few records by id, and describe. One thread at a time. `quota`: the org's, or null: nothing is
/// held back.
std::unique_ptr<OrgApi> make_org_client(const OrgConfig& config,
                                        std::shared_ptr<TokenSource> tokens,
                                        std::shared_ptr<OrgMetrics> metrics,
                                        std::shared_ptr<QuotaGovernor> quota = nullptr);

/// Many records, by query or Bulk job. One thread at a time.
std::unique_ptr<OrgReader> make_org_reader(const OrgConfig& config,
                                           std::shared_ptr<TokenSource> tokens,
                                           std::shared_ptr<OrgMetrics> metrics,
                                           std::shared_ptr<QuotaGovernor> quota = nullptr);

}  // namespace headwater::salesforce
