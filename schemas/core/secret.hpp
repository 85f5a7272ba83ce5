#pragma once

#include <openssl/crypto.h>

#include <string>
#include <utility>

namespace headwater {

/// A password, key or token. Prints nothing by itself: reveal() is the one way to its text, so that
/// a search for that word finds every use. Wiped when destroyed.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string text) : text_(std::move(text)) {}
  Secret(const Secret&) = default;
  Secret(Secret&&) noexcept = default;
  Secret& operator=(const Secret&) = default;
  Secret& operator=(Secret&&) noexcept = default;
  ~Secret() { OPENSSL_cleanse(text_.data(), text_.size()); }

  const std::string& reveal() const { return text_; }
  bool empty() const { return text_.empty(); }
  friend bool operator==(const Secret&, const Secret&) = default;

 private:
  std::string text_;
};

}  // namespace headwater
