// headwater-kafka-admin: what an operator does to topics behind the daemon's back, for tests. One
// verb per run; exit code 1 and a sentence if the broker refuses.
#include <librdkafka/rdkafka.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

namespace {

constexpr int kTimeoutMs = 20'000;
constexpr std::size_t kReasonMax = 512;

struct Free {
  void operator()(rd_kafka_t* client) const { rd_kafka_destroy(client); }
  void operator()(rd_kafka_queue_t* queue) const { rd_kafka_queue_destroy(queue); }
  void operator()(rd_kafka_event_t* event) const { rd_kafka_event_destroy(event); }
  void operator()(rd_kafka_AdminOptions_t* options) const {
    rd_kafka_AdminOptions_destroy(options);
  }
  void operator()(rd_kafka_DeleteTopic_t* topic) const { rd_kafka_DeleteTopic_destroy(topic); }
  void operator()(rd_kafka_NewPartitions_t* more) const { rd_kafka_NewPartitions_destroy(more); }
  void operator()(rd_kafka_ConfigResource_t* config) const {
    rd_kafka_ConfigResource_destroy(config);
  }
  void operator()(rd_kafka_DeleteRecords_t* records) const {
    rd_kafka_DeleteRecords_destroy(records);
  }
  void operator()(rd_kafka_AclBinding_t* acl) const { rd_kafka_AclBinding_destroy(acl); }
  void operator()(const rd_kafka_metadata_t* metadata) const {
    rd_kafka_metadata_destroy(metadata);
  }
};
template <typename T>
using Owned = std::unique_ptr<T, Free>;

/// One client and the queue that answers come on.
class Admin {
 public:
  explicit Admin(const std::string& brokers) {
    char why[kReasonMax] = "";
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", brokers.c_str(), why, sizeof why);
    client_.reset(rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why));
    if (!client_) fail(why);
    queue_.reset(rd_kafka_queue_new(client_.get()));
  }

  std::vector<std::string> topics(const std::string& prefix) {
    const rd_kafka_metadata_t* raw = nullptr;
    const auto error = rd_kafka_metadata(client_.get(), 1, nullptr, &raw, kTimeoutMs);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) fail(rd_kafka_err2str(error));
    const Owned<const rd_kafka_metadata_t> metadata(raw);
    std::vector<std::string> out;
    for (int i = 0; i < metadata->topic_cnt; ++i) {
      const std::string name = metadata->topics[i].topic;
      if (name.starts_with(prefix)) out.push_back(name);
    }
    return out;
  }

  void remove(const std::string& topic) {
    const Owned<rd_kafka_DeleteTopic_t> doomed(rd_kafka_DeleteTopic_new(topic.c_str()));
    rd_kafka_DeleteTopic_t* list[] = {doomed.get()};
    const auto done = options(RD_KAFKA_ADMIN_OP_DELETETOPICS);
    rd_kafka_DeleteTopics(client_.get(), list, 1, done.get(), queue_.get());
    const auto answer = wait(topic);
    std::size_t count = 0;
    const auto* results = rd_kafka_DeleteTopics_result_topics(
        rd_kafka_event_DeleteTopics_result(answer.get()), &count);
    check(topic, results, count);
  }

  void grow(const std::string& topic, std::size_t partitions) {
    char why[kReasonMax] = "";
    const Owned<rd_kafka_NewPartitions_t> more(
        rd_kafka_NewPartitions_new(topic.c_str(), partitions, why, sizeof why));
    if (!more) fail(why);
    rd_kafka_NewPartitions_t* list[] = {more.get()};
    const auto done = options(RD_KAFKA_ADMIN_OP_CREATEPARTITIONS);
    rd_kafka_CreatePartitions(client_.get(), list, 1, done.get(), queue_.get());
    const auto answer = wait(topic);
    std::size_t count = 0;
    const auto* results = rd_kafka_CreatePartitions_result_topics(
        rd_kafka_event_CreatePartitions_result(answer.get()), &count);
    check(topic, results, count);
  }

  /// Replaces all settings of the topic by these.
  void configure(const std::string& topic, const std::vector<std::string>& settings) {
    const Owned<rd_kafka_ConfigResource_t> config(
        rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str()));
    for (const auto& setting : settings) {
      const auto equals = setting.find('=');
      if (equals == std::string::npos) fail("a setting is NAME=VALUE: " + setting);
      rd_kafka_ConfigResource_set_config(
          config.get(), setting.substr(0, equals).c_str(), setting.substr(equals + 1).c_str());
    }
    rd_kafka_ConfigResource_t* list[] = {config.get()};
    const auto done = options(RD_KAFKA_ADMIN_OP_ALTERCONFIGS);
    rd_kafka_AlterConfigs(client_.get(), list, 1, done.get(), queue_.get());
    const auto answer = wait(topic);
    std::size_t count = 0;
    const auto* results = rd_kafka_AlterConfigs_result_resources(
        rd_kafka_event_AlterConfigs_result(answer.get()), &count);
    for (std::size_t i = 0; i < count; ++i) {
      if (rd_kafka_ConfigResource_error(results[i]) != RD_KAFKA_RESP_ERR_NO_ERROR)
        fail(topic + ": " + rd_kafka_ConfigResource_error_string(results[i]));
    }
  }

  /// Everything that the partition holds now goes.
  void truncate(const std::string& topic, int partition) {
    rd_kafka_topic_partition_list_t* list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic.c_str(), partition)->offset = RD_KAFKA_OFFSET_END;
    Owned<rd_kafka_DeleteRecords_t> records(rd_kafka_DeleteRecords_new(list));
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_DeleteRecords_t* lists[] = {records.get()};
    const auto done = options(RD_KAFKA_ADMIN_OP_DELETERECORDS);
    rd_kafka_DeleteRecords(client_.get(), lists, 1, done.get(), queue_.get());
    const auto answer = wait(topic);
    const auto* offsets =
        rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(answer.get()));
    for (int i = 0; i < offsets->cnt; ++i) {
      if (offsets->elems[i].err != RD_KAFKA_RESP_ERR_NO_ERROR)
        fail(topic + ": " + rd_kafka_err2str(offsets->elems[i].err));
    }
  }

  /// Nobody may write to the topic any more. Needs a broker with an authorizer.
  void deny(const std::string& topic) {
    const auto rule = rule_for(topic, rd_kafka_AclBinding_new);
    rd_kafka_AclBinding_t* list[] = {rule.get()};
    const auto done = options(RD_KAFKA_ADMIN_OP_CREATEACLS);
    rd_kafka_CreateAcls(client_.get(), list, 1, done.get(), queue_.get());
    const auto answer = wait(topic);
    std::size_t count = 0;
    const auto* results =
        rd_kafka_CreateAcls_result_acls(rd_kafka_event_CreateAcls_result(answer.get()), &count);
    for (std::size_t i = 0; i < count; ++i) check(topic, rd_kafka_acl_result_error(results[i]));
  }
  /// Takes that back.
  void allow(const std::string& topic) {
    const auto rule = rule_for(topic, rd_kafka_AclBindingFilter_new);
    rd_kafka_AclBindingFilter_t* list[] = {rule.get()};
    const auto done = options(RD_KAFKA_ADMIN_OP_DELETEACLS);
    rd_kafka_DeleteAcls(client_.get(), list, 1, done.get(), queue_.get());
    const auto answer = wait(topic);
    std::size_t count = 0;
    const auto* results = rd_kafka_DeleteAcls_result_responses(
        rd_kafka_event_DeleteAcls_result(answer.get()), &count);
    for (std::size_t i = 0; i < count; ++i)
      check(topic, rd_kafka_DeleteAcls_result_response_error(results[i]));
  }

  [[noreturn]] static void fail(const std::string& what) {
    std::fprintf(stderr, "headwater-kafka-admin: %s\n", what.c_str());
    std::exit(1);
  }

 private:
  Owned<rd_kafka_AdminOptions_t> options(rd_kafka_admin_op_t what) {
    Owned<rd_kafka_AdminOptions_t> out(rd_kafka_AdminOptions_new(client_.get(), what));
    char why[kReasonMax] = "";
    rd_kafka_AdminOptions_set_request_timeout(out.get(), kTimeoutMs, why, sizeof why);
    return out;
  }
  template <typename Make>
  static Owned<rd_kafka_AclBinding_t> rule_for(const std::string& topic, Make make) {
    char why[kReasonMax] = "";
    Owned<rd_kafka_AclBinding_t> rule(make(RD_KAFKA_RESOURCE_TOPIC,
                                           topic.c_str(),
                                           RD_KAFKA_RESOURCE_PATTERN_LITERAL,
                                           "User:*",
                                           "*",
                                           RD_KAFKA_ACL_OPERATION_WRITE,
                                           RD_KAFKA_ACL_PERMISSION_TYPE_DENY,
                                           why,
                                           sizeof why));
    if (!rule) fail(why);
    return rule;
  }
  Owned<rd_kafka_event_t> wait(const std::string& topic) {
    Owned<rd_kafka_event_t> answer(rd_kafka_queue_poll(queue_.get(), kTimeoutMs));
    if (!answer) fail(topic + ": no answer");
    if (rd_kafka_event_error(answer.get()) != RD_KAFKA_RESP_ERR_NO_ERROR)
      fail(topic + ": " + rd_kafka_event_error_string(answer.get()));
    return answer;
  }
  static void check(const std::string& topic, const rd_kafka_error_t* error) {
    if (error != nullptr) fail(topic + ": " + rd_kafka_error_string(error));
  }
  static void check(const std::string& topic,
                    const rd_kafka_topic_result_t* const* results,
                    std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      const auto error = rd_kafka_topic_result_error(results[i]);
      if (error != RD_KAFKA_RESP_ERR_NO_ERROR) fail(topic + ": " + rd_kafka_err2str(error));
    }
  }

  Owned<rd_kafka_t> client_;
  Owned<rd_kafka_queue_t> queue_;
};

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Topics of a Kafka cluster: list, delete, grow, configure, truncate, deny, allow"};
  std::string brokers, topic, prefix;
  std::size_t partitions = 0;
  int partition = 0;
  std::vector<std::string> settings;
  app.add_option("--brokers", brokers)->required();
  app.require_subcommand(1);
  auto* list = app.add_subcommand("list", "names every topic whose name begins so");
  list->add_option("prefix", prefix)->required();
  auto* remove = app.add_subcommand("delete", "deletes every topic whose name begins so");
  remove->add_option("prefix", prefix)->required();
  auto* grow = app.add_subcommand("grow", "gives a topic so many partitions");
  grow->add_option("topic", topic)->required();
  grow->add_option("partitions", partitions)->required();
  auto* configure = app.add_subcommand("configure", "sets a topic's settings, and no others");
  configure->add_option("topic", topic)->required();
  configure->add_option("settings", settings, "NAME=VALUE");
  auto* truncate = app.add_subcommand("truncate", "deletes what a partition holds");
  truncate->add_option("topic", topic)->required();
  truncate->add_option("partition", partition)->required();
  auto* deny = app.add_subcommand("deny", "lets nobody write to a topic");
  deny->add_option("topic", topic)->required();
  auto* allow = app.add_subcommand("allow", "takes that back");
  allow->add_option("topic", topic)->required();
  CLI11_PARSE(app, argc, argv);

  Admin admin(brokers);
  if (*list) {
    for (const auto& name : admin.topics(prefix)) std::puts(name.c_str());
  }
  if (*remove) {
    for (const auto& name : admin.topics(prefix)) admin.remove(name);
  }
  if (*grow) admin.grow(topic, partitions);
  if (*configure) admin.configure(topic, settings);
  if (*truncate) admin.truncate(topic, partition);
  if (*deny) admin.deny(topic);
  if (*allow) admin.allow(topic);
  return 0;
}
