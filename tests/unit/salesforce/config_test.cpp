#include "connectors/salesforce/config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace headwater::salesforce {
namespace {

using testing::HasSubstr;

/// A private file to name as a secret.
class OrgConfigTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "secretXXXXXX";
    const int file = mkstemp(name.data());  // readable by its owner only
    ASSERT_GE(file, 0);
    ASSERT_EQ(::write(file, "s3cret\n", 7), 7);
    close(file);
    secret_ = name;
  }
  void TearDown() override { std::filesystem::remove(secret_); }

  std::string minimal() const {
    return "name: emea\nauth: {client_id: c, username: u, private_key_file: " + secret_ +
           "}\nstreams: [{topic: /data/ChangeEvents}]\n";
  }
  OrgConfig parse(const std::string& text) {
    problems_ = {};
    auto node = config::Node::parse("org.yaml", text, problems_);
    auto org = OrgConfig::parse(node);
    node.finish();
    return org;
  }
  std::string told() const { return problems_.str(); }

  std::string secret_;
  config::Problems problems_;
};

TEST_F(OrgConfigTest, AMinimalOrgHasTheDefaults) {
  const auto org = parse(minimal());
  EXPECT_EQ(told(), "");
  EXPECT_EQ(org.login_url, "https://login.salesforce.com");
  EXPECT_EQ(org.auth.audience, "https://login.salesforce.com");
  EXPECT_EQ(org.pubsub.endpoint, "api.pubsub.salesforce.com:7443");
  EXPECT_TRUE(org.pubsub.tls);
  EXPECT_EQ(org.api_version, "66.0");
  EXPECT_EQ(org.streams.at(0).start, Start::Earliest);
  EXPECT_EQ(org.auth.private_key_file, secret_);
}

TEST_F(OrgConfigTest, ReadsEveryKey) {
  const auto org = parse(
      "name: emea\norg_id: 00D5f000000AbCd\nlogin_url: http://127.0.0.1:8080/\n"
      "ca_file: /ca.pem\napi_version: 65.0\nhttp_timeout: 5s\nregion: DE\n"
      "currency: EUR\nsnapshot: {objects: [Account, ns__Invoice__c]}\n"
      "auth: {flow: client_credentials, client_id: c, client_secret_file: " +
      secret_ +
      ", refresh_every: 10m}\n"
      "pubsub: {endpoint: 'localhost:7011', tls: false, ca_file: /p.pem, silence_max: 9s, "
      "channel_settle: 3m}\n"
      "streams: [{topic: /data/ChangeEvents, start: latest}, {topic: /data/X__chn}]\n");
  EXPECT_EQ(told(), "");
  EXPECT_EQ(org.org_id, "00D5f000000AbCdEAK");
  EXPECT_EQ(org.login_url, "http://127.0.0.1:8080");
  EXPECT_EQ(org.ca_file, "/ca.pem");
  EXPECT_EQ(org.api_version, "65.0");
  EXPECT_EQ(org.http_timeout, Millis{5000});
  EXPECT_EQ(org.auth.flow, AuthConfig::Flow::ClientCredentials);
  EXPECT_EQ(org.auth.refresh_every, std::chrono::minutes{10});
  EXPECT_FALSE(org.pubsub.tls);
  EXPECT_EQ(org.pubsub.silence_max, Millis{9000});
  EXPECT_EQ(org.pubsub.channel_settle, Millis{180'000});
  EXPECT_EQ(org.streams.at(0).start, Start::Latest);
  EXPECT_EQ(org.snapshot_objects.at(1), "ns__Invoice__c");
  EXPECT_EQ(org.region, "DE");
  EXPECT_EQ(org.currency, "EUR");
}

TEST_F(OrgConfigTest, ASnapshotNamesItsObjects) {
  const std::string head =
      "name: emea\nauth: {client_id: c, username: u, private_key_file: " + secret_ +
      "}\nstreams: [{topic: /data/ChangeEvents, start: snapshot}]\n";
  parse(head);
  EXPECT_THAT(told(),
              HasSubstr("snapshot.objects: must name the objects to read in: a stream has start: "
                        "snapshot"));
  parse(head + "snapshot: {objects: [Account]}\n");
  EXPECT_EQ(told(), "");
}

TEST_F(OrgConfigTest, PlaintextNeedsLoopbackOrAWord) {
  const auto told_of = [&](const std::string& more) {
    parse(minimal() + more);
    return told();
  };
  EXPECT_THAT(told_of("login_url: http://sf.example\n"),
              HasSubstr("login_url: http://sf.example would send"));
  EXPECT_EQ(told_of("login_url: http://sf.example\ninsecure: true\n"), "");
  EXPECT_EQ(told_of("login_url: http://[::1]:80\n"), "");
  EXPECT_THAT(
      told_of("pubsub: {endpoint: 'sf.example:7443', tls: false}\n"),
      HasSubstr("pubsub.tls: false would send the access token in the clear to sf.example:7443"));
  EXPECT_EQ(told_of("pubsub: {endpoint: 'sf.example:7443', tls: false, insecure: true}\n"), "");
  EXPECT_EQ(told_of("pubsub: {endpoint: '127.0.0.1:7443', tls: false}\n"), "");
}

TEST_F(OrgConfigTest, EachFlowNamesWhatItLacks) {
  const auto told_of = [&](const std::string& auth) {
    parse("name: emea\nlogin_url: https://acme.my.salesforce.com\nauth: " + auth +
          "\nstreams: [{topic: /data/ChangeEvents}]\n");
    return told();
  };
  EXPECT_THAT(told_of("{client_id: c}"),
              HasSubstr("auth.username: is required for flow jwt_bearer"));
  EXPECT_THAT(told_of("{client_id: c}"),
              HasSubstr("auth.private_key_file: is required for flow jwt_bearer"));
  EXPECT_THAT(told_of("{client_id: c, flow: client_credentials}"),
              HasSubstr("auth.client_secret_file: is required for flow client_credentials"));
  EXPECT_THAT(told_of("{client_id: c, flow: refresh_token}"),
              HasSubstr("auth.refresh_token_file: is required for flow refresh_token"));
  EXPECT_THAT(told_of("{client_id: c, flow: password}"), HasSubstr("auth.flow"));
}

TEST_F(OrgConfigTest, ClientCredentialsNeedAMyDomainHost) {
  parse("name: emea\nauth: {flow: client_credentials, client_id: c, client_secret_file: " +
        secret_ + "}\nstreams: [{topic: /data/ChangeEvents}]\n");
  EXPECT_THAT(told(), HasSubstr("auth.flow: client_credentials works at a My Domain host only"));
}

TEST_F(OrgConfigTest, EveryProblemIsToldAtOnce) {
  parse(minimal() +
        "org_id: 0015f00002JUXA8\napi_version: latest\nregion: de\ncurrency: Euro\n"
        "pubsub: {endpoint: sf.example}\nsnapshot: {objects: ['Account; drop']}\nclient: 1\n");
  for (const auto* what : {"org_id: must be an organization id (00D…), got 0015f00002JUXA8",
                           "api_version: must look like 66.0, got latest",
                           "region: must be two capital letters (ISO 3166), got de",
                           "currency: must be three capital letters (ISO 4217), got Euro",
                           "pubsub.endpoint: must be host:port, got sf.example",
                           "snapshot.objects: must be API names of objects, got Account; drop",
                           "client: unknown key"})
    EXPECT_THAT(told(), HasSubstr(what));
}

TEST_F(OrgConfigTest, TopicsAreOfChangesAndNamedOnce) {
  parse(
      "name: emea\nauth: {client_id: c, username: u, private_key_file: " + secret_ +
      "}\nstreams: [{topic: /event/ChangeEvents}, {topic: /data/A__chn}, {topic: /data/A__chn}]\n");
  EXPECT_THAT(told(), HasSubstr("must be a change event topic"));
  EXPECT_THAT(told(), HasSubstr("/data/A__chn is already subscribed to above"));
}

TEST_F(OrgConfigTest, APlatformEventIsAStreamWithoutASnapshot) {
  const std::string head =
      "name: emea\nauth: {client_id: c, username: u, private_key_file: " + secret_ + "}\nstreams: ";
  EXPECT_EQ(parse(head + "[{topic: /event/Order_Event__e, start: latest}]\n").streams.at(0).topic,
            "/event/Order_Event__e");
  EXPECT_EQ(told(), "");
  parse(head + "[{topic: /event/Order_Event__e, start: snapshot}]\n");
  EXPECT_THAT(told(),
              HasSubstr("start: platform events have no records to read in: earliest or latest"));
}

TEST(DefaultAudience, IsSalesforcesLoginOrTestHost) {
  EXPECT_EQ(default_audience("https://login.salesforce.com"), "https://login.salesforce.com");
  EXPECT_EQ(default_audience("https://test.salesforce.com"), "https://test.salesforce.com");
  EXPECT_EQ(default_audience("https://acme.my.salesforce.com"), "https://login.salesforce.com");
  EXPECT_EQ(default_audience("https://acme--dev.sandbox.my.salesforce.com"),
            "https://test.salesforce.com");
  EXPECT_EQ(default_audience("http://127.0.0.1:8080"), "https://login.salesforce.com");
}

TEST(IsLoopback, LooksAtTheHostOnly) {
  EXPECT_TRUE(is_loopback("http://127.0.0.1:80/x"));
  EXPECT_TRUE(is_loopback("localhost:7443"));
  EXPECT_TRUE(is_loopback("[::1]:7443"));
  EXPECT_TRUE(is_loopback("http://localhost"));
  EXPECT_FALSE(is_loopback("http://sf.example/127.0.0.1"));
  EXPECT_FALSE(is_loopback("http://127.0.0.1.sf.example"));
}

}  // namespace
}  // namespace headwater::salesforce
