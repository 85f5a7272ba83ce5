#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "connectors/salesforce/event_source.hpp"
#include "daemon/ledger/ledger.hpp"
#include "daemon/pipeline/hidden_fields.hpp"
#include "schemas/avro/event_decoder.hpp"
#include "schemas/avro/platform_decoder.hpp"

namespace headwater {

/// Schemas by id, compiled once each, and what is new in one told once: in memory, else from the
/// ledger (where they are kept for ever), else from the org. The ledger also keeps which ones of an
/// object are in use, so that a start in the middle of a deployment knows both. Used by one ingest
/// thread.
class SchemaBook {
 public:
  /// `kind`: what the stream carries.
  SchemaBook(std::string org,
             ledger::Ledger& ledger,
             salesforce::EventSource& source,
             avro::PlanKind kind = avro::PlanKind::Change,
             const HiddenFields* hidden = nullptr)
      : org_(std::move(org)), kind_(kind), ledger_(ledger), source_(source), hidden_(hidden) {}

  struct Page {
    avro::Plan plan;
    std::string object;  ///< API name that its events speak of, or of the platform event
    // The one of the stream's kind.
    std::unique_ptr<avro::EventDecoder> decoder;
    std::unique_ptr<avro::PlatformDecoder> platform;
    std::string id = {};
    EpochMs used_at = 0;  ///< newest commit of an event that was told by it; 0: none was yet
    bool in_use = false;  ///< the ledger says so
    HiddenFields::Names hidden = {};  ///< null of these says nothing; null: there are none
    std::uint64_t hidden_as_of = 0;
  };

  /// Transient: the org cannot say now, ask again. Rejected: refused for good, or no schema of the
  /// stream's kind; the verdict is remembered, so that a flood of such events asks once.
  Result<Page*> find(std::string_view schema_id);
  /// An event committed then was told by this schema. True if another one of the object, by which
  /// one of the hour before was told, has a field that this one lacks or tells otherwise: so it is
  /// while a deployment lasts, and a whole image by this one is not all of the record.
  bool falls_short(Page& page, EpochMs commit_ts);
  /// Asks again at the next find(), if it was refused.
  void forget_refusal(std::string_view schema_id);

  std::uint64_t fetched() const { return fetched_; }

 private:
  Page* current(Page& page) const;
  Result<std::string> text_of(std::string_view schema_id);
  void tell_change(Page& page);
  std::set<std::string> kept_in_use(const std::string& object);
  void recall(const std::string& object);
  void set_in_use(Page& page, bool in_use);
  Result<std::unique_ptr<Page>> compile(std::string_view schema_id, const std::string& text);

  struct Verdict {
    std::unique_ptr<Page> page;  ///< nullptr: refused
    std::string refusal;
  };
  const std::string org_;
  const avro::PlanKind kind_;
  ledger::Ledger& ledger_;
  salesforce::EventSource& source_;
  const HiddenFields* const hidden_;
  std::unordered_map<std::string, Verdict> pages_;
  std::unordered_map<std::string, const Page*> latest_;  // the last new one, by object
  std::unordered_map<std::string, std::vector<Page*>> of_object_;
  std::map<std::pair<const Page*, const Page*>, bool> short_;  // of the first against the second
  std::uint64_t fetched_ = 0;
};

}  // namespace headwater
