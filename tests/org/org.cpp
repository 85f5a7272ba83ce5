#include "tests/org/org.hpp"

#include <fmt/format.h>

#include <chrono>

#include "schemas/core/ids.hpp"
#include "tests/org/control.hpp"

namespace headwater::org {

std::string OrgAddresses::json() const {
  return fmt::format(R"({{"pubsub":"{}","login_url":"{}","control":"{}","org_id":"{}"}})",
                     pubsub,
                     login_url,
                     control,
                     org_id);
}

Org::Org(OrgOptions options)
    : options_(std::move(options)),
      catalog_(Catalog::standard_table(), options_.multi_currency),
      bus_(options_.retention),
      platform_(options_.retention, options_.standard_retention),
      record_types_(options_.seed),
      store_(catalog_, bus_, options_.clock_lag, options_.seed),
      workload_(store_, options_.seed) {
  store_.set_default_type([this](const ObjectDef& object, const Record& record) {
    return record_types_.default_of(object, record);
  });
}

Org::~Org() { stop(); }

Result<OrgAddresses> Org::start() {
  const auto org_id = RecordId::parse(options_.org_id);
  if (!org_id || org_id->prefix() != "00D") {
    return rejected(
        "--org-id: needs an organization id of 15 or 18 characters that starts with 00D");
  }
  OauthSettings oauth{org_id->str(),
                      Store::integration_user(),
                      options_.client_id,
                      options_.client_secret,
                      options_.username,
                      options_.refresh_token,
                      options_.public_key_pem,
                      options_.audiences,
                      options_.token_lifetime};
  oauth_ = std::make_unique<Oauth>(std::move(oauth), faults_);
  rest_ = std::make_unique<Rest>(store_, record_types_, *oauth_, faults_);
  http_ = std::make_unique<HttpServer>([this](const HttpRequest& request) -> HttpResponse {
    if (request.path.starts_with("/services/oauth2/")) return oauth_->handle(request);
    if (request.path.starts_with("/services/data")) return rest_->handle(request);
    return {404,
            R"([{"message":"The requested resource does not exist","errorCode":"NOT_FOUND"}])"};
  });
  const auto http_port = http_->start(options_.http_port);
  if (!http_port) return http_port.error();

  OrgAddresses out;
  out.org_id = org_id->str();
  out.login_url = fmt::format("http://127.0.0.1:{}", *http_port);
  oauth_->set_instance_url(out.login_url);

  pubsub_ = std::make_unique<PubsubServer>(PubsubSettings{options_.port,
                                                          options_.keepalive_interval,
                                                          options_.credit_timeout,
                                                          options_.publish_timeout,
                                                          options_.tls_certificate_pem,
                                                          options_.tls_key_pem,
                                                          options_.connection_age},
                                           catalog_,
                                           bus_,
                                           platform_,
                                           *oauth_,
                                           faults_);
  const auto port = pubsub_->start();
  if (!port) return port.error();
  out.pubsub = fmt::format("127.0.0.1:{}", *port);

  control_ =
      std::make_unique<HttpServer>([this, control = Control(*this)](const HttpRequest& request) {
        return control.handle(request);
      });
  const auto control_port = control_->start(options_.control_port);
  if (!control_port) return control_port.error();
  out.control = fmt::format("http://127.0.0.1:{}", *control_port);
  return out;
}

void Org::stop() {
  request_stop();
  if (control_) control_->stop();
  if (pubsub_) pubsub_->stop();
  if (http_) http_->stop();
}

void Org::wait() {
  std::unique_lock lock(stop_mutex_);
  stop_wake_.wait(lock, [this] { return stopping_.load(); });
}

void Org::request_stop() {
  {
    const std::lock_guard lock(stop_mutex_);
    stopping_ = true;
  }
  stop_wake_.notify_all();
}

void Org::load(std::size_t transactions, double rate) {
  const std::lock_guard one(workload_mutex_);
  const auto started = std::chrono::steady_clock::now();
  const Millis lag_per_step =
      transactions > 0 ? store_.clock().lag() / static_cast<std::int64_t>(transactions) : Millis(0);
  for (std::size_t i = 0; i < transactions && !stopping_; ++i) {
    {
      const auto held = catalog_.hold();
      workload_.step();
    }
    store_.clock().advance(lag_per_step);
    if (rate <= 0) continue;
    const auto due =
        started + std::chrono::duration_cast<std::chrono::steady_clock::duration>(
                      std::chrono::duration<double>(static_cast<double>(i + 1) / rate));
    std::unique_lock lock(stop_mutex_);
    stop_wake_.wait_until(lock, due, [this] { return stopping_.load(); });
  }
}

Result<void> Org::replay(const ReplayPlan& plan) {
  const std::lock_guard one(workload_mutex_);
  const auto held = catalog_.hold();
  bus_.hold();
  auto done = workload_.replay(plan);
  bus_.release();
  return done;
}

Result<void> Org::fill(const FillPlan& plan) {
  const std::lock_guard one(workload_mutex_);
  const auto held = catalog_.hold();
  return workload_.fill(plan);
}

}  // namespace headwater::org
