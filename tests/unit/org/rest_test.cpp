#include "tests/org/rest.hpp"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <set>

#include "tests/org/workload.hpp"

namespace headwater::org {
namespace {

struct RestTest : testing::Test {
  const Catalog catalog{Catalog::standard_table()};
  Bus bus{Millis(3'600'000)};
  Store store{catalog, bus, Millis(0), 1};
  Faults faults;
  Oauth oauth{
      OauthSettings{"00D5f000000HeadEAC", "0055f0000000001AAA", "app", "secret", "u", "r", "", {}},
      faults};
  RecordTypes types{1};
  Rest rest{store, types, oauth, faults};
  std::string token = boost::json::parse(oauth
                                             .handle({"POST",
                                                      "/services/oauth2/token",
                                                      "",
                                                      {{"grant_type", "client_credentials"},
                                                       {"client_id", "app"},
                                                       {"client_secret", "secret"}},
                                                      {}})
                                             .body)
                          .at("access_token")
                          .get_string()
                          .c_str();

  HttpResponse call(std::string method,
                    std::string path,
                    std::map<std::string, std::string> params = {},
                    std::string body = "",
                    std::map<std::string, std::string> headers = {}) {
    headers.emplace("authorization", "Bearer " + token);
    return rest.handle({std::move(method),
                        "/services/data" + path,
                        std::move(body),
                        std::move(params),
                        std::move(headers)});
  }
  boost::json::value query(const std::string& soql, int status = 200) {
    const auto answer = call("GET", "/v66.0/query", {{"q", soql}});
    EXPECT_EQ(answer.status, status) << answer.body;
    return boost::json::parse(answer.body);
  }
  std::string make(std::string_view object,
                   std::initializer_list<std::pair<const char*, Value>> fields) {
    Draft draft(DmlOp::Create, catalog.get(object), {store.new_id(catalog.get(object))});
    for (const auto& [name, value] : fields) draft.set(name, value);
    EXPECT_TRUE(store.commit({draft}, {}).ok());
    return draft.id();
  }
};

TEST_F(RestTest, ValuesLookAsSalesforcePrintsThem) {
  const auto id = make("Account",
                       {{"Name", std::string("Ann \"x\"")},
                        {"AnnualRevenue", 100000.0},
                        {"NumberOfEmployees", std::int64_t{7}},
                        {"Renewal_Date__c", std::int64_t{1'704'067'200'000}},
                        {"Opens_At__c", std::int64_t{52'200'000}},
                        {"BillingCity", std::string("Genève")}});
  const auto answer =
      call("GET",
           "/v66.0/composite/sobjects/Account",
           {{"ids", id},
            {"fields",
             "Name,AnnualRevenue,NumberOfEmployees,Renewal_Date__c,Opens_At__c,Phone,"
             "BillingAddress,Active__c"}});
  EXPECT_EQ(
      answer.body,
      R"([{"attributes":{"type":"Account","url":"/services/data/v66.0/sobjects/Account/)" + id +
          R"("},"Name":"Ann \"x\"","AnnualRevenue":100000,"NumberOfEmployees":7,)" +
          R"("Renewal_Date__c":"2024-01-01","Opens_At__c":"14:30:00.000Z","Phone":null,)" +
          R"("BillingAddress":{"street":null,"city":"Genève","state":null,"postalCode":null,)" +
          R"("country":null,"stateCode":null,"countryCode":null,"latitude":null,"longitude":null,)" +
          R"("geocodeAccuracy":null},"Active__c":false}])");
  EXPECT_EQ(answer.headers.at("Sforce-Limit-Info"), "api-usage=1/100000");
}

TEST_F(RestTest, CollectionHasNullForMissingAndDeletedInOrder) {
  const auto a = make("Lead", {{"Company", std::string("A")}});
  const auto b = make("Lead", {{"Company", std::string("B")}});
  ASSERT_TRUE(store.commit({Draft(DmlOp::Delete, catalog.get("Lead"), {a})}, {}).ok());
  const auto answer =
      call("POST",
           "/v66.0/composite/sobjects/Lead",
           {},
           R"({"ids":[")" + a + R"(","00Q000000000000EAA",")" + b + R"("],"fields":["Company"]})");
  const auto rows = boost::json::parse(answer.body).get_array();
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_TRUE(rows[0].is_null());
  EXPECT_TRUE(rows[1].is_null());
  EXPECT_EQ(rows[2].at("Company"), "B");
}

TEST_F(RestTest, UnknownFieldFailsTheWholeCall) {
  const auto id = make("Lead", {});
  const auto answer =
      call("GET", "/v66.0/composite/sobjects/Lead", {{"ids", id}, {"fields", "Company,Nope"}});
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(
      answer.body,
      R"([{"message":"No such column 'Nope' on entity 'Lead'.","errorCode":"INVALID_FIELD"}])");
}

TEST_F(RestTest, TheLogOfDeletionsNamesWhatIsGonePurgedOrNotAndHowFarItReaches) {
  const auto kept = make("Lead", {}), binned = make("Lead", {}), purged = make("Lead", {}),
             back = make("Lead", {});
  const auto& lead = catalog.get("Lead");
  for (const auto& id : {binned, purged, back})
    ASSERT_TRUE(store.commit({Draft(DmlOp::Delete, lead, {id})}, {}).ok());
  ASSERT_TRUE(store.commit({Draft(DmlOp::Purge, lead, {purged})}, {}).ok());
  ASSERT_TRUE(store.commit({Draft(DmlOp::Undelete, lead, {back})}, {}).ok());
  const auto now = store.clock().now_second();
  const auto ask = [&](EpochMs from, EpochMs to) {
    return call("GET",
                "/v66.0/sobjects/Lead/deleted/",
                {{"start", format_datetime(from)}, {"end", format_datetime(to)}});
  };
  const auto body = boost::json::parse(ask(now - 60'000, now + 60'000).body);
  std::set<std::string> ids;
  for (const auto& record : body.at("deletedRecords").get_array())
    ids.emplace(record.at("id").get_string());
  EXPECT_EQ(ids, (std::set<std::string>{binned, purged}));
  EXPECT_GE(parse_datetime(body.at("latestDateCovered").get_string()).value(), now);
  faults.deletion_log_ms = 0;
  const auto trimmed = boost::json::parse(ask(now - 60'000, now).body);
  EXPECT_GE(parse_datetime(trimmed.at("earliestDateAvailable").get_string()).value(), now);
  EXPECT_EQ(ask(now - Faults::kDeletionLogMs - 60'000, now).status, 400);
}

TEST_F(RestTest, CallWithoutSessionIsRefused) {
  oauth.expire_all();
  const auto answer = call("GET", "/v66.0/sobjects");
  EXPECT_EQ(answer.status, 401);
  EXPECT_EQ(answer.body,
            R"([{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}])");
}

TEST_F(RestTest, QueryGivesPagesUntilItIsDone) {
  for (int i = 0; i < 450; ++i) make("Product2", {{"Name", std::to_string(i)}});
  auto answer = call("GET",
                     "/v66.0/query",
                     {{"q", "SELECT Id, Name FROM Product2 ORDER BY Id"}},
                     "",
                     {{"sforce-query-options", "batchSize=200"}});
  std::vector<std::string> ids;
  while (true) {
    const auto body = boost::json::parse(answer.body);
    EXPECT_EQ(body.at("totalSize"), 450);
    for (const auto& row : body.at("records").get_array())
      ids.emplace_back(row.at("Id").get_string());
    if (body.at("done").get_bool()) break;
    const std::string next(body.at("nextRecordsUrl").get_string());
    answer = call("GET", next.substr(std::string("/services/data").size()));
  }
  EXPECT_EQ(ids.size(), 450U);
  EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end()));
}

TEST_F(RestTest, QuerySelectsByItsConditions) {
  const auto a = make("Case", {{"Subject", std::string("it's")}, {"Severity__c", std::int64_t{1}}});
  const auto b = make("Case", {{"Severity__c", std::int64_t{3}}});
  const auto ids = [](const boost::json::value& answer) {
    std::vector<std::string> out;
    for (const auto& row : answer.at("records").get_array())
      out.emplace_back(row.at("Id").get_string());
    return out;
  };
  using Ids = std::vector<std::string>;
  EXPECT_EQ(ids(query("SELECT Id FROM Case WHERE Subject = 'it\\'s'")), Ids{a});
  EXPECT_EQ(
      ids(query(
          "SELECT Id FROM Case WHERE Severity__c>=2 AND SystemModstamp > 2020-01-01T00:00:00Z")),
      Ids{b});
  EXPECT_EQ(ids(query("SELECT Id FROM Case WHERE Id IN ('" + a + "','" + b +
                      "') ORDER BY Id DESC LIMIT 1")),
            Ids{b});
  EXPECT_EQ(ids(query("SELECT Id FROM Case WHERE Id > '" + a + "'")), Ids{b});
  EXPECT_EQ(ids(query("SELECT Id FROM Case WHERE Subject = null")), Ids{b});
  EXPECT_EQ(query("SELECT count() FROM Case").at("totalSize"), 2);
}

TEST_F(RestTest, KeySetPagesGiveEachRecordOnceInOrderOfIds) {
  const auto& lead = catalog.get("Lead");
  // Ids are committed in another order than they were given.
  std::vector<std::string> ids;
  for (int i = 0; i < 50; ++i) ids.push_back(store.new_id(lead));
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto& id = ids[i * 7 % ids.size()];
    Draft draft(DmlOp::Create, lead, {id});
    ASSERT_TRUE(store.commit({draft.set("LastName", std::string("L"))}, {}).ok());
  }
  const std::vector<std::string> gone{ids[3], ids[20]};
  ASSERT_TRUE(store.commit({Draft(DmlOp::Delete, lead, gone)}, {}).ok());
  std::erase(ids, gone[0]);
  std::erase(ids, gone[1]);

  std::vector<std::string> got;
  for (std::size_t page = 0; page < 10; ++page) {
    const auto behind = got.empty() ? std::string() : " WHERE Id > '" + got.back() + "'";
    const auto answer = query("SELECT Id FROM Lead" + behind + " ORDER BY Id LIMIT 7");
    const auto& records = answer.at("records").as_array();
    EXPECT_EQ(answer.at("totalSize").as_int64(), static_cast<std::int64_t>(records.size()));
    for (const auto& record : records) got.emplace_back(record.at("Id").as_string());
    if (records.size() < 7) break;
  }
  EXPECT_EQ(got, ids);
}

TEST_F(RestTest, NamedIdsAreReadWhateverElseIsAsked) {
  const auto kept = make("Lead", {{"LastName", std::string("A")}});
  const auto other = make("Lead", {{"LastName", std::string("B")}});
  const auto gone = make("Lead", {{"LastName", std::string("A")}});
  ASSERT_TRUE(store.commit({Draft(DmlOp::Delete, catalog.get("Lead"), {gone})}, {}).ok());
  const auto answer = query("SELECT Id FROM Lead WHERE LastName = 'A' AND Id IN ('" + gone + "','" +
                            other + "','" + kept + "','" + kept + "')");
  ASSERT_EQ(answer.at("records").as_array().size(), 1u);
  EXPECT_EQ(answer.at("records").at(0).at("Id").as_string(), kept);
}

TEST_F(RestTest, FilledRecordsAreThereAndNoEventTellsOfThem) {
  Workload life(store, 1);
  FillPlan plan;
  plan.records = 450;
  plan.objects = {"Lead", "Account"};
  life.step();  // users
  const auto published = bus.published();
  ASSERT_TRUE(life.fill(plan).ok());
  EXPECT_EQ(store.live_count(catalog.get("Lead")), 225u);
  EXPECT_EQ(store.live_count(catalog.get("Account")), 225u);
  EXPECT_EQ(bus.published(), published);
  plan.told = true;
  ASSERT_TRUE(life.fill(plan).ok());
  EXPECT_EQ(bus.published(), published + 450);
}

TEST_F(RestTest, BadQueriesAreNamed) {
  EXPECT_EQ(query("SELECT Id FROM Nothing", 400).at(0).at("errorCode"), "INVALID_TYPE");
  EXPECT_EQ(query("SELECT Nope FROM Case", 400).at(0).at("errorCode"), "INVALID_FIELD");
  EXPECT_EQ(query("SELECT Id", 400).at(0).at("errorCode"), "MALFORMED_QUERY");
  EXPECT_EQ(query("SELECT Id FROM Case WHERE Subject = 'x", 400).at(0).at("errorCode"),
            "MALFORMED_QUERY");
  EXPECT_EQ(query("", 400).at(0).at("errorCode"), "MALFORMED_QUERY");
}

TEST_F(RestTest, DeletedRowsAreInQueryAllAlone) {
  const auto id = make("Task", {});
  ASSERT_TRUE(store.commit({Draft(DmlOp::Delete, catalog.get("Task"), {id})}, {}).ok());
  EXPECT_EQ(query("SELECT Id FROM Task").at("totalSize"), 0);
  const auto all = call("GET", "/v66.0/queryAll", {{"q", "SELECT Id, IsDeleted FROM Task"}});
  EXPECT_EQ(boost::json::parse(all.body).at("records").at(0).at("IsDeleted"), true);
}

TEST_F(RestTest, DescribeNamesTheCompoundOfEachPart) {
  const auto body = boost::json::parse(call("GET", "/v66.0/sobjects/Contact/describe").body);
  std::map<std::string, boost::json::value> fields;
  for (const auto& field : body.at("fields").get_array()) {
    fields.emplace(field.at("name").get_string(), field);
  }
  EXPECT_EQ(fields.at("MailingCity").at("compoundFieldName"), "MailingAddress");
  EXPECT_EQ(fields.at("LastName").at("compoundFieldName"), "Name");
  EXPECT_TRUE(fields.at("Email").at("compoundFieldName").is_null());
  EXPECT_EQ(fields.at("AccountId").at("referenceTo").at(0), "Account");
  EXPECT_EQ(body.at("keyPrefix"), "003");
}

TEST_F(RestTest, RecordTypesAreQueriedAndDescribed) {
  const auto added = types.add("Case", "VIP");
  ASSERT_TRUE(added);
  const auto found =
      query("SELECT Id, DeveloperName FROM RecordType WHERE Id > '012000000000000AAA' ORDER BY Id");
  const auto& records = found.at("records").as_array();
  ASSERT_EQ(records.size(), 6U);
  EXPECT_EQ(records.back().at("Id").as_string(), *added);
  EXPECT_EQ(records.back().at("DeveloperName").as_string(), "VIP");
  ASSERT_TRUE(types.rename(*added, "Gold"));
  const auto described =
      boost::json::parse(call("GET", "/v66.0/sobjects/Case/describe").body).at("recordTypeInfos");
  ASSERT_EQ(described.as_array().size(), 4U) << "the Master too";
  EXPECT_EQ(described.at(2).at("developerName").as_string(), "Gold");
  EXPECT_EQ(described.at(2).at("recordTypeId").as_string(), *added);
}

}  // namespace
}  // namespace headwater::org
