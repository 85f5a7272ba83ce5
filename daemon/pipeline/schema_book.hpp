#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "connectors/salesforce/event_source.hpp"
#include "daemon/ledger/ledger.hpp"
#include "schemas/avro/event_decoder.hpp"
#include "schemas/avro/platform_decoder.hpp"

namespace headwater {

/// Schemas by id, compiled once each, and what is new in one told once: in memory, else from the
/// ledger (where they are kept for ever), else from the org. Used by one ingest thread.
class SchemaBook {
 public:
  /// `kind`: what the stream carries.
  SchemaBook(std::string org,
             ledger::Ledger& ledger,
             salesforce::EventSource& source,
             avro::PlanKind kind = avro::PlanKind::Change)
      : org_(std::move(org)), kind_(kind), ledger_(ledger), source_(source) {}

  struct Page {
    avro::Plan plan;
    std::string object;  ///< API name that its events speak of, or of the platform event
    // The one of the stream's kind.
    std::unique_ptr<avro::EventDecoder> decoder;
    std::unique_ptr<avro::PlatformDecoder> platform;
  };

  /// Transient: the org cannot say now, ask again. Rejected: refused for good, or no schema of the
  /// stream's kind; the verdict is remembered, so that a flood of such events asks once.
  Result<Page*> find(std::string_view schema_id);
  /// Asks again at the next find(), if it was refused.
  void forget_refusal(std::string_view schema_id);

  std::uint64_t fetched() const { return fetched_; }

 private:
  Result<std::string> text_of(std::string_view schema_id);
  void tell_change(std::string_view schema_id, const Page& page);
  Result<std::unique_ptr<Page>> compile(std::string_view schema_id, const std::string& text);

  struct Verdict {
    std::unique_ptr<Page> page;  ///< nullptr: refused
    std::string refusal;
  };
  const std::string org_;
  const avro::PlanKind kind_;
  ledger::Ledger& ledger_;
  salesforce::EventSource& source_;
  std::unordered_map<std::string, Verdict> pages_;
  std::unordered_map<std::string, const Page*> latest_;  // the last new one, by object
  std::uint64_t fetched_ = 0;
};

}  // namespace headwater
