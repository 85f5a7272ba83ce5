#include "connectors/salesforce/token.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <latch>

#include "connectors/salesforce/jwt.hpp"
#include "tests/integration/salesforce/certificates.hpp"
#include "tests/integration/salesforce/fixtures.hpp"
#include "tests/integration/salesforce/login_server.hpp"

namespace headwater::salesforce {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

/// Time that only moves when told.
class TestClock final : public Clock {
 public:
  std::int64_t now_us() const override { return 1'770'000'000'000'000 + ms_ * 1000; }
  std::int64_t monotonic_ms() const override { return ms_; }
  void advance(Millis by) { ms_ += by.count(); }

 private:
  std::atomic<std::int64_t> ms_{0};
};

class TokenTest : public testing::Test {
 protected:
  TokenSource source(const OrgConfig& config) { return TokenSource(config, metrics_, clock_); }
  OrgConfig config() { return org_config(server_.url(), dir_); }
  static void refuse(httplib::Response& response,
                     const std::string& error,
                     const std::string& text) {
    response.status = 400;
    response.set_content(R"({"error":")" + error + R"(","error_description":")" + text + "\"}",
                         "application/json");
  }

  TempDir dir_;
  LoginServer server_;
  TestClock clock_;
  std::shared_ptr<OrgMetrics> metrics_ = std::make_shared<OrgMetrics>();
};

TEST_F(TokenTest, ClientCredentialsLogIn) {
  auto tokens = source(config());
  const auto token = tokens.get();
  ASSERT_TRUE(token.ok()) << token.error().message;
  EXPECT_EQ(token->access_token.reveal(), "token-1");
  EXPECT_EQ(token->instance_url, server_.url());
  EXPECT_EQ(token->org_id, LoginServer::kOrgId);  // 15 characters in the answer
  EXPECT_EQ(form_value(server_.form(0), "grant_type"), "client_credentials");
  EXPECT_EQ(form_value(server_.form(0), "client_id"), "consumer");
  EXPECT_EQ(form_value(server_.form(0), "client_secret"), "s3cret");
  EXPECT_EQ(metrics_->token_refreshes_ok, 1u);
}

TEST_F(TokenTest, JwtBearerSendsAnAssertionThatLives180Seconds) {
  auto org = config();
  org.auth = {};
  org.auth.client_id = "consumer";
  org.auth.username = "ops@acme.example";
  org.auth.audience = "https://login.salesforce.com";
  org.auth.private_key_file = dir_.write("key.pem", RsaKey::make().private_pem);
  auto tokens = source(org);
  ASSERT_TRUE(tokens.get().ok());
  const auto form = server_.form(0);
  EXPECT_EQ(form_value(form, "grant_type"), "urn:ietf:params:oauth:grant-type:jwt-bearer");
  EXPECT_EQ(form.count("client_secret"), 0u);
  const auto jwt = form_value(form, "assertion");
  EXPECT_THAT(jwt,
              HasSubstr('.' +
                        base64url(R"({"iss":"consumer","sub":"ops@acme.example",)"
                                  R"("aud":"https://login.salesforce.com","exp":1770000180})") +
                        '.'));
}

TEST_F(TokenTest, RefreshTokenFlowSendsTheStoredToken) {
  auto org = config();
  org.auth.flow = AuthConfig::Flow::RefreshToken;
  org.auth.client_secret_file.clear();
  org.auth.refresh_token_file = dir_.write("refresh", "5Aep861&x\n");
  auto tokens = source(org);
  ASSERT_TRUE(tokens.get().ok());
  EXPECT_EQ(form_value(server_.form(0), "grant_type"), "refresh_token");
  EXPECT_EQ(form_value(server_.form(0), "refresh_token"), "5Aep861&x");
  EXPECT_EQ(server_.form(0).count("client_secret"), 0u);
}

TEST_F(TokenTest, IsKeptUntilItIsDue) {
  auto tokens = source(config());
  ASSERT_TRUE(tokens.get().ok());
  clock_.advance(45min - 1ms);
  EXPECT_EQ(tokens.get()->generation, 1u);
  clock_.advance(1ms);
  EXPECT_EQ(tokens.get()->generation, 2u);
  EXPECT_EQ(server_.logins(), 2);
}

TEST_F(TokenTest, OneRefusalCausesOneLoginHoweverManyMetIt) {
  auto tokens = source(config());
  const auto first = tokens.get();
  ASSERT_TRUE(first.ok());
  // Three callers meet the same dead token, the last one after the new login.
  tokens.invalidate(first->generation);
  tokens.invalidate(first->generation);
  EXPECT_EQ(tokens.get()->generation, 2u);
  tokens.invalidate(first->generation);
  EXPECT_EQ(tokens.get()->generation, 2u);
  EXPECT_EQ(server_.logins(), 2);
}

TEST_F(TokenTest, ManyThreadsShareOneLogin) {
  std::latch arrived(8);
  server_.answer([&](const auto&, auto& response) {
    arrived.wait();  // all are asking before the answer goes out
    response.set_content(server_.token_json("t"), "application/json");
  });
  auto tokens = source(config());
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([&] {
      arrived.count_down();
      const auto token = tokens.get();
      EXPECT_TRUE(token.ok());
      EXPECT_EQ(token->generation, 1u);
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(server_.logins(), 1);
}

TEST_F(TokenTest, ARefusedLoginIsNotRepeatedForAMinute) {
  server_.answer([](const auto&, auto& response) {
    refuse(response, "invalid_grant", "user hasn't approved this consumer");
  });
  auto tokens = source(config());
  for (int i = 0; i < 5; ++i) {
    const auto token = tokens.get();
    ASSERT_FALSE(token.ok());
    EXPECT_EQ(token.error().kind, ErrorKind::Blocked);
    EXPECT_EQ(token.error().code, "invalid_grant");
    EXPECT_EQ(
        token.error().message,
        "log in to " + server_.url() +
            ": HTTP 400 invalid_grant: user hasn't approved this consumer; authorize the user for "
            "the app, by its permission set or profile");
  }
  EXPECT_EQ(server_.logins(), 1);
  clock_.advance(60s);
  EXPECT_FALSE(tokens.get().ok());
  EXPECT_EQ(server_.logins(), 2);
  EXPECT_EQ(metrics_->token_refreshes_failed, 2u);
}

TEST_F(TokenTest, ARotatedSecretIsReadAtTheNextLogin) {
  server_.answer([&](const auto& request, auto& response) {
    if (request.get_param_value("client_secret") == "s3cret")
      return refuse(response, "invalid_client", "invalid client credentials");
    response.set_content(server_.token_json("t"), "application/json");
  });
  auto tokens = source(config());
  EXPECT_FALSE(tokens.get().ok());
  dir_.write("client_secret", "rotated\n");
  clock_.advance(60s);
  EXPECT_TRUE(tokens.get().ok());
}

TEST_F(TokenTest, WhileRenewingFailsTheOldTokenServes) {
  std::atomic<bool> down{false};
  server_.answer([&](const auto&, auto& response) {
    response.status = down ? 503 : 200;
    if (!down) response.set_content(server_.token_json("t"), "application/json");
  });
  auto tokens = source(config());
  ASSERT_TRUE(tokens.get().ok());
  down = true;
  clock_.advance(50min);
  EXPECT_EQ(tokens.get()->generation, 1u);
  EXPECT_EQ(tokens.get()->generation, 1u);
  EXPECT_EQ(server_.logins(), 2);  // not at every call
  // Once the old one is refused as well there is nothing left.
  tokens.invalidate(1);
  clock_.advance(2s);
  const auto token = tokens.get();
  ASSERT_FALSE(token.ok());
  EXPECT_EQ(token.error().kind, ErrorKind::Transient);
  down = false;
  clock_.advance(2s);
  EXPECT_EQ(tokens.get()->generation, 2u);
}

TEST_F(TokenTest, AMissingSecretFileIsBlockedByName) {
  auto org = config();
  org.auth.client_secret_file = "/nowhere/secret";
  auto tokens = source(org);
  const auto token = tokens.get();
  ASSERT_FALSE(token.ok());
  EXPECT_EQ(token.error().kind, ErrorKind::Blocked);
  EXPECT_EQ(
      token.error().message,
      "log in: auth.client_secret_file /nowhere/secret cannot be read or is empty; restore it");
  EXPECT_EQ(server_.logins(), 0);
}

TEST_F(TokenTest, AnotherOrgThanConfiguredIsFatal) {
  auto org = config();
  org.org_id = "00D000000000001EAA";
  auto tokens = source(org);
  const auto token = tokens.get();
  ASSERT_FALSE(token.ok());
  EXPECT_EQ(token.error().kind, ErrorKind::Fatal);
  EXPECT_THAT(token.error().message,
              HasSubstr("this is org 00D5f000000AbCdEAK, but emea is org 00D000000000001EAA"));
}

TEST_F(TokenTest, ATokenIsNeverSentInTheClearToAnotherHost) {
  server_.answer([](const auto&, auto& response) {
    response.set_content(
        R"({"access_token":"t","instance_url":"http://acme.example","id":"https://x/id/00D5f000000AbCd/005"})",
        "application/json");
  });
  auto tokens = source(config());
  const auto token = tokens.get();
  ASSERT_FALSE(token.ok());
  EXPECT_EQ(token.error().kind, ErrorKind::Blocked);
  EXPECT_THAT(token.error().message, HasSubstr("would send the token in the clear"));
}

TEST_F(TokenTest, WithoutAnIdentityUrlTheOrgIsAskedForItsId) {
  server_.answer([&](const auto&, auto& response) {
    response.set_content(R"({"access_token":"t","instance_url":")" + server_.url() + R"("})",
                         "application/json");
  });
  server_.server().Get("/services/oauth2/userinfo", [](const auto& request, auto& response) {
    EXPECT_EQ(request.get_header_value("Authorization"), "Bearer t");
    response.set_content(R"({"organization_id":"00D5f000000AbCdEAK"})", "application/json");
  });
  auto tokens = source(config());
  const auto token = tokens.get();
  ASSERT_TRUE(token.ok()) << token.error().message;
  EXPECT_EQ(token->org_id, LoginServer::kOrgId);
}

TEST_F(TokenTest, AServerThatIsNotThereIsTransient) {
  auto org = config();
  org.login_url = "http://127.0.0.1:1";
  auto tokens = source(org);
  const auto token = tokens.get();
  ASSERT_FALSE(token.ok());
  EXPECT_EQ(token.error().kind, ErrorKind::Transient);
  EXPECT_THAT(token.error().message, HasSubstr("POST http://127.0.0.1:1/services/oauth2/token: "));
}

TEST_F(TokenTest, TlsIsVerifiedAgainstTheNamedAuthority) {
  const auto ours = Authority::make("ours"), other = Authority::make("other");
  const auto certificate = dir_.write("server.pem", ours.server.certificate);
  const auto key = dir_.write("server.key", ours.server.key);
  LoginServer tls(std::make_unique<httplib::SSLServer>(certificate.c_str(), key.c_str()), "https");
  auto org = org_config(tls.url(), dir_);

  org.ca_file = dir_.write("ours.pem", ours.root.certificate);
  auto trusted = source(org);
  const auto token = trusted.get();
  EXPECT_TRUE(token.ok()) << token.error().message;

  org.ca_file = dir_.write("other.pem", other.root.certificate);
  auto distrusted = source(org);
  const auto refused = distrusted.get();
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, ErrorKind::Blocked);
  EXPECT_THAT(refused.error().message,
              HasSubstr("its certificate is not trusted; name its CA in ca_file"));
  EXPECT_EQ(tls.logins(), 1);
}

}  // namespace
}  // namespace headwater::salesforce
