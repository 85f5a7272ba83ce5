#include "connectors/salesforce/http.hpp"

#include <fmt/format.h>
#include <httplib.h>
#include <openssl/crypto.h>

#include <algorithm>
#include <chrono>

namespace headwater::salesforce {
namespace {

using SteadyClock = std::chrono::steady_clock;

/// Splits `https://host:8443/prefix` after the authority.
std::pair<std::string, std::string> split_base(const std::string& url) {
  const auto scheme = url.find("://");
  const auto path = scheme == url.npos ? url.npos : url.find('/', scheme + 3);
  if (path == url.npos) return {url, ""};
  return {url.substr(0, path), url.substr(path)};
}

std::string lower(std::string text) {
  for (auto& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

Error failed(const std::string& doing, httplib::Error error, const HttpOptions& options) {
  switch (error) {
    case httplib::Error::SSLServerVerification:
      return blocked(
          fmt::format("{}: its certificate is not trusted; name its CA in ca_file", doing),
          "CERTIFICATE");
    case httplib::Error::SSLLoadingCerts:
      return blocked(fmt::format("{}: cannot read CA certificates from {}; check ca_file",
                                 doing,
                                 options.ca_file.empty() ? "the system" : options.ca_file),
                     "CERTIFICATE");
    case httplib::Error::Connection:
      return transient(
          fmt::format("{}: no connection to the host; check its name, port and the way there if it "
                      "lasts; trying again",
                      doing));
    case httplib::Error::Read:
      return transient(
          fmt::format("{}: the connection ended before the answer; trying again", doing));
    default:
      return transient(fmt::format("{}: {}; trying again", doing, httplib::to_string(error)));
  }
}

}  // namespace

struct HttpClient::Impl {
  Impl(const std::string& url, HttpOptions opts)
      : options(std::move(opts)), prefix(split_base(url).second), client(split_base(url).first) {
    client.set_keep_alive(true);
    client.set_tcp_nodelay(true);
    client.set_follow_location(false);
    const auto connect = std::min<Millis>(options.timeout, std::chrono::seconds{10});
    client.set_connection_timeout(connect);
    client.set_read_timeout(options.timeout);
    client.set_write_timeout(options.timeout);
    client.enable_server_certificate_verification(true);
    if (!options.ca_file.empty()) client.set_ca_cert_path(options.ca_file.c_str());
  }

  HttpOptions options;
  std::string prefix;
  httplib::Client client;
};

HttpClient::HttpClient(std::string base_url, HttpOptions options)
    : base_url_(std::move(base_url)),
      impl_(std::make_unique<Impl>(base_url_, std::move(options))) {}
HttpClient::~HttpClient() = default;
HttpClient::HttpClient(HttpClient&&) noexcept = default;
HttpClient& HttpClient::operator=(HttpClient&&) noexcept = default;

Result<HttpReply> HttpClient::send(const HttpRequest& request) {
  const auto& options = impl_->options;
  const auto doing = fmt::format(
      "{} {}{}", request.method, base_url_, request.path.substr(0, request.path.find('?')));
  if (!impl_->client.is_valid())
    return blocked(fmt::format("{}: not a usable URL, or a CA file that cannot be read", doing));

  httplib::Request out;
  out.method = request.method;
  out.path = impl_->prefix + request.path;
  out.body = request.body;
  for (const auto& [name, value] : request.headers) out.set_header(name.c_str(), value);
  if (!request.content_type.empty()) out.set_header("Content-Type", request.content_type);

  const auto timeout = request.timeout > Millis{0} && request.timeout < options.timeout
                           ? request.timeout
                           : options.timeout;
  impl_->client.set_read_timeout(timeout);
  // The library's read timeout starts again with every byte; a deadline over the whole body does
  // not.
  const auto deadline = SteadyClock::now() + timeout;
  bool too_large = false, refused = false;
  HttpReply reply;
  out.response_handler = [&](const httplib::Response& head) {
    reply.status = head.status;
    return true;
  };
  out.content_receiver = [&](const char* data, std::size_t size, std::uint64_t, std::uint64_t) {
    if (request.stop.stop_requested() || SteadyClock::now() > deadline) return false;
    if (request.on_body && reply.status == 200) return !(refused = !request.on_body({data, size}));
    too_large = reply.body.size() + size > options.body_bytes_max;
    if (too_large) return false;
    reply.body.append(data, size);
    return true;
  };

  httplib::Response in;
  auto error = httplib::Error::Success;
  bool answered = false;
  {
    const std::stop_callback stopper(request.stop, [this] { impl_->client.stop(); });
    answered = !request.stop.stop_requested() && impl_->client.send(out, in, error);
  }
  OPENSSL_cleanse(out.body.data(), out.body.size());  // a login's holds secrets
  if (!answered) {
    if (request.stop.stop_requested())
      return transient(fmt::format("{}: stopped", doing), std::string(kStopped));
    if (too_large)
      return transient(
          fmt::format("{}: the answer is larger than {} bytes", doing, options.body_bytes_max),
          std::string(kBodyTooLarge));
    if (refused) return transient(fmt::format("{}: the answer was not read to its end", doing));
    if (error == httplib::Error::Canceled)
      return transient(
          fmt::format("{}: no complete answer within {} ms; trying again", doing, timeout.count()));
    return failed(doing, error, options);
  }
  reply.status = in.status;
  for (const auto& [name, value] : in.headers) reply.headers[lower(name)] = value;
  return reply;
}

std::string percent_encoded(std::string_view text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.' || c == '~';
    if (plain) {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += '%';
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  return out;
}

}  // namespace headwater::salesforce
