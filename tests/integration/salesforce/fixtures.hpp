#pragma once

#include <filesystem>
#include <fstream>
#include <string>

#include "connectors/salesforce/config.hpp"

namespace headwater::salesforce {

/// A folder of a test's own, gone afterwards.
class TempDir {
 public:
  TempDir() {
    std::string name = (std::filesystem::temp_directory_path() / "headwater-sfXXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~TempDir() { std::filesystem::remove_all(path_); }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  std::string write(const std::string& name, const std::string& text) const {
    const auto path = path_ / name;
    std::ofstream(path, std::ios::binary) << text;
    return path.string();
  }

 private:
  std::filesystem::path path_;
};

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
