#include "tests/integration/salesforce/certificates.hpp"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include <memory>

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
using X509Ptr = std::unique_ptr<X509, Freed<X509_free>>;

std::string text(const Bio& bio) {
  char* data = nullptr;
  const auto size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

std::string pem(EVP_PKEY* key) {
  const Bio bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
  return text(bio);
}

std::string pem(X509* certificate) {
  const Bio bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(bio.get(), certificate);
  return text(bio);
}

void extend(X509* certificate, X509* issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

X509Ptr make(const std::string& name, long serial, EVP_PKEY* key) {
  X509Ptr certificate(X509_new());
  X509_set_version(certificate.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), serial);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 86'400);
  X509_set_pubkey(certificate.get(), key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()),
                             "CN",
                             MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(name.c_str()),
                             -1,
                             -1,
                             0);
  return certificate;
}

}  // namespace

Authority Authority::make(const std::string& name) {
  const Key root_key(EVP_EC_gen("P-256")), server_key(EVP_EC_gen("P-256"));
  const auto root = salesforce::make(name, 1, root_key.get());
  X509_set_issuer_name(root.get(), X509_get_subject_name(root.get()));
  extend(root.get(), root.get(), NID_basic_constraints, "critical,CA:TRUE");
  extend(root.get(), root.get(), NID_key_usage, "critical,keyCertSign,cRLSign");
  X509_sign(root.get(), root_key.get(), EVP_sha256());

  const auto server = salesforce::make("localhost", 2, server_key.get());
  X509_set_issuer_name(server.get(), X509_get_subject_name(root.get()));
  extend(server.get(), root.get(), NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
  X509_sign(server.get(), root_key.get(), EVP_sha256());
  return {{pem(root.get()), pem(root_key.get())}, {pem(server.get()), pem(server_key.get())}};
}

RsaKey RsaKey::make() {
  const Key key(EVP_RSA_gen(2048));
  const Bio bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_PUBKEY(bio.get(), key.get());
  return {pem(key.get()), text(bio)};
}

}  // namespace headwater::salesforce
