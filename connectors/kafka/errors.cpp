#include "connectors/kafka/errors.hpp"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

namespace headwater::kafka {
namespace {

std::string_view remedy(int code) {
  switch (code) {
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM:
    case RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE:
      return "; check user, password and mechanism in sinks.kafka.properties";
    case RD_KAFKA_RESP_ERR__SSL:
      return "; check the certificates in sinks.kafka.properties (ssl.*)";
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
      return "; grant Describe, Read and Write on the topics of our prefix";
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
      return "; grant Describe and Write on the transactional id";
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
      return "; grant IdempotentWrite on the cluster";
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
      return "; the broker's policy refuses it: create the topic by hand";
    default:
      return "";
  }
}

}  // namespace

ErrorKind classify(int code) {
  switch (code) {
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR__SSL:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM:
    case RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_SECURITY_DISABLED:
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION:
    case RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE:
      return ErrorKind::Blocked;

    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR_INVALID_MSG:
      return ErrorKind::Rejected;

    case RD_KAFKA_RESP_ERR__FENCED:
    case RD_KAFKA_RESP_ERR_PRODUCER_FENCED:
      return ErrorKind::Fatal;

    default:
      return ErrorKind::Transient;
  }
}

Error error_of(int code, std::string_view doing, std::string_view detail) {
  // A newer broker may send a code that this enum cannot hold.
  const bool known = code > RD_KAFKA_RESP_ERR__BEGIN && code < RD_KAFKA_RESP_ERR_END_ALL;
  const auto err = known ? static_cast<rd_kafka_resp_err_t>(code) : RD_KAFKA_RESP_ERR_UNKNOWN;
  const char* name = rd_kafka_err2name(err);
  if (detail.empty()) detail = rd_kafka_err2str(err);
  return {
      classify(code), fmt::format("kafka: {}: {} ({}){}", doing, detail, name, remedy(code)), name};
}

}  // namespace headwater::kafka
