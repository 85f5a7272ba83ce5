#pragma once

#include <string>

#include "connectors/salesforce/config.hpp"
#include "tests/support/temp_dir.hpp"

namespace headwater::salesforce {

using test::TempDir;

/// An org that logs in with client credentials at `login_url`.
inline OrgConfig org_config(const std::string& login_url, const TempDir& dir) {
  OrgConfig config;
  config.name = "emea";
  config.login_url = login_url;
  config.http_timeout = std::chrono::seconds{5};
  config.auth.flow = AuthConfig::Flow::ClientCredentials;
  config.auth.client_id = "consumer";
  config.auth.client_secret_file = dir.write("client_secret", "s3cret\n");
  return config;
}

}  // namespace headwater::salesforce
