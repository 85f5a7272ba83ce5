#pragma once

#include <map>
#include <string>

#include "connectors/salesforce/config.hpp"
#include "schemas/core/result.hpp"
#include "schemas/core/time.hpp"

namespace headwater::verify {

/// What one record must look like everywhere.
struct Expected {
  std::string entity;
  /// `"fields":{…},"extra":{…},"raw":{…},"refs":{…}`: the canonical bytes that every document
  /// holds.
  std::string sections;
};

/// By rkey: every living record of the org.
using Truth = std::map<std::string, Expected>;

/// Asks the simulated org's control port for its true records and its REST API for their
/// description, and projects them as the built-in mapping says.
Result<Truth> read_truth(const salesforce::OrgConfig& org,
                         const std::string& control_url,
                         const Clock& clock);

/// The part of a canonical record's text that Expected::sections holds; empty if it is not one.
std::string_view sections_of(std::string_view document);

/// True if two texts of sections say the same. `updated_at` may be later than the org's
/// LastModifiedDate: some changes (geocoding, lead conversion) come without one, and then the
/// commit time counts.
bool same_sections(std::string_view expected, std::string_view found, std::string* difference);

/// GET of a plain http:// URL. Transient: no answer, or not 200.
Result<std::string> http_get(const std::string& base_url, const std::string& path);

}  // namespace headwater::verify
