#include <fmt/format.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <boost/json.hpp>
#include <memory>

#include "tests/org/oauth.hpp"

namespace headwater::org {
namespace {

std::string base64url(std::string_view bytes) {
  std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const auto size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                    reinterpret_cast<const unsigned char*>(bytes.data()),
                                    static_cast<int>(bytes.size()));
  out.resize(static_cast<std::size_t>(size));
  while (out.ends_with('=')) out.pop_back();
  for (auto& c : out) c = c == '+' ? '-' : c == '/' ? '_' : c;
  return out;
}

/// An RSA key that signs.
class SigningKey {
 public:
  SigningKey() : key_(EVP_RSA_gen(2048), &EVP_PKEY_free) {}
  std::string public_pem() const {
    const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new(BIO_s_mem()), &BIO_free);
    PEM_write_bio_PUBKEY(bio.get(), key_.get());
    char* text = nullptr;
    const auto size = BIO_get_mem_data(bio.get(), &text);
    return {text, static_cast<std::size_t>(size)};
  }
  std::string sign(std::string_view text) const {
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                          &EVP_MD_CTX_free);
    EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key_.get());
    std::string out(256, '\0');
    std::size_t size = out.size();
    EVP_DigestSign(context.get(),
                   reinterpret_cast<unsigned char*>(out.data()),
                   &size,
                   reinterpret_cast<const unsigned char*>(text.data()),
                   text.size());
    out.resize(size);
    return out;
  }

 private:
  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_;
};

struct LoginTest : testing::Test {
  static const SigningKey& key() {
    static const SigningKey made;
    return made;
  }
  Faults faults;
  SystemClock clock;
  boost::json::object claims{{"iss", "app"},
                             {"sub", "user@x"},
                             {"aud", "https://login.salesforce.com"},
                             {"exp", clock.now_ms() / 1000 + 180}};
  OauthSettings settings{"00D5f000000HeadEAC",
                         "0055f0000000001AAA",
                         "app",
                         "secret",
                         "user@x",
                         "refresh",
                         key().public_pem(),
                         {"https://login.salesforce.com"},
                         Millis(60'000)};
  std::unique_ptr<Oauth> oauth;

  Oauth& service() {
    if (!oauth) {
      oauth = std::make_unique<Oauth>(settings, faults);
      oauth->set_instance_url("http://127.0.0.1:1");
    }
    return *oauth;
  }
  boost::json::object ask(std::map<std::string, std::string> params, int status) {
    const auto answer =
        service().handle({"POST", "/services/oauth2/token", "", std::move(params), {}});
    EXPECT_EQ(answer.status, status) << answer.body;
    return boost::json::parse(answer.body).get_object();
  }
  boost::json::object jwt(const SigningKey& signer, int status, std::string_view alg = "RS256") {
    const auto text = base64url(fmt::format(R"({{"alg":"{}"}})", alg)) + "." +
                      base64url(boost::json::serialize(claims));
    return ask({{"grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"},
                {"assertion", text + "." + base64url(signer.sign(text))}},
               status);
  }
};

TEST_F(LoginTest, SignedAssertionGivesASession) {
  const auto answer = jwt(key(), 200);
  EXPECT_EQ(answer.at("instance_url"), "http://127.0.0.1:1");
  EXPECT_EQ(answer.at("id"), "http://127.0.0.1:1/id/00D5f000000HeadEAC/0055f0000000001AAA");
  EXPECT_FALSE(answer.contains("expires_in"));
  EXPECT_TRUE(service().valid(std::string(answer.at("access_token").get_string())));
}

TEST_F(LoginTest, AssertionSignedByAnotherKeyIsRefused) {
  const SigningKey other;
  EXPECT_EQ(jwt(other, 400).at("error_description"), "invalid assertion");
  EXPECT_EQ(service().issued(), 0U);
}

TEST_F(LoginTest, AssertionWithAnotherAlgorithmIsRefused) {
  EXPECT_EQ(jwt(key(), 400, "none").at("error"), "invalid_grant");
}

TEST_F(LoginTest, WrongAudienceUserAppAndAgeAreRefused) {
  const auto right = claims;
  claims["aud"] = "https://example.com";
  EXPECT_EQ(jwt(key(), 400).at("error_description"),
            "Audience validation failed, audience is invalid");
  claims = right;
  claims["sub"] = "someone@else";
  EXPECT_EQ(jwt(key(), 400).at("error_description"), "user hasn't approved this consumer");
  claims = right;
  claims["iss"] = "another";
  EXPECT_EQ(jwt(key(), 400).at("error"), "invalid_client_id");
  claims = right;
  claims["exp"] = clock.now_ms() / 1000 - 3'600;
  EXPECT_EQ(jwt(key(), 400).at("error"), "invalid_grant");
}

TEST_F(LoginTest, ClientCredentialsNeedTheSecret) {
  ask({{"grant_type", "client_credentials"}, {"client_id", "app"}, {"client_secret", "secret"}},
      200);
  const auto refused =
      ask({{"grant_type", "client_credentials"}, {"client_id", "app"}, {"client_secret", "guess"}},
          400);
  EXPECT_EQ(refused.at("error"), "invalid_client");
}

TEST_F(LoginTest, RefreshTokenWorksUntilItIsRevoked) {
  const std::map<std::string, std::string> params{
      {"grant_type", "refresh_token"}, {"client_id", "app"}, {"refresh_token", "refresh"}};
  const auto token = std::string(ask(params, 200).at("access_token").get_string());
  service().revoke_all();
  EXPECT_FALSE(service().valid(token));
  EXPECT_EQ(ask(params, 400).at("error_description"), "expired access/refresh token");
}

TEST_F(LoginTest, SessionEndsAfterItsLifetimeOrWhenExpired) {
  settings.token_lifetime = Millis(0);
  const std::map<std::string, std::string> params{
      {"grant_type", "client_credentials"}, {"client_id", "app"}, {"client_secret", "secret"}};
  EXPECT_FALSE(service().valid(std::string(ask(params, 200).at("access_token").get_string())));
  EXPECT_FALSE(service().valid("never given"));
}

TEST_F(LoginTest, FailingEndpointFailsAsOftenAsTold) {
  faults.token_failures = 1;
  const std::map<std::string, std::string> params{
      {"grant_type", "client_credentials"}, {"client_id", "app"}, {"client_secret", "secret"}};
  ask(params, 503);
  ask(params, 200);
}

}  // namespace
}  // namespace headwater::org
