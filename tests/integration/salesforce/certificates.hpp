#pragma once

#include <string>

namespace headwater::salesforce {

/// A certificate and its key in PEM.
struct Certificate {
  std::string certificate, key;
};

/// A new authority, and a server certificate for localhost and 127.0.0.1 signed by it.
struct Authority {
  Certificate root;
  Certificate server;
  static Authority make(const std::string& name);
};

/// A new RSA key in PEM, and its public half.
struct RsaKey {
  std::string private_pem, public_pem;
  static RsaKey make();
};

}  // namespace headwater::salesforce
