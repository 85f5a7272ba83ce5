#include "schemas/core/sha256.hpp"

#include <openssl/evp.h>

#include <memory>

#include "schemas/core/assert.hpp"
#include "schemas/core/ids.hpp"

namespace headwater {

Sha256 sha256(std::string_view bytes) {
  // The one-shot call looks the algorithm up by name each time, which costs as much as hashing a
  // record.
  static EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  thread_local const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(
      EVP_MD_CTX_new(), EVP_MD_CTX_free);
  Sha256 out;
  const bool done = EVP_DigestInit_ex2(context.get(), algorithm, nullptr) == 1 &&
                    EVP_DigestUpdate(context.get(), bytes.data(), bytes.size()) == 1 &&
                    EVP_DigestFinal_ex(context.get(), out.data(), nullptr) == 1;
  HEADWATER_ASSERT(done);
  return out;
}

std::string sha256_hex(std::string_view bytes) {
  const Sha256 digest = sha256(bytes);
  return to_hex({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

std::uint64_t sha256_head(std::string_view bytes) {
  const Sha256 digest = sha256(bytes);
  std::uint64_t head = 0;
  for (std::size_t i = 0; i < 8; ++i) head = head << 8 | digest[i];
  return head;
}

}  // namespace headwater
