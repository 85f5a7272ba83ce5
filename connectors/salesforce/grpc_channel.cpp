#include "connectors/salesforce/grpc_channel.hpp"

#include <fmt/format.h>
#include <grpcpp/grpcpp.h>
#include <openssl/rand.h>

#include <array>
#include <fstream>
#include <iterator>

#include "connectors/salesforce/errors.hpp"

namespace headwater::salesforce {
namespace {

/// A response holds at most about 3 MB by the documentation, one event 1 MB; with 100 events
/// outstanding this leaves room for a server that packs more. gRPC's default is 4 MiB.
constexpr int kReceiveBytesMax = 32 << 20;

/// Longest wait between two attempts of a channel to connect: the ingest loop has a backoff of its
/// own.
constexpr int kReconnectMsMax = 5'000;
constexpr int kConnectMsMax = 10'000;

/// Where distributions keep the trusted roots, Debian's first.
constexpr std::array kSystemRoots = {
    "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"};

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

Result<std::string> root_certificates(const OrgConfig& config) {
  const auto& path = config.pubsub.ca_file.empty() ? config.ca_file : config.pubsub.ca_file;
  if (!path.empty()) {
    auto pem = read_file(path);
    if (pem.empty())
      return blocked(fmt::format("connect to {}: ca_file {} cannot be read or is empty; restore it",
                                 config.pubsub.endpoint,
                                 path));
    return pem;
  }
  for (const auto* system : kSystemRoots)
    if (auto pem = read_file(system); !pem.empty()) return pem;
  return std::string{};  // gRPC's own list
}

/// A random UUID (RFC 4122 version 4).
std::string trace_id() {
  std::array<unsigned char, 16> b{};
  RAND_bytes(b.data(), static_cast<int>(b.size()));
  b[6] = static_cast<unsigned char>((b[6] & 0x0f) | 0x40);
  b[8] = static_cast<unsigned char>((b[8] & 0x3f) | 0x80);
  std::string out;
  for (std::size_t i = 0; i < b.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) out += '-';
    out += fmt::format("{:02x}", b[i]);
  }
  return out;
}

std::string trailer(const grpc::ClientContext& context, const char* key) {
  const auto& trailers = context.GetServerTrailingMetadata();
  const auto found = trailers.find(key);
  return found == trailers.end() ? std::string{}
                                 : std::string(found->second.data(), found->second.size());
}

const char* status_name(grpc::StatusCode code) {
  static constexpr std::array kNames = {"OK",
                                        "CANCELLED",
                                        "UNKNOWN",
                                        "INVALID_ARGUMENT",
                                        "DEADLINE_EXCEEDED",
                                        "NOT_FOUND",
                                        "ALREADY_EXISTS",
                                        "PERMISSION_DENIED",
                                        "RESOURCE_EXHAUSTED",
                                        "FAILED_PRECONDITION",
                                        "ABORTED",
                                        "OUT_OF_RANGE",
                                        "UNIMPLEMENTED",
                                        "INTERNAL",
                                        "UNAVAILABLE",
                                        "DATA_LOSS",
                                        "UNAUTHENTICATED"};
  const auto at = static_cast<std::size_t>(code);
  return at < kNames.size() ? kNames[at] : "?";
}

/// True if the handshake failed over trust, which no repeat mends. gRPC has no code for it: these
/// are OpenSSL's and gRPC's words.
bool not_trusted(const grpc::Status& status) {
  if (status.error_code() != grpc::StatusCode::UNAVAILABLE) return false;
  const auto text = status.error_message();
  return text.find("certificate verify failed") != text.npos ||
         text.find("CERTIFICATE_VERIFY_FAILED") != text.npos ||
         text.find("Hostname Verification Check failed") != text.npos;
}

}  // namespace

Result<std::shared_ptr<grpc::Channel>> make_channel(const OrgConfig& config, int keepalive_ms) {
  std::shared_ptr<grpc::ChannelCredentials> credentials;
  if (config.pubsub.tls) {
    auto roots = root_certificates(config);
    if (!roots) return std::move(roots).error();
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = std::move(roots).value();
    credentials = grpc::SslCredentials(options);
  } else {
    credentials = grpc::InsecureChannelCredentials();
  }
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kReceiveBytesMax);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, keepalive_ms);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 0);
  // By default only two pings go out between data frames of ours, and a quiet subscription sends
  // none.
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kReconnectMsMax);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectMsMax);
  // Channels of equal arguments would otherwise share connections behind our back.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  if (is_loopback(config.pubsub.endpoint)) arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return grpc::CreateCustomChannel(config.pubsub.endpoint, credentials, arguments);
}

void add_metadata(grpc::ClientContext& context, const Token& token) {
  context.AddMetadata("accesstoken", token.access_token.reveal());
  context.AddMetadata("instanceurl", token.instance_url);
  context.AddMetadata("tenantid", token.org_id);
  context.AddMetadata("x-client-trace-id", trace_id());
}

CallEnd call_end(const std::string& doing,
                 const grpc::ClientContext& context,
                 const grpc::Status& status) {
  CallEnd end;
  end.status = status.error_code();
  if (not_trusted(status)) {
    end.error = blocked(
        fmt::format("{}: the server's certificate is not trusted: {}; name its CA in ca_file",
                    doing,
                    quoted(status.error_message())),
        "CERTIFICATE");
    return end;
  }
  const std::string code(without_prefix(trailer(context, "error-code")));
  const auto verdict = classify(code, status.error_code());
  const auto message = quoted(status.error_message());
  std::string rpc_id(trailer(context, "rpc-id"));  // what Salesforce's support asks for
  if (message.find(rpc_id) != std::string::npos) rpc_id.clear();  // told already, or none
  end.auth = verdict.recovery == Recovery::Reauthenticate;
  end.error = Error{verdict.kind,
                    fmt::format("{}: {}{}{}: {}{}{}; {}",
                                doing,
                                quoted(code, 100),
                                code.empty() ? "" : " ",
                                status_name(status.error_code()),
                                message,
                                rpc_id.empty() ? "" : " rpc-id ",
                                quoted(rpc_id, 60),
                                verdict.advice),
                    code};
  return end;
}

}  // namespace headwater::salesforce
