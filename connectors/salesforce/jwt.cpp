#include "connectors/salesforce/jwt.hpp"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <memory>

#include "schemas/core/json_text.hpp"

namespace headwater::salesforce {
namespace {

template <auto Free>
struct Freed {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Bio = std::unique_ptr<BIO, Freed<BIO_free_all>>;
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using Digest = std::unique_ptr<EVP_MD_CTX, Freed<EVP_MD_CTX_free>>;

/// Without a callback of ours OpenSSL would ask for a passphrase on the terminal.
int no_passphrase(char*, int, int, void*) { return -1; }

void add_claim(std::string& out, std::string_view name, std::string_view value) {
  out += out.empty() ? '{' : ',';
  append_json_string(out, name);
  out += ':';
  append_json_string(out, value);
}

}  // namespace

std::string base64url(std::string_view bytes) {
  static constexpr char kDigits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string out;
  out.reserve((bytes.size() * 4 + 2) / 3);
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : bytes) {
    bits = bits << 8 | static_cast<unsigned char>(c);
    for (count += 8; count >= 6; count -= 6) out += kDigits[bits >> (count - 6) & 63];
  }
  if (count > 0) out += kDigits[bits << (6 - count) & 63];
  return out;
}

Result<Secret> signed_jwt(const JwtClaims& claims, const Secret& key_pem) {
  std::string payload;
  add_claim(payload, "iss", claims.issuer);
  add_claim(payload, "sub", claims.subject);
  add_claim(payload, "aud", claims.audience);
  payload += fmt::format(",\"exp\":{}}}", claims.expires);
  std::string text = base64url(R"({"alg":"RS256"})") + '.' + base64url(payload);

  // Both objects wipe their copy of the key when freed: a read-only BIO makes none, EVP_PKEY clears
  // its numbers.
  const auto& pem = key_pem.reveal();
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
  ERR_clear_error();
  if (!key || EVP_PKEY_base_id(key.get()) != EVP_PKEY_RSA)
    return blocked(
        "sign the login assertion: auth.private_key_file holds no RSA key in PEM without a "
        "passphrase; store one");

  const Digest digest(EVP_MD_CTX_new());
  std::size_t size = static_cast<std::size_t>(EVP_PKEY_size(key.get()));
  std::string signature(size, '\0');
  const auto bytes = [](std::string& s) { return reinterpret_cast<unsigned char*>(s.data()); };
  if (EVP_DigestSignInit(digest.get(), nullptr, EVP_sha256(), nullptr, key.get()) != 1 ||
      EVP_DigestSign(digest.get(), bytes(signature), &size, bytes(text), text.size()) != 1) {
    ERR_clear_error();
    return blocked(
        "sign the login assertion: OpenSSL refused auth.private_key_file; store another key");
  }
  signature.resize(size);
  return Secret(text + '.' + base64url(signature));
}

}  // namespace headwater::salesforce
