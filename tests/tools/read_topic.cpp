// headwater-read-topic: a topic from its beginning to its end, a line of JSON for each message:
// {"partition","offset","key","rev","epoch","status","retried","value"}. For tests that are not in
// C++.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "tests/support/kafka_server.hpp"

int main(int argc, char** argv) {
  CLI::App app{"Prints a topic as JSON lines"};
  std::string brokers, topic;
  bool committed = false;
  app.add_option("--brokers", brokers)->required();
  app.add_option("--topic", topic)->required();
  app.add_flag("--committed", committed, "leaves out what no transaction committed");
  CLI11_PARSE(app, argc, argv);
  for (const auto& message : headwater::test::read_topic(brokers, topic, committed)) {
    const auto header = [&](const char* name, const std::string& quote = "") {
      const auto found = message.headers.find(name);
      return found == message.headers.end() ? "null" : quote + found->second + quote;
    };
    // Our keys and headers need no escaping, and our values are JSON.
    std::printf(
        "{\"partition\":%d,\"offset\":%lld,\"key\":\"%s\",\"rev\":%s,\"epoch\":%s,"
        "\"status\":%s,\"retried\":%s,\"value\":%s}\n",
        message.partition,
        static_cast<long long>(message.offset),
        message.key.c_str(),
        header("rev").c_str(),
        header("epoch").c_str(),
        header("status", "\"").c_str(),
        header("retried").c_str(),
        message.value.value_or("null").c_str());
  }
  return 0;
}
