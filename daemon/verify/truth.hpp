#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "connectors/salesforce/config.hpp"
#include "connectors/salesforce/org_api.hpp"
#include "daemon/verify/compare.hpp"
#include "schemas/core/result.hpp"
#include "schemas/core/time.hpp"
#include "schemas/crm/mapping.hpp"

namespace headwater::verify {

/// A living record of the org, as the mapping says it must look.
struct TrueRecord {
  EpochMs stamp = 0;                       ///< SystemModstamp; 0: not told
  std::string sections;                    ///< as sections_of() a canonical record
  std::shared_ptr<const Retired> retired;  ///< what it cannot say; never null
  /// Not empty: why its row could not be read (a value does not fit the field's type). Of the
  /// others then only `stamp` counts.
  std::string unread;
};

/// What a mapped record cannot show of an object that the org describes so. Pure.
Retired retired_members(const crm::EntityMapping& entity,
                        const salesforce::ObjectDescription& described);

/// One org's own truth. Blocking; one thread. Errors as OrgReader's.
class Truth {
 public:
  virtual ~Truth() = default;
  /// In order; nothing: deleted, hidden or never there. REQUIRES: all of one object.
  virtual Result<std::vector<std::optional<TrueRecord>>> read(
      std::span<const std::string> rkeys) = 0;
  /// Every living record of these objects that was saved since then (0: at any time), some at a
  /// time.
  using KeyVisitor = std::function<Result<void>(std::span<const std::string> rkeys)>;
  virtual Result<void> each_key(const std::map<std::string, EpochMs>& objects,
                                const KeyVisitor& visit) = 0;
};

/// By the org's REST API, with the org's credentials, a page at a time. Its calls are of the lowest
/// priority. `clock` must outlive it.
std::unique_ptr<Truth> make_rest_truth(const salesforce::OrgConfig& org,
                                       std::shared_ptr<const crm::Mapping> mapping,
                                       const Clock& clock);

/// From a dump: JSON lines `{"object","id","fields"}` in a file, or under an http:// URL (the
/// simulated org's `/truth`). Read anew for every question, and held in memory: for tests. What the
/// fields are, the org's REST API says.
std::unique_ptr<Truth> make_dump_truth(const salesforce::OrgConfig& org,
                                       std::shared_ptr<const crm::Mapping> mapping,
                                       const Clock& clock,
                                       std::string place);

}  // namespace headwater::verify
