#include "tests/org/grpc_error.hpp"

#include <fmt/format.h>
#include <grpcpp/server_context.h>

#include <random>

namespace headwater::org {

std::string new_rpc_id() {
  thread_local std::mt19937_64 random{std::random_device{}()};
  const auto high = random();
  const auto low = random();
  return fmt::format("{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
                     high >> 32,
                     high >> 16 & 0xffff,
                     high & 0xfff,
                     low >> 52,
                     low & 0xffffffffffff);
}

grpc::Status pubsub_error(grpc::ServerContextBase& context,
                          std::string_view rpc,
                          grpc::StatusCode status,
                          std::string_view code,
                          std::string_view message) {
  const auto rpc_id = new_rpc_id();
  context.AddTrailingMetadata("error-code", fmt::format("sfdc.platform.eventbus.grpc.{}", code));
  context.AddTrailingMetadata("rpc-id", rpc_id);
  context.AddTrailingMetadata("type", std::string(rpc));
  return {status, fmt::format("{} rpcId: {}", message, rpc_id)};
}

}  // namespace headwater::org
