#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "tests/org/faults.hpp"
#include "tests/org/http.hpp"
#include "tests/org/soql.hpp"
#include "tests/org/store.hpp"

namespace headwater::org {

/// Where the REST API lives.
inline constexpr std::string_view kRoot = "/services/data";

/// Bulk API 2.0 query jobs under jobs/query: create, status, results by locator, abort, delete. A
/// job's rows are taken when it is created, as they are then. Thread-safe.
class BulkJobs {
 public:
  BulkJobs(Store& store, Faults& faults) : store_(store), faults_(faults) {}
  /// `rest`: the path after `jobs/query`.
  HttpResponse handle(const HttpRequest& request,
                      const std::string& version,
                      const std::string& rest);
  std::uint64_t created() const { return created_; }

 private:
  struct Job {
    std::string id, version, operation, query, object, state = "UploadComplete", error;
    std::string header;             ///< CSV
    std::vector<std::string> rows;  ///< CSV, with line ends
    int polls = 0;                  ///< that still find it InProgress
    std::string end = "JobComplete";
  };
  HttpResponse create(const HttpRequest& request, const std::string& version);
  HttpResponse results(const HttpRequest& request, const std::string& version, const Job& job);
  std::string info(const Job& job) const;

  Store& store_;
  Faults& faults_;
  std::mutex mutex_;
  std::map<std::string, Job> jobs_;
  std::atomic<std::uint64_t> created_{0};
};

/// A value as a Bulk result prints it: every cell quoted, null as the empty text, `…Z` for moments,
/// large and small doubles with an exponent, as Java writes them.
void append_csv_cell(std::string& out, FieldType type, const Value& value);

}  // namespace headwater::org
