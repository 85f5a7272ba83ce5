// headwater-org: a simulated Salesforce org. Prints one JSON line with its addresses when it is
// ready; stops on SIGINT, SIGTERM or POST /stop.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <fstream>
#include <sstream>
#include <thread>

#include "tests/org/org.hpp"

namespace {

using headwater::Millis;

std::string read_file(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

/// Adds a duration option; a bare number counts milliseconds.
void add_duration(CLI::App& app, const std::string& flag, Millis& target, const std::string& help) {
  const std::map<std::string, std::int64_t> units{
      {"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}};
  app.add_option_function<std::int64_t>(
         flag, [&target](const std::int64_t& ms) { target = Millis(ms); }, help)
      ->transform(CLI::AsNumberWithUnit(units, CLI::AsNumberWithUnit::DEFAULT, "DURATION"))
      ->default_str(fmt::format("{}ms", target.count()));
}

void add_durations(CLI::App& app, headwater::org::OrgOptions& options) {
  add_duration(
      app, "--keepalive-interval", options.keepalive_interval, "silence before an empty response");
  add_duration(app, "--credit-timeout", options.credit_timeout, "life of a stream without credit");
  add_duration(
      app, "--token-lifetime", options.token_lifetime, "idle time after which a session ends");
  add_duration(app,
               "--connection-age",
               options.connection_age,
               "after which a Pub/Sub connection gets GOAWAY, and its end as much later; 0: never");
  add_duration(app, "--retention", options.retention, "how long events stay on the bus");
  add_duration(app,
               "--standard-retention",
               options.standard_retention,
               "the same of standard-volume platform events");
  add_duration(
      app, "--publish-timeout", options.publish_timeout, "life of a PublishStream without events");
  add_duration(app,
               "--clock-lag",
               options.clock_lag,
               "how far the org's clock starts behind; loads use it up");
}

}  // namespace

int main(int argc, char** argv) {
  headwater::org::OrgOptions options;
  std::string public_key_file;
  std::string tls_cert_file;
  std::string tls_key_file;
  CLI::App app{
      "A simulated Salesforce org: Pub/Sub API, login, REST and a control port, on loopback."};
  app.add_option("--port", options.port, "Pub/Sub API; 0: a free one");
  app.add_option("--http-port", options.http_port, "login and REST; 0: a free one");
  app.add_option("--control-port", options.control_port, "control; 0: a free one");
  app.add_option("--seed", options.seed, "of the workload");
  app.add_option("--org-id", options.org_id, "00D…, 15 or 18 characters");
  add_durations(app, options);
  app.add_option(
         "--public-key", public_key_file, "PEM public key or certificate of the JWT bearer flow")
      ->check(CLI::ExistingFile);
  app.add_option("--client-id", options.client_id);
  app.add_option("--client-secret", options.client_secret);
  app.add_option("--username", options.username, "the `sub` of the JWT bearer flow");
  app.add_option("--refresh-token", options.refresh_token);
  app.add_option("--tls-cert", tls_cert_file, "PEM; the Pub/Sub API then speaks TLS")
      ->check(CLI::ExistingFile);
  app.add_option("--tls-key", tls_key_file, "PEM")->check(CLI::ExistingFile);
  app.add_flag(
      "--multi-currency", options.multi_currency, "records with amounts get CurrencyIsoCode");
  CLI11_PARSE(app, argc, argv);

  if (!public_key_file.empty()) options.public_key_pem = read_file(public_key_file);
  if (!tls_cert_file.empty()) options.tls_certificate_pem = read_file(tls_cert_file);
  if (!tls_key_file.empty()) options.tls_key_pem = read_file(tls_key_file);

  // Signals go to one thread that waits for them; all threads started below inherit the mask.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  headwater::org::Org org(options);
  const auto addresses = org.start();
  if (!addresses) {
    fmt::print(stderr, "headwater-org: {}\n", addresses.error().message);
    return 1;
  }
  std::thread waiter([&org, &signals] {
    int signal = 0;
    sigwait(&signals, &signal);
    org.request_stop();
  });
  fmt::print("{}\n", addresses->json());
  std::fflush(stdout);
  org.wait();
  pthread_kill(waiter.native_handle(), SIGTERM);  // if /stop came first, it still waits
  waiter.join();
  org.stop();
  return 0;
}
