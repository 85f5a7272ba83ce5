#pragma once

#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "connectors/salesforce/org_api.hpp"
#include "connectors/salesforce/row.hpp"
#include "daemon/ledger/ledger.hpp"
#include "daemon/pipeline/hidden_fields.hpp"
#include "daemon/pipeline/row_lane.hpp"
#include "schemas/core/time.hpp"

namespace headwater {

/// An object as the org describes it to us, and what is asked for to read its records whole.
struct DescribedObject {
  salesforce::ObjectDescription description;
  std::vector<std::string> fields;  ///< REST names
  std::vector<std::string> types;   ///< of them, as describe says them
  std::int64_t described_at = 0;    ///< monotonic ms
  std::size_t names = 0;            ///< that the ledger knew of the object, these included
  std::uint64_t schemas = 0;        ///< changes of its schema that streams had seen
};

/// Descriptions of an org's objects, and rows typed by them. A description is kept for an hour, or
/// until an event tells of a field that it lacks (a row without it would be taken for whole), or
/// comes by another schema. The org worker's thread.
class ObjectBook {
 public:
  /// `hidden`, if any, is told of every description; all must outlive it.
  ObjectBook(std::string org,
             salesforce::OrgApi& api,
             ledger::Ledger& ledger,
             const Clock& clock,
             HiddenFields* hidden = nullptr)
      : org_(std::move(org)), api_(api), ledger_(ledger), clock_(clock), hidden_(hidden) {}

  /// Valid until the object is asked for or forgotten again.
  Result<const DescribedObject*> describe(const std::string& object);
  HiddenFields* hidden() const { return hidden_; }
  /// Ask again: a field went, was hidden or changed its type.
  void forget(const std::string& object) { objects_.erase(object); }

  /// A decoded row as one for the ledger, its memory in `out`.
  void add_row(const std::string& object, const salesforce::RecordRow& decoded, OwnedRows& out);
  /// Rows of records read by id; `present` is false where the org returned nothing, and
  /// `deleted` is true if its recycle bin says why. A record that cannot be read is left out and
  /// named in `unread`, with the reason: the others do not wait for it.
  OwnedRows rows_of(const DescribedObject& object,
                    std::span<const salesforce::FetchedRecord> records,
                    std::map<std::string, std::string>& unread);

 private:
  const std::string org_;
  salesforce::OrgApi& api_;
  ledger::Ledger& ledger_;
  const Clock& clock_;
  HiddenFields* const hidden_;
  std::unordered_map<std::string, DescribedObject> objects_;
};

}  // namespace headwater
