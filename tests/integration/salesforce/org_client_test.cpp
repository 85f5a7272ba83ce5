#include "connectors/salesforce/org_client.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "connectors/salesforce/describe.hpp"
#include "connectors/salesforce/row.hpp"
#include "tests/integration/salesforce/fixtures.hpp"
#include "tests/integration/salesforce/login_server.hpp"

namespace headwater::salesforce {
namespace {

using testing::HasSubstr;

class OrgClientTest : public testing::Test {
 protected:
  void SetUp() override {
    server_.server().Post(
        R"(/services/data/v66.0/composite/sobjects/(\w+))",
        [this](const auto& request, auto& response) { collections(request, response); });
  }

  /// Answers with a row per id: null for those that end in `zzz`.
  void collections(const httplib::Request& request, httplib::Response& response) {
    ++calls_;
    if (!allowed(request, response)) return;
    const auto asked = boost::json::parse(request.body).as_object();
    boost::json::array rows;
    for (const auto& id : asked.at("ids").as_array()) {
      const std::string text(id.as_string());
      if (text.find("zzz") != text.npos)
        rows.emplace_back(nullptr);
      else
        rows.push_back({{"Id", text}, {"Name", padding_}});
    }
    largest_ = std::max(largest_, rows.size());
    rows.resize(rows.size() - rows_lost_);
    fields_ = boost::json::serialize(asked.at("fields"));
    response.set_header("Sforce-Limit-Info", "api-usage=18/5000");
    response.set_content(boost::json::serialize(rows), "application/json");
  }

  /// False, and a 401, while `refusals_` lasts.
  bool allowed(const httplib::Request& request, httplib::Response& response) {
    seen_token_ = request.get_header_value("Authorization");
    if (refusals_ == 0) return true;
    --refusals_;
    response.status = 401;
    response.set_content(
        R"([{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}])",
        "application/json");
    return false;
  }

  static RecordId id(int n, bool missing = false) {
    char text[32];
    std::snprintf(text, sizeof text, "001%09d%s", n, missing ? "zzz" : "AAA");
    return *RecordId::parse(text);
  }

  TempDir dir_;
  LoginServer server_;
  SystemClock clock_;
  std::shared_ptr<OrgMetrics> metrics_ = std::make_shared<OrgMetrics>();
  OrgConfig config_ = org_config(server_.url(), dir_);
  OrgClient client_{config_, std::make_shared<TokenSource>(config_, metrics_, clock_), metrics_};
  int calls_ = 0, refusals_ = 0;
  std::size_t largest_ = 0, rows_lost_ = 0;
  std::string seen_token_, fields_, padding_ = "x";
};

TEST_F(OrgClientTest, TheOrgsIdComesFromTheLogin) {
  EXPECT_EQ(*client_.org_id(), LoginServer::kOrgId);
}

TEST_F(OrgClientTest, RecordsComeInOrderWithHolesForThoseNotThere) {
  const std::vector<RecordId> ids{id(1), id(2, true), id(3)};
  const std::vector<std::string> fields{"Name"};
  const auto records = client_.fetch("Account", ids, fields);
  ASSERT_TRUE(records.ok()) << records.error().message;
  ASSERT_EQ(records->size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ((*records)[i].id, ids[i]);
  EXPECT_FALSE((*records)[1].json.has_value());

  ObjectDescription account;
  account.name = "Account";
  account.fields = {{"Name", "Name", "string", "", {}, false}};
  RecordRow row;
  ASSERT_TRUE(RowDecoder(account).decode(*(*records)[2].json, row).ok());
  EXPECT_EQ(row.id, ids[2]);
  EXPECT_EQ(fields_, R"(["Id","SystemModstamp","Name"])");
  EXPECT_EQ(seen_token_, "Bearer token-1");
  EXPECT_EQ(metrics_->api_used, 18);
  EXPECT_EQ(metrics_->api_max, 5000);
}

TEST_F(OrgClientTest, TheRecycleBinIsAskedForWhatIsNotThere) {
  std::vector<std::string> queries;
  server_.server().Get("/services/data/v66.0/queryAll", [&](const auto& request, auto& response) {
    queries.push_back(request.get_param_value("q"));
    response.set_content(R"({"totalSize":2,"done":true,"records":[{"Id":")" + id(2, true).str() +
                             R"(","IsDeleted":true},{"Id":")" + id(4, true).str() +
                             R"(","IsDeleted":false}]})",
                         "application/json");
  });
  const std::vector<RecordId> all{id(1)};
  ASSERT_TRUE(client_.fetch("Account", all, {}).ok());
  EXPECT_TRUE(queries.empty()) << "nothing is missing";
  const std::vector<RecordId> ids{id(1), id(2, true), id(3, true), id(4, true)};
  const auto records = client_.fetch("Account", ids, {});
  ASSERT_TRUE(records.ok()) << records.error().message;
  EXPECT_FALSE((*records)[0].binned);
  EXPECT_TRUE((*records)[1].binned);
  EXPECT_FALSE((*records)[2].binned) << "the bin does not show it";
  EXPECT_FALSE((*records)[3].binned) << "it lives by now";
  ASSERT_EQ(queries.size(), 1u);
  EXPECT_EQ(queries[0],
            "SELECT Id,IsDeleted FROM Account WHERE Id IN ('" + ids[1].str() + "','" +
                ids[2].str() + "','" + ids[3].str() + "')");
  std::vector<RecordId> many;
  for (int i = 0; i < 251; ++i) many.push_back(id(i, true));
  ASSERT_TRUE(client_.fetch("Account", many, {}).ok());
  EXPECT_EQ(queries.size(), 3u);
}

TEST_F(OrgClientTest, ABinThatMayNotBeAskedShowsNothingAndOneThatIsAwayIsAskedAgain) {
  int status = 400;
  server_.server().Get("/services/data/v66.0/queryAll", [&](const auto&, auto& response) {
    response.status = status;
    response.set_content(R"([{"message":"No such column","errorCode":"INVALID_FIELD"}])",
                         "application/json");
  });
  const std::vector<RecordId> ids{id(1, true)};
  const auto records = client_.fetch("Account", ids, {});
  ASSERT_TRUE(records.ok()) << records.error().message;
  EXPECT_FALSE((*records)[0].binned);
  status = 503;
  EXPECT_EQ(client_.fetch("Account", ids, {}).error().kind, ErrorKind::Transient);
}

TEST_F(OrgClientTest, ManyIdsGoInCallsOfTwoThousand) {
  std::vector<RecordId> ids;
  for (int i = 0; i < 4'500; ++i) ids.push_back(id(i));
  const auto records = client_.fetch("Account", ids, {});
  ASSERT_TRUE(records.ok()) << records.error().message;
  EXPECT_EQ(records->size(), 4'500u);
  EXPECT_EQ(calls_, 3);
  EXPECT_EQ(largest_, 2'000u);
}

TEST_F(OrgClientTest, AnAnswerTooLargeIsAskedForInHalves) {
  padding_.assign(1 << 20, 'x');
  std::vector<RecordId> ids;
  for (int i = 0; i < 24; ++i) ids.push_back(id(i));
  const auto records = client_.fetch("Account", ids, {});
  ASSERT_TRUE(records.ok()) << records.error().message;
  ASSERT_EQ(records->size(), 24u);
  for (std::size_t i = 0; i < 24; ++i) EXPECT_EQ((*records)[i].id, ids[i]);
  EXPECT_EQ(calls_, 3);
}

TEST_F(OrgClientTest, AnExpiredSessionIsRenewedOnce) {
  refusals_ = 1;
  const std::vector<RecordId> ids{id(1)};
  EXPECT_TRUE(client_.fetch("Account", ids, {}).ok());
  EXPECT_EQ(seen_token_, "Bearer token-2");
  EXPECT_EQ(server_.logins(), 2);
}

TEST_F(OrgClientTest, RefusalsAreCountedAnewOnceACallWentWell) {
  const std::vector<RecordId> ids{id(1)};
  for (int hour = 0; hour < 4; ++hour) {
    refusals_ = 2;  // a fresh token is refused once
    EXPECT_EQ(client_.fetch("Account", ids, {}).error().kind, ErrorKind::Transient);
    EXPECT_TRUE(client_.fetch("Account", ids, {}).ok());
  }
}

TEST_F(OrgClientTest, FreshTokensRefusedAgainAndAgainAreBlocked) {
  refusals_ = 1'000;
  const std::vector<RecordId> ids{id(1)};
  EXPECT_EQ(client_.fetch("Account", ids, {}).error().kind, ErrorKind::Transient);
  EXPECT_EQ(client_.fetch("Account", ids, {}).error().kind, ErrorKind::Transient);
  const auto third = client_.fetch("Account", ids, {});
  EXPECT_EQ(third.error().kind, ErrorKind::Blocked);
  EXPECT_EQ(third.error().code, "INVALID_SESSION_ID");
  EXPECT_THAT(third.error().message,
              HasSubstr("read 1 Account records of org emea: fresh tokens are refused"));
  EXPECT_EQ(calls_, 6);
}

TEST_F(OrgClientTest, DescribesAnObject) {
  server_.server().Get(
      "/services/data/v66.0/sobjects/Account/describe", [](const auto&, auto& response) {
        response.set_content(
            R"({"name":"Account","keyPrefix":"001","fields":[{"name":"Name","type":"string"}]})",
            "application/json");
      });
  const auto account = client_.describe("Account");
  ASSERT_TRUE(account.ok()) << account.error().message;
  EXPECT_EQ(account->key_prefix, "001");
  const auto missing = client_.describe("Nothing__c");
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().kind, ErrorKind::Rejected);
}

TEST_F(OrgClientTest, ListsObjects) {
  server_.server().Get("/services/data/v66.0/sobjects", [](const auto&, auto& response) {
    response.set_content(R"({"sobjects":[{"name":"Account","keyPrefix":"001"}]})",
                         "application/json");
  });
  const auto objects = client_.describe_global();
  ASSERT_TRUE(objects.ok()) << objects.error().message;
  EXPECT_EQ(objects->at(0).name, "Account");
}

TEST_F(OrgClientTest, AnUnknownFieldIsRejectedByItsCode) {
  server_.server().Get("/services/data/v66.0/sobjects", [](const auto&, auto& response) {
    response.status = 400;
    response.set_content(R"([{"message":"No such column","errorCode":"INVALID_FIELD"}])",
                         "application/json");
  });
  const auto objects = client_.describe_global();
  ASSERT_FALSE(objects.ok());
  EXPECT_EQ(objects.error().kind, ErrorKind::Rejected);
  EXPECT_EQ(objects.error().code, "INVALID_FIELD");
  EXPECT_EQ(metrics_->api_errors, 1u);
}

TEST_F(OrgClientTest, TooFewRowsAreNotTakenForTheWrongRecords) {
  rows_lost_ = 1;
  const std::vector<RecordId> ids{id(1), id(2)};
  const auto records = client_.fetch("Account", ids, {});
  ASSERT_FALSE(records.ok());
  EXPECT_EQ(records.error().kind, ErrorKind::Transient);
  EXPECT_EQ(records.error().message,
            "read 2 Account records of org emea: 1 rows came back; trying again");
}

}  // namespace
}  // namespace headwater::salesforce
