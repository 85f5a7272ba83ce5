#include "connectors/kafka/topics.hpp"

#include <gtest/gtest.h>

namespace headwater::kafka {
namespace {

const Topics kTopics("crm.", 6, 0);

TEST(KafkaTopics, AnEntityHasAChangesAndARecordsTopic) {
  EXPECT_EQ(kTopics.changes("contact").name, "crm.changes.contact");
  EXPECT_EQ(kTopics.records("contact").name, "crm.records.contact");
}

TEST(KafkaTopics, ACustomObjectKeepsItsApiName) {
  EXPECT_EQ(kTopics.changes("custom:Invoice__c").name, "crm.changes.custom.Invoice__c");
  EXPECT_EQ(kTopics.records("custom:ns__X__c").name, "crm.records.custom.ns__X__c");
}

TEST(KafkaTopics, APlatformEventHasATopicThatKeepsHistory) {
  const auto topic = kTopics.events("Order_Event__e");
  EXPECT_EQ(topic.name, "crm.events.Order_Event__e");
  EXPECT_EQ(topic.partitions, 6);
  EXPECT_EQ(topic.settings, kTopics.changes("contact").settings);
}

TEST(KafkaTopics, CursorsHaveOnePartition) { EXPECT_EQ(kTopics.cursors().partitions, 1); }

TEST(KafkaTopics, NamesThatDifferInDotsAndUnderscoresOnlyClash) {
  EXPECT_TRUE(kTopics.clashes({"contact", "custom:Invoice__c", "invoice__c"}).empty());
  const auto told = kTopics.clashes({"contact", "custom:Invoice__c", "custom_Invoice__c"});
  ASSERT_EQ(told.size(), 1U);
  EXPECT_NE(told[0].find("custom:Invoice__c (crm.changes.custom.Invoice__c) and custom_Invoice__c "
                         "(crm.changes.custom_Invoice__c)"),
            std::string::npos)
      << told[0];
}

TEST(KafkaTopics, ATopicThatIsOnlySlowToComeIsNoPersonsBusiness) {
  const Error slow = missing_topic(kTopics.cursors(), "b:9092", {.answered = false});
  EXPECT_EQ(slow.kind, ErrorKind::Transient) << "tried again at once, not after a minute";
  const Error refused = missing_topic(kTopics.cursors(), "b:9092", {});
  EXPECT_EQ(refused.kind, ErrorKind::Blocked);
  for (const Error& error : {slow, refused})
    EXPECT_NE(error.message.find(create_command(kTopics.cursors(), "b:9092")), std::string::npos);
}

TEST(KafkaTopics, OneThatExistsAndIsNotShownNeedsAPrivilege) {
  const TopicSpec topic = kTopics.changes("contact");
  const Error error = missing_topic(topic, "b:9092", {.existing = {topic.name}});
  EXPECT_EQ(error.kind, ErrorKind::Blocked);
  EXPECT_NE(error.message.find("grant Describe, Read and Write"), std::string::npos);
  EXPECT_EQ(error.message.find("--create"), std::string::npos) << "that would be refused";
  const Error either = missing_topic(topic, "b:9092", {.forbidden = {topic.name}});
  EXPECT_NE(either.message.find("grant Describe, Read and Write"), std::string::npos);
  EXPECT_NE(either.message.find("--create"), std::string::npos) << "nobody knows which it is";
}

TEST(KafkaTopics, TheCommandCreatesTheTopicAsWeWould) {
  EXPECT_EQ(create_command(kTopics.changes("contact"), "b:9092"),
            "kafka-topics.sh --bootstrap-server b:9092 --create --topic crm.changes.contact "
            "--partitions 6"
            " --config cleanup.policy=delete --config retention.ms=604800000");
  EXPECT_EQ(
      create_command(Topics("x.", 3, 2).records("lead"), "b:9092"),
      "kafka-topics.sh --bootstrap-server b:9092 --create --topic x.records.lead --partitions 3"
      " --replication-factor 2 --config cleanup.policy=compact --config "
      "delete.retention.ms=345600000");
}

}  // namespace
}  // namespace headwater::kafka
