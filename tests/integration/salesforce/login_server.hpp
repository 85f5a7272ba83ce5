#pragma once

#include <httplib.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace headwater::salesforce {

/// A token endpoint whose answers the test gives. Every login gets a new token `token-<n>`.
class LoginServer {
 public:
  using Handler = std::function<void(const httplib::Request&, httplib::Response&)>;
  static constexpr const char* kOrgId = "00D5f000000AbCdEAK";

  explicit LoginServer(
      std::unique_ptr<httplib::Server> server = std::make_unique<httplib::Server>(),
      std::string scheme = "http")
      : server_(std::move(server)) {
    server_->set_tcp_nodelay(true);
    server_->Post("/services/oauth2/token", [this](const auto& request, auto& response) {
      const auto n = ++logins_;
      {
        const std::lock_guard lock(mutex_);
        forms_.push_back(request.params);
      }
      if (answer_) return answer_(request, response);
      response.set_content(token_json("token-" + std::to_string(n)), "application/json");
    });
    port_ = server_->bind_to_any_port("127.0.0.1");
    url_ = scheme + "://127.0.0.1:" + std::to_string(port_);
    thread_ = std::thread([this] { server_->listen_after_bind(); });
    while (!server_->is_running()) std::this_thread::yield();
  }
  ~LoginServer() {
    server_->stop();
    thread_.join();
  }

  std::string token_json(const std::string& token) const {
    return R"({"access_token":")" + token + R"(","instance_url":")" + url_ +
           R"(","id":"https://login.salesforce.com/id/00D5f000000AbCd/0055f000000AbCdAAK","token_type":"Bearer"})";
  }
  /// Set before the first request only.
  void answer(Handler handler) { answer_ = std::move(handler); }
  httplib::Server& server() { return *server_; }
  const std::string& url() const { return url_; }
  int logins() const { return logins_; }
  httplib::Params form(std::size_t i) const {
    const std::lock_guard lock(mutex_);
    return forms_.at(i);
  }

 private:
  std::unique_ptr<httplib::Server> server_;
  Handler answer_;
  std::string url_;
  int port_ = 0;
  std::atomic<int> logins_{0};
  mutable std::mutex mutex_;
  std::vector<httplib::Params> forms_;
  std::thread thread_;
};

inline std::string form_value(const httplib::Params& form, const std::string& key) {
  const auto found = form.find(key);
  return found == form.end() ? std::string{} : found->second;
}

}  // namespace headwater::salesforce
