#pragma once

#include <string>
#include <string_view>

#include "schemas/core/result.hpp"

namespace headwater::kafka {

/// What a librdkafka error code (rd_kafka_resp_err_t) means for the sink. Pure.
///
/// Fatal only for a fenced producer; Rejected only for what the broker will never take, whoever
/// sends it; Blocked for what a person must mend. All else is Transient: reopen, read back, go on.
ErrorKind classify(int code);

/// `kafka: <doing>: <what came back> (<code's name>)`, and for Blocked what to do about it.
Error error_of(int code, std::string_view doing, std::string_view detail = {});

}  // namespace headwater::kafka
