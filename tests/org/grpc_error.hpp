#pragma once

#include <grpcpp/support/status.h>

#include <string>
#include <string_view>

namespace grpc {
class ServerContextBase;
}

namespace headwater::org {

/// A UUID for one answer.
std::string new_rpc_id();

/// A status as the Pub/Sub API gives it: trailers error-code (with the full prefix), rpc-id and
/// type, and a message that ends with the rpc id (salesforce.md 3.1). `code` is without the prefix.
grpc::Status pubsub_error(grpc::ServerContextBase& context,
                          std::string_view rpc,
                          grpc::StatusCode status,
                          std::string_view code,
                          std::string_view message);

}  // namespace headwater::org
