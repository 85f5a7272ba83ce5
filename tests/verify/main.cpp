// headwater-verify: `headwater verify` against a simulated org's own dump.

#include <CLI/CLI.hpp>
#include <iostream>

#include "daemon/verify/verify.hpp"

int main(int argc, char** argv) {
  CLI::App cli("headwater-verify: is every sink equal to the simulated org?");
  headwater::verify::Options options;
  std::string control_url;
  bool no_history = false;
  cli.add_option("--config", options.config_path, "the daemon's configuration file")->required();
  cli.add_option("--org-control", control_url, "control URL of headwater-org")->required();
  cli.add_flag("--no-history",
               no_history,
               "leave the changes topics alone (a mock broker drops old messages)");
  CLI11_PARSE(cli, argc, argv);
  options.truth = control_url + "/truth";
  options.history = !no_history;
  options.values = true;  // of a simulated org
  return headwater::verify::run(options, std::cout, std::cerr);
}
