#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <memory_resource>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "schemas/core/time.hpp"
#include "schemas/crm/mapping.hpp"
#include "schemas/model/image.hpp"

namespace headwater::crm {

/// Record type id (18 characters) -> developer name.
using RecordTypes = std::map<std::string, std::string, std::less<>>;

/// Object -> source paths that the org has no longer, or shows to our user no longer.
using RetiredPaths = std::map<std::string, std::set<std::string, std::less<>>, std::less<>>;

/// What projection needs to know of an org, besides the record. Part of what a record's image is a
/// function of: when it changes, records are projected again.
struct OrgFacts {
  std::string name;      ///< our slug; also the default business unit
  std::string currency;  ///< default currency, may be empty
  std::string region;    ///< default region, may be empty
  std::unordered_map<std::string, std::string> object_by_prefix;  ///< `a0B` -> `Invoice__c`
  RecordTypes record_types = {};
  RetiredPaths retired = {};  ///< no object without a path
};

/// A record's raw image laid out for projection: slot i holds the value of the source path with
/// NameId i, tag Absent where the field was never seen.
using RawSlots = std::vector<ValueView>;

/// What the state knows besides the fields.
struct StateFacts {
  std::string_view id;     ///< 18 characters
  EpochMs commit_ts = 0;   ///< $meta.commit_ts
  EpochMs touched_at = 0;  ///< $meta.touched_at; 0: null
};

/// The canonical record. Reused, so that its memory is. Texts borrow from the raw slots or from
/// `arena`.
struct Projection {
  std::string_view bu;
  std::optional<EpochMs> sort_at;  ///< of the record in relation lists
  std::array<std::vector<Member>, kSections> sections;
  std::string violations;                ///< as Meta has them
  std::string retired;                   ///< as Meta has it
  std::string_view record_type_unknown;  ///< a RecordTypeId that the facts have no name for
  std::pmr::monotonic_buffer_resource arena;

  ImageView image(const NameTable& names) const;
  void begin();  ///< empties all but the fields, which a projector writes all of
};

/// Raw image -> canonical record, compiled for one object of one org. A pure function of its
/// inputs. One thread at a time.
class Projector {
 public:
  /// Interns the names it needs in `names`, which must outlive it.
  Projector(std::shared_ptr<const Mapping> mapping,
            std::shared_ptr<const OrgFacts> org,
            std::string_view object,
            NameTable& names);
  ~Projector();
  Projector(Projector&&) noexcept;

  std::string_view entity() const;  ///< `contact`, `custom:Invoice__c`
  void project(const RawSlots& raw, const StateFacts& facts, Projection& out);
  /// The same record with other values for `changed` alone: what no changed path feeds is taken
  /// from `from`, and borrows its memory. REQUIRES: `from` is what project() made last.
  void project_again(const RawSlots& raw,
                     const StateFacts& facts,
                     std::span<const Member> changed,
                     const Projection& from,
                     Projection& out);

 private:
  struct Plan;
  std::unique_ptr<Plan> plan_;
};

}  // namespace headwater::crm
