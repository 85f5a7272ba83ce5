#pragma once

#include <atomic>
#include <boost/json/array.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "tests/org/bulk.hpp"
#include "tests/org/faults.hpp"
#include "tests/org/http.hpp"
#include "tests/org/oauth.hpp"
#include "tests/org/record_types.hpp"
#include "tests/org/soql.hpp"
#include "tests/org/store.hpp"

namespace headwater::org {

/// The REST API under /services/data: versions, describe, query, sObject collections, limits, Bulk
/// query jobs.
/// Thread-safe.
class Rest {
 public:
  Rest(Store& store, RecordTypes& types, Oauth& oauth, Faults& faults);
  HttpResponse handle(const HttpRequest& request);
  std::uint64_t calls() const { return calls_; }
  std::uint64_t jobs_created() const { return bulk_.created(); }

 private:
  struct ResultSet {
    std::vector<std::string> rows;  ///< rendered
    std::size_t batch = 0;
  };

  HttpResponse route(const HttpRequest& request,
                     const std::string& version,
                     const std::string& rest);
  HttpResponse sobjects(const HttpRequest& request,
                        const std::string& version,
                        const std::string& rest);
  HttpResponse describe_global(const std::string& version);
  HttpResponse tooling_query(const HttpRequest& request);
  HttpResponse describe(const ObjectDef& object);
  boost::json::array record_types(const ObjectDef& object) const;
  HttpResponse deletions(const HttpRequest& request, const ObjectDef& object);
  HttpResponse collection(const HttpRequest& request,
                          const std::string& version,
                          const ObjectDef& object);
  HttpResponse row(const HttpRequest& request,
                   const std::string& version,
                   const ObjectDef& object,
                   const std::string& id);
  HttpResponse query(const HttpRequest& request, const std::string& version, bool all);
  HttpResponse page(const std::string& version, const std::string& locator);
  HttpResponse render_page(const std::string& version,
                           const std::string& locator,
                           std::size_t from);

  HttpResponse limits();
  /// Null: there is none, or the user may not read it.
  const ObjectDef* readable(const std::string& object) const;

  Store& store_;
  RecordTypes& types_;
  Oauth& oauth_;
  Faults& faults_;
  BulkJobs bulk_;
  std::atomic<std::uint64_t> calls_{0};
  std::mutex mutex_;
  std::map<std::string, ResultSet> results_;  ///< by locator
  std::uint64_t next_locator_ = 1;
};

/// Appends a record as REST prints it: attributes, then the fields in this order. `misprinted`: its
/// dates are words.
void append_record(std::string& out,
                   const std::string& version,
                   const ObjectDef& object,
                   const Record& record,
                   const std::vector<RestField>& fields,
                   bool misprinted);

}  // namespace headwater::org
