#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "connectors/salesforce/http.hpp"
#include "connectors/salesforce/org_api.hpp"
#include "connectors/salesforce/org_reader.hpp"
#include "schemas/core/result.hpp"

namespace headwater::salesforce {

// What the org's answers say, turned into our words. Pure. `doing` begins the sentence of an error;
// Transient: not what the answer should be.

Result<QueryPage> read_query_page(std::string_view doing, std::string_view body);
/// A row of `SELECT Id, DeveloperName FROM RecordType`.
Result<RecordTypeInfo> read_record_type(std::string_view doing, std::string_view record);
/// A row of `SELECT Id, IsDeleted FROM Account`.
struct DeletionTold {
  RecordId id;
  bool deleted = false;
};
Result<DeletionTold> read_deletion(std::string_view doing, std::string_view record);
/// A row of `SELECT SelectedEntity FROM PlatformEventChannelMember`.
Result<std::string> read_channel_member(std::string_view doing, std::string_view record);
Result<BulkJob> read_job(std::string_view doing, std::string_view body);
Result<DeletionLog> read_deletions(std::string_view doing, std::string_view body);
Result<OrgLimits> read_limits(std::string_view doing, std::string_view body);
/// The header of a page of a Bulk result that says how many rows it has; nothing: it is not there.
std::optional<std::uint64_t> rows_told(const HttpReply& reply);

}  // namespace headwater::salesforce
