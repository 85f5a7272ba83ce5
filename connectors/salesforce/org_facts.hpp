#pragma once

#include <set>
#include <span>
#include <string>
#include <string_view>

#include "connectors/salesforce/org_api.hpp"
#include "schemas/core/result.hpp"
#include "schemas/crm/projector.hpp"

namespace headwater::salesforce {

// What images of an org's records depend on and only the org can tell. Learning adds to the facts:
// what is not told any more stays, for records may still refer to it. Errors as OrgApi's.

/// Which object an id belongs to, by its key prefix.
Result<void> learn_objects(OrgApi& api, crm::OrgFacts& facts);

/// Developer names of record types. False: the org does not show them to the user; its records are
/// whole without.
Result<bool> learn_record_types(OrgApi& api, crm::OrgFacts& facts);

/// The object whose changes an entity tells: `AccountChangeEvent` -> Account,
/// `Invoice__ChangeEvent` -> Invoice__c; empty: it is no change event.
std::string object_of_change_event(std::string_view entity);
/// The one object of a topic such as /data/AccountChangeEvent or /data/Invoice__ChangeEvent; empty:
/// it may carry any.
std::string object_of_topic(std::string_view topic);

/// Objects whose changes some channels of the org may carry.
struct CapturedObjects {
  std::set<std::string> objects;
  /// Those of them that the org does not show to our user: it sends no event of them either, in
  /// silence (salesforce.md section 7.9).
  std::set<std::string> hidden;
  /// True: they are what the channels are set up for. False: we may not see that, as `why` says,
  /// and they are all that could be captured.
  bool exact = true;
  std::string why;
};

/// Asks what each channel is set up for; where that is refused, what of all objects has change
/// events. Error: neither could be had.
Result<CapturedObjects> learn_captured(OrgApi& api, std::span<const std::string> channels);

}  // namespace headwater::salesforce
