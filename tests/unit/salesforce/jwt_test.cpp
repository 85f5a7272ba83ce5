#include "connectors/salesforce/jwt.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <boost/json.hpp>
#include <memory>

namespace headwater::salesforce {
namespace {

struct KeyPair {
  std::shared_ptr<EVP_PKEY> key;
  std::string pem;
};

std::string pem_of(EVP_PKEY* key, const EVP_CIPHER* cipher = nullptr) {
  std::unique_ptr<BIO, int (*)(BIO*)> bio(BIO_new(BIO_s_mem()), BIO_free);
  char passphrase[] = "secret";
  PEM_write_bio_PrivateKey(
      bio.get(), key, cipher, nullptr, 0, nullptr, cipher ? passphrase : nullptr);
  char* data = nullptr;
  const auto size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

KeyPair rsa() {
  std::shared_ptr<EVP_PKEY> key(EVP_RSA_gen(2048), EVP_PKEY_free);
  return {key, pem_of(key.get())};
}

std::string decoded(std::string text) {
  for (auto& c : text) c = c == '-' ? '+' : c == '_' ? '/' : c;
  const auto padding = (4 - text.size() % 4) % 4;
  text.append(padding, '=');
  std::string out(text.size() / 4 * 3, '\0');
  EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                  reinterpret_cast<const unsigned char*>(text.data()),
                  static_cast<int>(text.size()));
  out.resize(out.size() - padding);
  return out;
}

std::vector<std::string> parts(const std::string& jwt) {
  const auto first = jwt.find('.'), second = jwt.rfind('.');
  return {jwt.substr(0, first), jwt.substr(first + 1, second - first - 1), jwt.substr(second + 1)};
}

const JwtClaims kClaims{
    "3MVG9consumer", "ops@\"acme\".example", "https://login.salesforce.com", 1770000180};

TEST(SignedJwt, CarriesTheFourClaims) {
  const auto jwt = signed_jwt(kClaims, Secret(rsa().pem));
  ASSERT_TRUE(jwt.ok());
  const auto part = parts(jwt->reveal());
  EXPECT_EQ(boost::json::parse(decoded(part[0])), boost::json::parse(R"({"alg":"RS256"})"));
  const auto claims = boost::json::parse(decoded(part[1])).as_object();
  EXPECT_EQ(claims.at("iss").as_string(), kClaims.issuer);
  EXPECT_EQ(claims.at("sub").as_string(), kClaims.subject);
  EXPECT_EQ(claims.at("aud").as_string(), kClaims.audience);
  EXPECT_EQ(claims.at("exp").as_int64(), kClaims.expires);
  EXPECT_EQ(claims.size(), 4u);
}

TEST(SignedJwt, TheSignatureHoldsUnderThePublicKey) {
  const auto pair = rsa();
  const auto jwt = signed_jwt(kClaims, Secret(pair.pem));
  ASSERT_TRUE(jwt.ok());
  const auto part = parts(jwt->reveal());
  const auto signature = decoded(part[2]);
  const auto verified = [&](const std::string& text) {
    std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, pair.key.get());
    return EVP_DigestVerify(context.get(),
                            reinterpret_cast<const unsigned char*>(signature.data()),
                            signature.size(),
                            reinterpret_cast<const unsigned char*>(text.data()),
                            text.size()) == 1;
  };
  EXPECT_TRUE(verified(part[0] + '.' + part[1]));
  EXPECT_FALSE(verified(part[0] + '.' + part[1] + 'x'));
}

TEST(SignedJwt, WhatIsNoRsaKeyIsBlockedWithoutItsText) {
  const std::shared_ptr<EVP_PKEY> curve(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const auto locked = pem_of(rsa().key.get(), EVP_aes_256_cbc());
  for (const auto& pem : {std::string("not a key"), pem_of(curve.get()), locked}) {
    const auto jwt = signed_jwt(kClaims, Secret(pem));
    ASSERT_FALSE(jwt.ok());
    EXPECT_EQ(jwt.error().kind, ErrorKind::Blocked);
    EXPECT_EQ(jwt.error().message,
              "sign the login assertion: auth.private_key_file holds no RSA key in PEM without a "
              "passphrase; store one");
  }
}

TEST(Base64Url, HasNoPaddingAndNoUrlSigns) {
  EXPECT_EQ(base64url(""), "");
  EXPECT_EQ(base64url("f"), "Zg");
  EXPECT_EQ(base64url("fo"), "Zm8");
  EXPECT_EQ(base64url("foo"), "Zm9v");
  EXPECT_EQ(base64url("\xfb\xff\xfe"), "-__-");
}

}  // namespace
}  // namespace headwater::salesforce
