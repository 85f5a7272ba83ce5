#include <pwd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/json.hpp>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <optional>
#include <utility>

#include "config/node.hpp"
#include "daemon/cli/audit.hpp"
#include "daemon/cli/show.hpp"
#include "daemon/runtime/control.hpp"
#include "daemon/verify/verify.hpp"

namespace {

constexpr int kExitRefused = 1;
constexpr int kExitUnreachable = 2;
constexpr int kExitUsage = 64;   // EX_USAGE of sysexits.h
constexpr int kExitConfig = 78;  // EX_CONFIG

/// Who types this, also behind sudo: a claim, which the daemon keeps beside what the kernel says.
std::string who() {
  if (const char* name = std::getenv("SUDO_USER")) return name;
  const passwd* user = getpwuid(getuid());
  return user != nullptr ? user->pw_name : std::to_string(getuid());
}

std::string one_line(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

struct Settings {
  std::string config_path = "/etc/headwater/headwater.yaml";
  std::string socket;
  bool as_json = false;
  double timeout_s = 30;
};

/// The daemon's socket: the one that was given, or the one that its configuration names. Other
/// sections of the file are none of our business. A file that cannot be read names none: the
/// default may be the socket of another daemon, which must not get the order.
std::optional<std::string> socket_of(const Settings& settings) {
  if (!settings.socket.empty()) return settings.socket;
  headwater::config::Problems problems;
  auto root = headwater::config::Node::load(settings.config_path, problems);
  const std::string state_dir = root.text("state_dir", "/var/lib/headwater");
  std::string socket = root.child("control").text("socket", state_dir + "/control.sock");
  if (problems.empty()) return socket;
  std::cerr << problems.str()
            << "headwater: which daemon is meant stands in its configuration: give a good one by "
               "--config FILE, or its socket by --socket PATH\n";
  return std::nullopt;
}

/// Asks, prints, and turns the answer into an exit code. Without a view the answer is printed as it
/// came.
int run(const Settings& settings, const std::string& line, std::string_view view) {
  const headwater::Millis deadline(static_cast<std::int64_t>(settings.timeout_s * 1000));
  const auto socket = socket_of(settings);
  if (!socket) return kExitConfig;
  const auto reply = headwater::runtime::ask(*socket, line, deadline);
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
  if (settings.as_json || broken || view.empty()) {
    std::cout << *reply << "\n";
  } else {
    std::cout << headwater::cli::show(view, document);
  }
  return 0;
}

/// The command line, and the question that it comes to.
class Commands {
 public:
  Commands() {
    cli_.add_option("--config", settings_.config_path, "the daemon's configuration file")
        ->capture_default_str();
    cli_.add_option("--socket", settings_.socket, "the daemon's control socket, not --config");
    cli_.add_flag("--json", settings_.as_json, "print the answer as JSON");
    cli_.add_option("--timeout", settings_.timeout_s, "seconds to wait for an answer")
        ->capture_default_str()
        ->check(CLI::Range(0.001, 86'400.0).description("SECONDS"));
    cli_.require_subcommand(1);
    cli_.add_subcommand("status", "one screen: how far behind, since when, why, what to do")
        ->fallthrough();
    auto* get = cli_.add_subcommand("get", "a record from the ledger, as its canonical JSON");
    get->add_option("key", key_, "org:Object:id, as in emea:Account:0015f00002JUXA8AAP")
        ->required();
    get->fallthrough();
    add_holes();
    add_resync();
    add_jobs();
    add_quarantine();
    add_verify();
    add_audit();
  }

  int run(int argc, char** argv) {
    try {
      cli_.parse(argc, argv);
    } catch (const CLI::RequiredError& e) {
      // CLI11 misses a command before it minds the word that stands in its place.
      const auto words = cli_.remaining();
      if (words.empty()) return cli_.exit(e), kExitUsage;
      std::cerr << "headwater: there is no command " << words.front() << "; see headwater --help\n";
      return kExitUsage;
    } catch (const CLI::ParseError& e) {
      return cli_.exit(e) == 0 ? 0 : kExitUsage;  // 0: help was asked for
    }
    if (has("status")) return ::run(settings_, "status", "status");
    if (has("get")) return ::run(settings_, "get " + key_, "");
    if (has("holes")) return holes();
    if (has("resync")) return resync();
    if (has("jobs")) return jobs();
    if (has("verify")) return verify();
    if (has("audit")) return audit();
    return quarantine();
  }

 private:
  void add_holes() {
    auto* holes = cli_.add_subcommand("holes", "what may be missing, and why");
    holes->add_flag("--all", all_, "the closed ones too, with their evidence");
    holes->fallthrough();
    auto* close = holes->add_subcommand(
        "close", "accept a stretch or object hole: nothing is proven, your word stands for it");
    add_number(close, "the hole's number");
    add_reason(close);
  }
  void add_resync() {
    auto* resync = cli_.add_subcommand("resync", "read an object's records from the org again");
    resync->add_option("object", resync_.object, "API name, such as Account")->required();
    resync->add_option("--org", resync_.org, "its name in the configuration, if there are several");
    auto* where =
        resync->add_option("--where", resync_.where, "SOQL: only records for which it holds");
    auto* ids =
        resync->add_option("--ids", resync_.ids, "file with a record id a line: only those");
    auto* all = resync->add_flag("--all", all_, "every record: the default");
    resync->add_flag(
        "--confirm", resync_.confirm, "delete what the org no longer has, however much it is");
    where->excludes(ids)->excludes(all)->check(
        [](const std::string& soql) {
          // An unset variable of a shell must not come to mean everything.
          return soql.find_first_not_of(" \t") == std::string::npos
                     ? "it is empty; leave --where out to read every record"
                     : "";
        },
        "SOQL");
    ids->excludes(all)->check(CLI::ExistingFile);
    resync->fallthrough();
  }
  void add_jobs() {
    auto* jobs = cli_.add_subcommand("jobs", "objects that are being read: how far, how long");
    jobs->add_flag("--all", all_, "those that ended within a week, too");
    jobs->fallthrough();
    for (const auto& [verb, what] :
         {std::pair{"pause", "stop where it is"},
          {"resume", "go on where it stopped"},
          {"cancel", "give it up; what was read stays, and so do the holes it was to answer"}})
      add_number(jobs->add_subcommand(verb, what), "the job's number");
  }
  void add_quarantine() {
    auto* quarantine = cli_.add_subcommand("quarantine", "what could not go on");
    quarantine->add_flag("--all", all_, "the closed ones too, with their evidence");
    quarantine->fallthrough();
    quarantine->add_subcommand("list", "every row (also without a word behind quarantine)")
        ->fallthrough();
    auto* show = quarantine->add_subcommand("show", "one row, with the names of what it holds");
    add_number(show, "the row's number");
    show->add_flag("--values", values_, "field values and bytes too; needs the right to operate");
    auto* retry = quarantine->add_subcommand(
        "retry", "decode the event again, or write the record's newest image to the sink again");
    add_number(retry, "the row's number");
    auto* discard = quarantine->add_subcommand("discard", "give a row up: its bytes go");
    add_number(discard, "the row's number");
    add_reason(discard);
  }
  void add_verify() {
    auto* verify = cli_.add_subcommand("verify",
                                       "is every sink equal to the ledger, and the ledger to the "
                                       "org? 0 yes, 1 no, 2 could not check");
    verify->add_option("--wait", wait_s_, "seconds that what differs may take to stand still")
        ->capture_default_str()
        ->check(CLI::Range(0.0, 86'400.0).description("SECONDS"));
    verify->add_flag("--values", values_, "say what differing fields hold");
    verify->add_flag("--no-history", no_history_, "leave Kafka's changes topics alone");
    verify->add_option("--truth",
                       verify_.truth,
                       "a dump of the org (file or URL) instead of the org; none: leave it out");
    verify->fallthrough();
  }
  void add_audit() {
    auto* audit = cli_.add_subcommand("audit",
                                      "is the ledger equal to the org? 0 yes or repaired, 1 no, 2 "
                                      "could not look");
    auto* object = audit->add_option("object", audit_.object, "API name; else every object");
    audit->add_option("--org", audit_.org, "else every org");
    audit->add_flag("--repair", audit_.repair, "heal what is found: read it again, by id");
    audit->add_flag("--full", audit_.full, "compare all records field by field");
    audit->add_flag("--receipts", audit_.receipts, "what earlier audits found");
    audit
        ->add_flag("--sinks",
                   sinks_,
                   "the sinks against the ledger, all of it; with --repair, what a sink holds "
                   "wrongly is told again to all of them")
        ->excludes(object);
    audit->fallthrough();
  }
  void add_number(CLI::App* command, const char* what) {
    command->add_option("number", number_, what)
        ->required()
        ->check(
            [](const std::string& text) {
              return text.find_first_not_of("0123456789") == std::string::npos
                         ? ""
                         : text + " is no number; it stands in the list that this command shows";
            },
            "");
    command->fallthrough();
  }
  void add_reason(CLI::App* command) {
    command->add_option("--reason", reason_, "why; kept with who and when")->required();
  }
  bool has(const std::string& command) { return cli_.got_subcommand(command); }

  int holes() {
    if (cli_.get_subcommand("holes")->got_subcommand("close"))
      return ::run(settings_, "holes close " + order() + " " + one_line(reason_), "done");
    return ::run(settings_, all_ ? "holes all" : "holes", "holes");
  }
  int resync() {
    const std::string line = "resync " + (resync_.org.empty() ? "-" : resync_.org) + " " +
                             resync_.object + " by=" + who() + (resync_.confirm ? " confirm" : "");
    if (!resync_.where.empty())
      return ::run(settings_, line + " where " + one_line(resync_.where), "done");
    if (resync_.ids.empty()) return ::run(settings_, line, "done");
    // Lines of the socket are short: so many ids at a time.
    static constexpr std::size_t kIdsMax = 150;
    std::ifstream in(resync_.ids);
    std::string ids;
    std::size_t count = 0;
    bool any = false;
    const auto ask = [&] {
      const int code = count == 0 ? 0 : ::run(settings_, line + " ids " + ids, "done");
      ids.clear();
      count = 0;
      return code;
    };
    for (std::string id; in >> id;) {
      any = true;
      ids += (ids.empty() ? "" : ",") + id;
      if (++count < kIdsMax) continue;
      if (const int code = ask(); code != 0) return code;
    }
    if (!any) {
      std::cerr << "headwater: no ids in " << resync_.ids << "; it holds one a line\n";
      return kExitUsage;
    }
    return ask();
  }
  int jobs() {
    for (const char* verb : {"pause", "resume", "cancel"}) {
      if (cli_.get_subcommand("jobs")->got_subcommand(verb))
        return ::run(settings_, std::string("jobs ") + verb + " " + order(), "done");
    }
    return ::run(settings_, all_ ? "jobs all" : "jobs", "jobs");
  }
  int quarantine() {
    auto* quarantine = cli_.get_subcommand("quarantine");
    if (quarantine->got_subcommand("show")) {
      const std::string line = "quarantine show " + std::to_string(number_);
      return ::run(settings_, values_ ? line + " values" : line, "row");
    }
    if (quarantine->got_subcommand("retry"))
      return ::run(settings_, "quarantine retry " + order(), "done");
    if (quarantine->got_subcommand("discard"))
      return ::run(settings_, "quarantine discard " + order() + " " + one_line(reason_), "done");
    return ::run(settings_, all_ ? "quarantine list all" : "quarantine list", "quarantine");
  }
  int verify() {
    verify_.config_path = settings_.config_path;
    verify_.socket = settings_.socket;
    verify_.wait = headwater::Millis(static_cast<std::int64_t>(wait_s_ * 1000));
    verify_.json = settings_.as_json;
    verify_.values = values_;
    verify_.history = !no_history_;
    return headwater::verify::run(verify_, std::cout, std::cerr);
  }
  int audit() {
    if (sinks_) {
      verify_.truth = "none";
      verify_.restate = audit_.repair;
      verify_.by = who();
      no_history_ = true;
      return verify();
    }
    const auto socket = socket_of(settings_);
    if (!socket) return kExitConfig;
    const headwater::Millis deadline(static_cast<std::int64_t>(settings_.timeout_s * 1000));
    audit_.json = settings_.as_json;
    audit_.by = who();
    const auto ask = [&](const std::string& line) {
      return headwater::runtime::ask(*socket, line, deadline);
    };
    return headwater::cli::audit(audit_, ask, std::cout, std::cerr);
  }
  std::string order() const { return std::to_string(number_) + " by=" + who(); }

  struct Resync {
    std::string org, object, where, ids;
    bool confirm = false;
  };

  CLI::App cli_{"headwater: asks a running headwaterd"};
  Settings settings_;
  std::string key_, reason_;
  std::uint64_t number_ = 0;
  bool all_ = false, values_ = false, no_history_ = false;
  double wait_s_ = 30;
  Resync resync_;
  headwater::verify::Options verify_;
  headwater::cli::AuditCommand audit_;
  bool sinks_ = false;
};

}  // namespace

int main(int argc, char** argv) { return Commands().run(argc, argv); }
