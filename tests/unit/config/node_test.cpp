#include "config/node.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace headwater::config {
namespace {

TEST(Node, ReadsTypedValues) {
  Problems problems;
  Node root = Node::parse(
      "a.yaml",
      "name: x\non: true\ncount: 7\nwait: 250ms\nsize: 16GiB\nlist: [a, b]\nsub: {deep: 1}\n",
      problems);
  EXPECT_EQ(root.text("name"), "x");
  EXPECT_TRUE(root.boolean("on", false));
  EXPECT_EQ(root.integer("count", 0, 1, 10), 7);
  EXPECT_EQ(root.duration("wait", Millis(0)), Millis(250));
  EXPECT_EQ(root.bytes("size", 0), 16ULL << 30);
  EXPECT_EQ(root.texts("list"), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(root.child("sub").integer("deep", 0, 0, 9), 1);
  root.finish();
  EXPECT_EQ(problems.str(), "");
}

TEST(Node, TellsEveryProblemWithItsPlace) {
  Problems problems;
  Node root = Node::parse(
      "headwater.yaml",
      "sinks:\n  postgres:\n    entries_max: 0\n    entires_max: 5\n    entries_max: 9\nwait: 5\n",
      problems);
  Node postgres = root.child("sinks").child("postgres");
  postgres.integer("entries_max", 500, 1, 10000);
  postgres.text("url");
  root.duration("wait", Millis(1));
  root.finish();
  EXPECT_EQ(
      problems.str(),
      "headwater.yaml:3:5: sinks.postgres.url: is required\n"
      "headwater.yaml:3:18: sinks.postgres.entries_max: must be between 1 and 10000, got 0\n"
      "headwater.yaml:4:5: sinks.postgres.entires_max: unknown key, did you mean entries_max?\n"
      "headwater.yaml:5:5: sinks.postgres.entries_max: given twice\n"
      "headwater.yaml:6:7: wait: must be a duration with its unit (250ms, 5s, 10m, 1h, 3d), got "
      "5\n");
}

TEST(Node, SaysWhereTheYamlBreaks) {
  Problems problems;
  Node::parse("a.yaml", "a: [1\nb: 2\n", problems);
  ASSERT_EQ(problems.list().size(), 1U);
  EXPECT_EQ(problems.list()[0].str().rfind("a.yaml:2:", 0), 0U) << problems.str();
}

TEST(Node, FillsInTheEnvironment) {
  setenv("HEADWATER_TEST_HOST", "db.example", 1);
  unsetenv("HEADWATER_TEST_NONE");
  Problems problems;
  Node root =
      Node::parse("a.yaml",
                  "url: postgres://${HEADWATER_TEST_HOST}/x\nother: ${HEADWATER_TEST_NONE}\n",
                  problems);
  EXPECT_EQ(root.text("url"), "postgres://db.example/x");
  EXPECT_EQ(root.texts("url"), (std::vector<std::string>{"postgres://db.example/x"}));
  root.text("other", "");
  EXPECT_EQ(problems.str(),
            "a.yaml:2:8: other: environment variable HEADWATER_TEST_NONE is not set\n");
}

TEST(Node, RefusesASecretThatOthersMayRead) {
  const auto path = std::filesystem::temp_directory_path() / ("secret-" + std::to_string(getpid()));
  std::ofstream(path) << "hunter2\n";
  Problems problems;
  Node root = Node::parse("a.yaml", "password_file: " + path.string() + "\n", problems);
  chmod(path.c_str(), 0644);
  EXPECT_TRUE(root.secret_file("password_file").empty());
  EXPECT_NE(problems.str().find("is open to group or others: chmod 600 it"), std::string::npos);
  chmod(path.c_str(), 0600);
  EXPECT_EQ(root.secret_file("password_file").reveal(), "hunter2");
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace headwater::config
