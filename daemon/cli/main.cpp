#include <unistd.h>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <cstdio>
#include <iostream>

#include "config/node.hpp"
#include "daemon/cli/show.hpp"
#include "daemon/runtime/control.hpp"

namespace {

constexpr int kExitRefused = 1;
constexpr int kExitUnreachable = 2;

/// The daemon's socket as its configuration names it. Other sections of the file are none of our
/// business.
std::string socket_of(const std::string& config_path) {
  headwater::config::Problems problems;
  auto root = headwater::config::Node::load(config_path, problems);
  const std::string state_dir = root.text("state_dir", "/var/lib/headwater");
  return root.child("control").text("socket", state_dir + "/control.sock");
}

/// Asks, prints, and turns the answer into an exit code.
int run(const std::string& socket, const std::string& line, bool as_json) {
  const auto reply = headwater::runtime::ask(socket, line);
  if (!reply) {
    std::cerr << "headwater: " << reply.error().message << "\n";
    return kExitUnreachable;
  }
  boost::system::error_code broken;
  const auto document = boost::json::parse(*reply, broken);
  if (!broken && document.is_object() && document.as_object().contains("error")) {
    std::cerr << "headwater: " << document.at("error").as_string().c_str() << "\n";
    return kExitRefused;
  }
  if (as_json || broken) {
    std::cout << *reply << "\n";
  } else {
    std::cout << headwater::cli::show(line.substr(0, line.find(' ')), document);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App cli("headwater: asks a running headwaterd");
  std::string config_path = "/etc/headwater/headwater.yaml";
  std::string socket;
  std::string key;
  bool as_json = false;
  cli.add_option("--config", config_path, "the daemon's configuration file")->capture_default_str();
  cli.add_option("--socket", socket, "the daemon's control socket, instead of --config");
  cli.add_flag("--json", as_json, "print the answer as JSON");
  cli.require_subcommand(1);
  auto* status =
      cli.add_subcommand("status", "one screen: how far behind, since when, why, what to do");
  auto* get = cli.add_subcommand("get", "a record from the ledger, as its canonical JSON");
  get->add_option("key", key, "org:Object:id, as in emea:Account:0015f00002JUXA8AAP")->required();
  auto* holes = cli.add_subcommand("holes", "what may be missing, and why");
  auto* quarantine = cli.add_subcommand("quarantine", "what could not go on");
  for (auto* command : {status, get, holes, quarantine}) command->fallthrough();
  CLI11_PARSE(cli, argc, argv);

  if (socket.empty()) socket = socket_of(config_path);
  if (get->parsed()) return run(socket, "get " + key, true);
  if (holes->parsed()) return run(socket, "holes", as_json);
  if (quarantine->parsed()) return run(socket, "quarantine", as_json);
  return run(socket, "status", as_json);
}
