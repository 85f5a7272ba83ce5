#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "schemas/crm/projector.hpp"

namespace headwater::crm {

inline constexpr NameId kNoName = static_cast<NameId>(-1);

/// The value of a source path; tag Absent if it was never seen or has no number yet.
inline const ValueView& slot(const RawSlots& raw, NameId id) {
  static constexpr ValueView kAbsent{Tag::Absent, 0, 0, {}};
  return id < raw.size() ? raw[id] : kAbsent;
}
/// Unknown counts as null.
inline bool nothing(const ValueView& value) {
  return value.tag == Tag::Null || value.tag == Tag::Absent;
}

/// A name table as it is now, sorted by the names' bytes.
class SourceNames {
 public:
  struct Entry {
    std::string_view text;
    NameId id = kNoName;
  };

  explicit SourceNames(const NameTable& names);
  std::span<const Entry> all() const { return entries_; }
  NameId find(std::string_view path) const;
  /// Entries that begin with `path` and a dot, sorted.
  std::span<const Entry> children(std::string_view path) const;

 private:
  std::vector<Entry> entries_;
};

/// A path that may be a compound: itself and its children, as far as the table knows them.
struct SourcePath {
  NameId self = kNoName;
  struct Child {
    std::string_view name;  ///< without the compound's own
    NameId id = kNoName;
  };
  std::vector<Child> children;

  static SourcePath resolve(const SourceNames& names, std::string_view path);
  NameId child(std::string_view name) const;
  bool any_child(const RawSlots& raw) const;  ///< some child is not null
};

/// What an address shows of its compound, in the order in which it is written.
struct CompoundPart {
  std::string_view key;    ///< `postal_code`
  std::string_view child;  ///< `PostalCode`
};
inline constexpr std::array<CompoundPart, 10> kAddressParts{{{"street", "Street"},
                                                             {"city", "City"},
                                                             {"state", "State"},
                                                             {"state_code", "StateCode"},
                                                             {"postal_code", "PostalCode"},
                                                             {"country", "Country"},
                                                             {"country_code", "CountryCode"},
                                                             {"lat", "Latitude"},
                                                             {"lon", "Longitude"},
                                                             {"accuracy", "GeocodeAccuracy"}}};
inline constexpr std::array<CompoundPart, 2> kGeoParts{{{"lat", "Latitude"}, {"lon", "Longitude"}}};

/// Appends `{"street":…,…}` with all parts. False, and nothing appended, if all are null.
bool append_parts(std::string& out,
                  const RawSlots& raw,
                  std::span<const CompoundPart> parts,
                  std::span<const NameId> ids);
/// Appends all known children under their own names.
bool append_children(std::string& out, const RawSlots& raw, const SourcePath& path);

/// `FirstName MiddleName LastName Suffix` of a compound, or the text of a plain name as it is:
/// Salesforce keeps white space inside a name, and so does its own Name.
void append_person_name(std::string& out, const RawSlots& raw, const SourcePath& path);

}  // namespace headwater::crm
