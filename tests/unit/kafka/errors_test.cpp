#include "connectors/kafka/errors.hpp"

#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>

namespace headwater::kafka {
namespace {

TEST(KafkaErrors, WhatAPersonMustMendIsBlocked) {
  for (const int code : {RD_KAFKA_RESP_ERR__AUTHENTICATION,
                         RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED,
                         RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
                         RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED,
                         RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED}) {
    EXPECT_EQ(classify(code), ErrorKind::Blocked) << code;
  }
}

TEST(KafkaErrors, AMessageThatNoBrokerTakesIsRejected) {
  EXPECT_EQ(classify(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE), ErrorKind::Rejected);
  EXPECT_EQ(classify(RD_KAFKA_RESP_ERR_INVALID_RECORD), ErrorKind::Rejected);
}

TEST(KafkaErrors, AFencedProducerIsFatal) {
  EXPECT_EQ(classify(RD_KAFKA_RESP_ERR__FENCED), ErrorKind::Fatal);
  EXPECT_EQ(classify(RD_KAFKA_RESP_ERR_PRODUCER_FENCED), ErrorKind::Fatal);
}

TEST(KafkaErrors, AllElseIsTransient) {
  for (const int code : {RD_KAFKA_RESP_ERR__TIMED_OUT,
                         RD_KAFKA_RESP_ERR__TRANSPORT,
                         RD_KAFKA_RESP_ERR__GAPLESS_GUARANTEE,
                         RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER,
                         RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
                         RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
                         RD_KAFKA_RESP_ERR__FATAL}) {
    EXPECT_EQ(classify(code), ErrorKind::Transient) << code;
  }
}

TEST(KafkaErrors, TheSentenceNamesTheActTheAnswerAndTheRemedy) {
  const Error error = error_of(RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, "list topics");
  EXPECT_EQ(
      error.message,
      "kafka: list topics: Broker: Cluster authorization failed (CLUSTER_AUTHORIZATION_FAILED); "
      "grant IdempotentWrite on the cluster");
  EXPECT_EQ(error.code, "CLUSTER_AUTHORIZATION_FAILED");
}

TEST(KafkaErrors, ACodeOfANewerBrokerIsUnknownAndPasses) {
  const auto error = error_of(2'058, "produce");
  EXPECT_EQ(error.kind, ErrorKind::Transient);
  EXPECT_EQ(error.code, "UNKNOWN");
}

}  // namespace
}  // namespace headwater::kafka
