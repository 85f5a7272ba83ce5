#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "schemas/core/ids.hpp"
#include "schemas/core/result.hpp"
#include "schemas/core/time.hpp"

namespace headwater::salesforce {

/// An object as describeGlobal lists it.
struct ObjectInfo {
  std::string name;
  std::string key_prefix;  ///< three characters, or empty
  bool queryable = false;
  bool retrieveable = false;
};

/// A field as describe shows it: only readable ones appear.
struct FieldInfo {
  std::string name;  ///< REST name: `BillingCity`
  std::string path;  ///< source path as change events say it: `BillingAddress.City`
  std::string type;  ///< describe's: string, double, date, datetime, reference, multipicklist, …
  std::string compound;  ///< compoundFieldName, or empty
  std::vector<std::string> reference_to;
  bool calculated = false;
};
struct ObjectDescription {
  std::string name, key_prefix;
  std::vector<FieldInfo> fields;  ///< without compounds themselves: their parts are listed
};

/// A record type of some object, active or not.
struct RecordTypeInfo {
  RecordId id;
  std::string developer_name;
};

/// A record read by id; `json` is its object as the org sent it. Nothing: deleted, hidden or never
/// there.
struct FetchedRecord {
  RecordId id;
  std::optional<std::string> json = std::nullopt;
  bool binned = false;  ///< no `json`, and the recycle bin shows it: deleted, and not hidden
};

/// What the org's REST API does for us. Blocking, each call with a deadline; one thread at a time.
/// Errors: Transient (network, 5xx, expired session after one renewal), Blocked (permission, quota,
/// API disabled), Rejected (INVALID_FIELD and the like: describe again).
class OrgApi {
 public:
  virtual ~OrgApi() = default;
  /// The 18-character org id, from the token response.
  virtual Result<std::string> org_id() = 0;
  virtual Result<std::vector<ObjectInfo>> describe_global() = 0;
  virtual Result<ObjectDescription> describe(std::string_view object) = 0;
  /// All of the org, by one query for 2,000 of them; but for the Master, which no row stands for.
  virtual Result<std::vector<RecordTypeInfo>> record_types() = 0;
  /// Entities that a channel of change events is set up to carry (`AccountChangeEvent`), by the
  /// Tooling API's PlatformEventChannelMember; `channel`: `ChangeEvents`, `Invoices__chn`. Rejected
  /// or Blocked: the user may not look at the setup (permission View Setup and Configuration).
  virtual Result<std::vector<std::string>> channel_members(std::string_view channel) = 0;
  /// sObject collections by id: the answer has one item per id, in order. Where there was nothing
  /// the recycle bin is asked, too.
  virtual Result<std::vector<FetchedRecord>> fetch(std::string_view object,
                                                   std::span<const RecordId> ids,
                                                   std::span<const std::string> fields) = 0;
};

}  // namespace headwater::salesforce
