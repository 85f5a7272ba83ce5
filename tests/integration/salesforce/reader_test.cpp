// Many records by query and by Bulk job, against the simulated org and its faults.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <thread>

#include "connectors/salesforce/describe.hpp"
#include "connectors/salesforce/http.hpp"
#include "connectors/salesforce/org.hpp"
#include "connectors/salesforce/row.hpp"
#include "tests/integration/salesforce/certificates.hpp"
#include "tests/integration/salesforce/fixtures.hpp"
#include "tests/org/org.hpp"

namespace headwater::salesforce {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

const std::vector<std::string> kFields{"Id", "Name", "Description"};

class ReaderTest : public testing::Test {
 protected:
  void SetUp() override {
    org::OrgOptions options;
    options.public_key_pem = key_.public_pem;
    org_ = std::make_unique<org::Org>(options);
    const auto at = org_->start();
    ASSERT_TRUE(at.ok()) << at.error().message;
    config_.name = "emea";
    config_.login_url = at->login_url;
    config_.auth.client_id = options.client_id;
    config_.auth.username = options.username;
    config_.auth.private_key_file = dir_.write("key.pem", key_.private_pem);
    config_.auth.audience = default_audience(config_.login_url);
    tokens_ = std::make_shared<TokenSource>(config_, metrics_, clock_);
    quota_ = std::make_shared<QuotaGovernor>("emea", 0.2, metrics_, clock_);
    reader_ = make_org_reader(config_, tokens_, metrics_, quota_);
    api_ = make_org_client(config_, tokens_, metrics_, quota_);
  }

  /// Adds accounts named `n<i>`.
  std::vector<std::string> make_accounts(std::size_t count, const std::string& description = {}) {
    const auto& object = org_->catalog().get("Account");
    std::vector<std::string> ids;
    for (std::size_t i = 0; i < count; ++i) {
      org::Draft draft(org::DmlOp::Create, object, {org_->store().new_id(object)});
      draft.set("Name", "n" + std::to_string(i));
      if (!description.empty()) draft.set("Description", description);
      EXPECT_TRUE(org_->store().commit({draft}, {}).ok());
      ids.push_back(draft.id());
    }
    return ids;
  }
  std::set<std::string> live_ids(std::string_view object) {
    std::set<std::string> ids;
    org_->store().each(org_->catalog().get(object), false, [&](const org::Record& record) {
      ids.insert(record.id);
    });
    return ids;
  }
  Selection accounts() const {
    Selection out;
    out.object = "Account";
    out.fields = kFields;
    return out;
  }
  /// All ids of a query, or its error; a page that failed is asked for once more.
  Result<std::multiset<std::string>> ids_by_query(const Selection& selection, int retries = 0) {
    QueryWalk walk(*reader_, selection, {});
    std::multiset<std::string> ids;
    while (true) {
      auto page = walk.next();
      if (!page && page.error().code == "RESULT_SHORT") ids.clear();
      if (!page && retries-- > 0) continue;
      if (!page) return page.error();
      if (!*page) return ids;
      for (const auto& record : (*page)->records) {
        const auto at = record.find(R"("Id":")");
        ids.insert(record.substr(at + 6, 18));
      }
    }
  }
  Result<BulkJob> complete_job(const Selection& selection) {
    auto job = reader_->create_job(selection, {});
    if (!job) return job;
    return reader_->wait_for_job(job->id, {});
  }
  Result<std::multiset<std::string>> ids_by_bulk(BulkWalk& walk, int retries = 0) {
    std::multiset<std::string> ids;
    while (true) {
      auto page = walk.next();
      if (!page && retries-- > 0) continue;
      if (!page) return page.error();
      if (!*page) return ids;
      for (std::size_t i = 0; i < (*page)->rows(); ++i) ids.emplace((*page)->cell(i, 0));
    }
  }
  static std::multiset<std::string> many(const std::set<std::string>& ids) {
    return {ids.begin(), ids.end()};
  }

  TempDir dir_;
  RsaKey key_ = RsaKey::make();
  std::unique_ptr<org::Org> org_;
  OrgConfig config_;
  SystemClock clock_;
  std::shared_ptr<OrgMetrics> metrics_ = std::make_shared<OrgMetrics>();
  std::shared_ptr<TokenSource> tokens_;
  std::shared_ptr<QuotaGovernor> quota_;
  std::unique_ptr<OrgReader> reader_;
  std::unique_ptr<OrgApi> api_;
};

TEST_F(ReaderTest, TheLogOfDeletionsTellsWhatIsGoneAndHowFarItReaches) {
  const auto ids = make_accounts(3);
  const auto& object = org_->catalog().get("Account");
  ASSERT_TRUE(org_->store().commit({org::Draft(org::DmlOp::Delete, object, {ids[1]})}, {}).ok());
  const EpochMs now = clock_.now_ms() / 1000 * 1000;
  const auto log = reader_->deletions("Account", now - 60'000, now + 1'000, {});
  ASSERT_TRUE(log.ok()) << log.error().message;
  ASSERT_EQ(log->ids.size(), 1U);
  EXPECT_EQ(log->ids[0].str(), ids[1]);
  EXPECT_LT(log->reaches_from, now - Millis(std::chrono::hours{24}).count());
  EXPECT_GE(log->reaches_to, now);
  const auto refused = reader_->deletions("Account", now - 16LL * 86'400'000, now, {});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, "INVALID_REPLICATION_DATE");
  EXPECT_EQ(reader_->deletions("Nothing__c", now - 60'000, now, {}).error().code, "NOT_FOUND");
}

TEST_F(ReaderTest, AQueryGivesEveryRecordOnceOverItsPages) {
  make_accounts(4'500);
  const auto ids = ids_by_query(accounts());
  ASSERT_TRUE(ids.ok()) << ids.error().message;
  EXPECT_EQ(*ids, many(live_ids("Account")));
  const auto count = reader_->count(accounts(), {});
  ASSERT_TRUE(count.ok()) << count.error().message;
  EXPECT_EQ(*count, ids->size());
}

TEST_F(ReaderTest, QueryAllGivesTheRecycleBinToo) {
  const auto ids = make_accounts(3);
  org::Draft remove(org::DmlOp::Delete, org_->catalog().get("Account"), {ids[1]});
  ASSERT_TRUE(org_->store().commit({remove}, {}).ok());
  auto selection = accounts();
  selection.fields = {"Id", "IsDeleted"};
  selection.where = "Name = 'n1'";
  EXPECT_EQ(ids_by_query(selection)->size(), 0u);
  selection.with_deleted = true;
  auto page = reader_->query(selection, 200, {});
  ASSERT_TRUE(page.ok()) << page.error().message;
  ASSERT_EQ(page->records.size(), 1u);
  EXPECT_THAT(page->records[0], HasSubstr(R"("IsDeleted":true)"));
}

TEST_F(ReaderTest, APageThatFailsComesShortRepeatsOrIsCutCostsOneMoreCall) {
  make_accounts(4'500);
  const auto wanted = many(live_ids("Account"));
  for (auto* fault : {&org_->faults().pages_failed,
                      &org_->faults().pages_short,
                      &org_->faults().pages_repeated,
                      &org_->faults().pages_cut}) {
    *fault = 1;
    const auto refused = ids_by_query(accounts());
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().kind, ErrorKind::Transient) << refused.error().message;
    *fault = 1;
    const auto ids = ids_by_query(accounts(), 1);
    ASSERT_TRUE(ids.ok()) << ids.error().message;
    EXPECT_EQ(*ids, wanted);
    EXPECT_EQ(*fault, 0);
  }
}

TEST_F(ReaderTest, ABulkJobTellsTheSameAsRestFieldByField) {
  org_->load(300, 0);
  make_accounts(1, "one\ntwo, \"three\"\r\n" + std::string(131'000, 'x'));
  std::size_t compared = 0;
  for (const auto* object : {"Account", "Contact", "Opportunity", "Invoice__c", "Event"}) {
    const auto description = api_->describe(object);
    ASSERT_TRUE(description.ok()) << description.error().message;
    Selection selection;
    selection.object = object;
    selection.fields = fetch_fields(*description);
    const RowDecoder decoder(*description);
    RecordRow row;
    std::map<std::string, std::map<std::string, std::string>> by_rest;
    const auto fields_of = [&row] {
      std::map<std::string, std::string> out;
      for (const auto& f : row.fields) {
        auto& text = out[std::string(f.path)];
        text = std::to_string(static_cast<int>(f.value.tag)) + ' ';
        append_json_value(text, f.value);
      }
      return out;
    };
    QueryWalk walk(*reader_, selection, {});
    for (auto page = walk.next();; page = walk.next()) {
      ASSERT_TRUE(page.ok()) << page.error().message;
      if (!*page) break;
      for (const auto& record : (*page)->records) {
        ASSERT_TRUE(decoder.decode(record, row).ok());
        by_rest[row.id.str()] = fields_of();
      }
    }
    const auto job = complete_job(selection);
    ASSERT_TRUE(job.ok()) << job.error().message;
    BulkWalk bulk(*reader_, *job, selection.fields, {}, 100, {});
    for (auto page = bulk.next();; page = bulk.next()) {
      ASSERT_TRUE(page.ok()) << page.error().message;
      if (!*page) break;
      for (std::size_t i = 0; i < (*page)->rows(); ++i) {
        const auto decoded = decoder.decode(**page, i, selection.fields, row);
        ASSERT_TRUE(decoded.ok()) << decoded.error().message;
        EXPECT_EQ(fields_of(), by_rest[row.id.str()]) << object << ' ' << row.id.str();
        by_rest.erase(row.id.str());
        ++compared;
      }
    }
    EXPECT_TRUE(by_rest.empty()) << object;
  }
  EXPECT_GT(compared, 100u);
}

TEST_F(ReaderTest, ABulkResultGoesOnFromAKeptPosition) {
  make_accounts(1'000);
  const auto job = complete_job(accounts());
  ASSERT_TRUE(job.ok()) << job.error().message;
  EXPECT_EQ(job->records, live_ids("Account").size());
  std::multiset<std::string> ids;
  BulkPosition kept;
  while (!kept.done) {
    // Each page by a walk of its own, as after a crash.
    BulkWalk walk(*reader_, *job, kFields, kept, 300, {});
    auto page = walk.next();
    ASSERT_TRUE(page.ok()) << page.error().message;
    for (std::size_t i = 0; i < (*page)->rows(); ++i) ids.emplace((*page)->cell(i, 0));
    kept = walk.position();
  }
  EXPECT_EQ(ids, many(live_ids("Account")));
}

TEST_F(ReaderTest, ABulkPageThatFailsComesShortRepeatsOrIsCutCostsOneMoreCall) {
  make_accounts(1'000);
  const auto wanted = many(live_ids("Account"));
  const auto job = complete_job(accounts());
  ASSERT_TRUE(job.ok()) << job.error().message;
  for (auto* fault : {&org_->faults().pages_failed,
                      &org_->faults().pages_short,
                      &org_->faults().pages_repeated,
                      &org_->faults().pages_cut}) {
    *fault = 1;
    BulkWalk once(*reader_, *job, kFields, {}, 300, {});
    const auto refused = ids_by_bulk(once);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().kind, ErrorKind::Transient) << refused.error().message;
    *fault = 1;
    BulkWalk walk(*reader_, *job, kFields, {}, 300, {});
    const auto ids = ids_by_bulk(walk, 1);
    ASSERT_TRUE(ids.ok()) << ids.error().message;
    EXPECT_EQ(*ids, wanted);
    EXPECT_EQ(*fault, 0);
  }
}

TEST_F(ReaderTest, APageAboveTheBoundIsAskedForInSmallerOnes) {
  make_accounts(300, std::string(100'000, 'y'));
  const auto job = complete_job(accounts());
  ASSERT_TRUE(job.ok()) << job.error().message;
  BulkWalk walk(*reader_, *job, kFields, {}, 10'000, {});
  const auto ids = ids_by_bulk(walk);
  ASSERT_TRUE(ids.ok()) << ids.error().message;
  EXPECT_EQ(ids->size(), live_ids("Account").size());
}

TEST_F(ReaderTest, JobsThatFailOrAreAbortedAreToldApart) {
  org_->faults().bulk_failed = 1;
  auto failed = complete_job(accounts());
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().code, "JOB_FAILED");
  EXPECT_THAT(failed.error().message, HasSubstr("InternalServerError"));
  org_->faults().bulk_aborted = 1;
  auto aborted = complete_job(accounts());
  ASSERT_FALSE(aborted.ok());
  EXPECT_EQ(aborted.error().code, "JOB_ABORTED");
  EXPECT_EQ(aborted.error().kind, ErrorKind::Rejected);
}

TEST_F(ReaderTest, ARunningJobIsAbortedAndDeletedAndBothMayBeRepeated) {
  org_->faults().bulk_polls = 1'000'000;
  auto job = reader_->create_job(accounts(), {});
  ASSERT_TRUE(job.ok()) << job.error().message;
  EXPECT_FALSE(job->over());
  CallTerms short_terms;
  short_terms.until = std::chrono::steady_clock::now() + 50ms;
  const auto waited = reader_->wait_for_job(job->id, short_terms);
  ASSERT_FALSE(waited.ok());
  EXPECT_EQ(waited.error().code, "DEADLINE");
  for (int i = 0; i < 2; ++i) {
    const auto done = reader_->abort_job(job->id, {});
    EXPECT_TRUE(done.ok()) << done.error().message;
  }
  EXPECT_EQ(reader_->job(job->id, {})->state, BulkJob::State::Aborted);
  for (int i = 0; i < 2; ++i) {
    const auto done = reader_->delete_job(job->id, {});
    EXPECT_TRUE(done.ok()) << done.error().message;
  }
  EXPECT_EQ(reader_->job(job->id, {}).error().code, "NOT_FOUND");
}

TEST_F(ReaderTest, AStopEndsWaiting) {
  org_->faults().bulk_polls = 1'000'000;
  auto job = reader_->create_job(accounts(), {});
  ASSERT_TRUE(job.ok());
  std::stop_source stop;
  CallTerms terms;
  terms.stop = stop.get_token();
  std::jthread stopper([&] { stop.request_stop(); });
  EXPECT_EQ(reader_->wait_for_job(job->id, terms).error().code, kStopped);
}

TEST_F(ReaderTest, AWithdrawnReadPermissionIsAnErrorAndNotAnEmptyObject) {
  make_accounts(3);
  org_->faults().withdraw_object("Account");
  const auto query = reader_->query(accounts(), 200, {});
  ASSERT_FALSE(query.ok());
  EXPECT_EQ(query.error().code, "INVALID_TYPE");
  EXPECT_EQ(query.error().kind, ErrorKind::Rejected);
  EXPECT_THAT(query.error().message, HasSubstr("may not read it any more"));
  EXPECT_EQ(reader_->create_job(accounts(), {}).error().code, "INVALID_TYPE");
  EXPECT_EQ(api_->describe("Account").error().code, "NOT_FOUND");
}

TEST_F(ReaderTest, TheOrgsAllowancesAreRead) {
  ASSERT_TRUE(complete_job(accounts()).ok());
  const auto limits = reader_->limits({});
  ASSERT_TRUE(limits.ok()) << limits.error().message;
  EXPECT_EQ(limits->api_requests.max, 100'000);
  EXPECT_EQ(limits->bulk_query_jobs.remaining, 9'999);
  EXPECT_GT(limits->event_deliveries.max, 0);
}

TEST_F(ReaderTest, WhatIsLeftOfTheDayIsSharedOut) {
  org_->faults().api_used = 75'000;                       // a snapshot leaves 28 %, a repair 20 %
  ASSERT_TRUE(reader_->query(accounts(), 200, {}).ok());  // tells how much is left
  const auto calls = org_->rest().calls();
  EXPECT_EQ(reader_->query(accounts(), 200, {}).error().code, kQuotaReserved);
  EXPECT_EQ(org_->rest().calls(), calls) << "a call was sent";
  EXPECT_TRUE(api_->describe("Account").ok());
}

TEST_F(ReaderTest, AnAllowanceUsedUpIsAskedForNoMore) {
  org_->faults().api_used = 100'000;
  EXPECT_EQ(reader_->query(accounts(), 200, {}).error().code, "REQUEST_LIMIT_EXCEEDED");
  const auto calls = org_->rest().calls();
  EXPECT_EQ(api_->describe("Account").error().code, kQuotaReserved);
  EXPECT_EQ(org_->rest().calls(), calls);
}

TEST_F(ReaderTest, AQueryTooLongForAUrlIsNotSent) {
  auto selection = accounts();
  selection.where = "Name = " + soql_quoted(std::string(12'000, 'x'));
  EXPECT_EQ(reader_->query(selection, 200, {}).error().code, "URI_TOO_LONG");
  EXPECT_EQ(reader_->query_next("https://elsewhere.example/x", {}).error().kind,
            ErrorKind::Rejected);
}

}  // namespace
}  // namespace headwater::salesforce
