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

/// A new RSA key in PEM.
std::string make_rsa_key();

}  // namespace headwater::salesforce
