#include "daemon/daemon_config.hpp"

#include <fmt/format.h>

#include <charconv>
#include <map>
#include <set>

namespace headwater {
namespace {

/// Port 0 takes a free one.
bool is_address(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == text.npos || colon == 0) return false;
  std::uint16_t port = 0;
  const char* const end = text.data() + text.size();
  const auto read = std::from_chars(text.data() + colon + 1, end, port);
  return read.ec == std::errc() && read.ptr == end;
}

}  // namespace

DaemonConfig DaemonConfig::load(const std::string& path, config::Problems& problems) {
  DaemonConfig config;
  config::Node root = config::Node::load(path, problems);
  if (problems.empty()) config = parse(root);  // no file, or no YAML: what it lacks is not the news
  config.path = path;
  return config;
}

DaemonConfig DaemonConfig::parse(config::Node& root) {
  DaemonConfig config;
  config.state_dir = root.text("state_dir");

  std::set<std::string> names;
  for (config::Node& item : root.items("orgs")) {
    config.orgs.push_back(salesforce::OrgConfig::parse(item));
    if (!names.insert(config.orgs.back().name).second) {
      item.problem("name", fmt::format("org {} is configured twice", config.orgs.back().name));
    }
  }
  if (config.orgs.empty()) root.problem("orgs", "at least one org is required");

  config::Node sinks = root.child("sinks");
  std::map<std::string, std::string> targets;  // where a sink writes -> its name
  for (const std::string& name : sinks.keys()) {
    config::Node section = sinks.child(name);
    SinkMaker made = parse_sink(name, section);
    if (const auto [taken, first] = targets.try_emplace(made.target, name);
        !first && !made.target.empty()) {
      section.problem("",
                      fmt::format("writes to the same place as sink {}: give one of them another "
                                  "schema, prefix or topic_prefix, or take it out",
                                  taken->second));
    }
    if (made.make)
      config.sinks.push_back(
          {name, std::move(made.make), std::move(made.check), std::move(made.reader)});
  }

  config::Node journal = root.child("journal");
  config.journal.journal_bytes_max = journal.bytes("bytes_max", config.journal.journal_bytes_max);
  config.journal.journal_keep = journal.duration("keep", config.journal.journal_keep);
  if (config.journal.journal_bytes_max < (1U << 20))
    journal.problem("bytes_max",
                    fmt::format("must be at least 1MiB, got {} bytes; give a size with its unit",
                                config.journal.journal_bytes_max));

  config::Node audit = root.child("audit");
  config.audit.every = audit.duration("every", config.audit.every);
  config.audit.objects = audit.texts("objects");
  config.audit.settle = audit.duration("settle", config.audit.settle);

  config.mapping_files = root.child("mapping").texts("files");
  config::Node http = root.child("http");
  config.http_listen = http.text("listen", config.http_listen);
  if (!is_address(config.http_listen))
    http.problem("listen",
                 fmt::format("must be an address with its port, such as 127.0.0.1:9464 or "
                             "[::1]:9464, got {}",
                             config.http_listen));
  config.control_socket = root.child("control").text("socket", config.state_dir + "/control.sock");
  config.stop_deadline = root.duration("stop_deadline", config.stop_deadline);

  config::Node log_section = root.child("log");
  const auto level = log_section.one_of("level", "info", {"debug", "info", "warning", "error"});
  log::parse_level(level, config.log_level);
  root.finish();
  return config;
}

void DaemonConfig::check_sinks(const crm::Mapping& mapping, config::Problems& problems) const {
  for (const SinkSection& sink : sinks) {
    if (!sink.check) continue;
    for (std::string& what : sink.check(mapping)) {
      problems.add({path, 0, 0, "sinks." + sink.name, std::move(what)});
    }
  }
}

void DaemonConfig::ask_sinks(const crm::Mapping& mapping, config::Problems& problems) const {
  for (const SinkSection& sink : sinks) {
    if (!sink.reader) continue;
    auto told = sink.reader(sink.name, mapping)->refusals();
    if (!told) {
      log::warning("a mapping is not compared with what the target has: it cannot be asked",
                   {{"sink", sink.name}, {"why", told.error().message}});
      continue;
    }
    for (std::string& what : *told) {
      problems.add({path, 0, 0, "sinks." + sink.name, std::move(what)});
    }
  }
}

}  // namespace headwater
