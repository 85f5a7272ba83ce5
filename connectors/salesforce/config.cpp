#include "connectors/salesforce/config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "schemas/core/ids.hpp"
#include "schemas/model/topic.hpp"

namespace headwater::salesforce {
namespace {

/// `https://user.example:8443/path` and `user.example:8443` -> `user.example`; `[::1]:7443` ->
/// `::1`.
std::string_view host_of(std::string_view text) {
  if (const auto scheme = text.find("://"); scheme != text.npos) text.remove_prefix(scheme + 3);
  text = text.substr(0, text.find('/'));
  if (text.starts_with('[')) return text.substr(1, text.find(']') - 1);
  return text.substr(0, text.rfind(':'));
}

/// 127.0.0.0/8 as digits: `127.0.0.1.example.com` is somebody's name.
bool is_loopback_ipv4(std::string_view host) {
  return host.starts_with("127.") && host.find_first_not_of("0123456789.") == host.npos;
}

bool is_api_name(std::string_view text) {
  const auto part = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  return !text.empty() && text.size() <= 80 && std::all_of(text.begin(), text.end(), part) &&
         !(text[0] >= '0' && text[0] <= '9');
}

bool is_upper(std::string_view text, std::size_t size) {
  return text.size() == size &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

bool has_port(std::string_view endpoint) {
  const auto colon = endpoint.rfind(':');
  if (colon == endpoint.npos || colon == 0) return false;
  const auto digits = endpoint.substr(colon + 1);
  int port = 0;
  const auto end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, port);
  return error == std::errc{} && stop == end && port > 0 && port < 65536;
}

/// The path under `key`, once the file was found readable and private: problems show at start, the
/// text is read again at every login.
std::string secret_path(config::Node& node, std::string_view key) {
  const Secret checked = node.secret_file(key);
  return node.has(key) ? node.path_of(key) : std::string{};
}

/// Reports a key that the chosen flow cannot do without.
void need(config::Node& node, std::string_view key, std::string_view flow) {
  if (!node.has(key)) node.problem(key, fmt::format("is required for flow {}", flow));
}

AuthConfig parse_auth(config::Node& node, std::string_view login_url) {
  AuthConfig auth;
  const auto flow =
      node.one_of("flow", "jwt_bearer", {"jwt_bearer", "client_credentials", "refresh_token"});
  auth.client_id = node.text("client_id");
  auth.client_secret_file = secret_path(node, "client_secret_file");
  auth.username = node.text("username", "");
  auth.private_key_file = secret_path(node, "private_key_file");
  auth.refresh_token_file = secret_path(node, "refresh_token_file");
  auth.audience = node.text("audience", default_audience(login_url));
  auth.refresh_every = node.duration("refresh_every", auth.refresh_every);
  if (auth.refresh_every <= Millis::zero()) node.problem("refresh_every", "must be above zero");
  if (flow == "client_credentials") {
    auth.flow = AuthConfig::Flow::ClientCredentials;
    need(node, "client_secret_file", flow);
    const auto host = host_of(login_url);
    if (host == "login.salesforce.com" || host == "test.salesforce.com")
      node.problem(
          "flow",
          fmt::format("client_credentials works at a My Domain host only, but login_url is "
                      "{}: use https://<mydomain>.my.salesforce.com",
                      login_url));
  } else if (flow == "refresh_token") {
    auth.flow = AuthConfig::Flow::RefreshToken;
    need(node, "refresh_token_file", flow);
  } else {
    need(node, "username", flow);
    need(node, "private_key_file", flow);
  }
  return auth;
}

PubSubConfig parse_pubsub(config::Node& node) {
  PubSubConfig pubsub;
  pubsub.endpoint = node.text("endpoint", pubsub.endpoint);
  if (!has_port(pubsub.endpoint))
    node.problem("endpoint", fmt::format("must be host:port, got {}", pubsub.endpoint));
  pubsub.tls = node.boolean("tls", pubsub.tls);
  pubsub.ca_file = node.text("ca_file", "");
  pubsub.insecure = node.boolean("insecure", pubsub.insecure);
  pubsub.silence_max = node.duration("silence_max", pubsub.silence_max);
  if (pubsub.silence_max <= Millis::zero()) node.problem("silence_max", "must be above zero");
  pubsub.channel_settle = node.duration("channel_settle", pubsub.channel_settle);
  if (!pubsub.tls && !pubsub.insecure && !is_loopback(pubsub.endpoint))
    node.problem("tls",
                 fmt::format("false would send the access token in the clear to {}: switch TLS on, "
                             "or say insecure: true",
                             pubsub.endpoint));
  return pubsub;
}

StreamConfig parse_stream(config::Node& node) {
  StreamConfig stream;
  stream.topic = node.text("topic");
  // `/event/ChangeEvents` is a slip: Salesforce has change events under /data/ alone.
  const bool platform = is_platform_topic(stream.topic) && !stream.topic.ends_with("ChangeEvent") &&
                        !stream.topic.ends_with("ChangeEvents");
  if (!stream.topic.empty() && !stream.topic.starts_with("/data/") && !platform)
    node.problem("topic",
                 fmt::format("must be a change event topic such as /data/ChangeEvents, "
                             "/data/AccountChangeEvent or /data/<Channel>__chn, or a platform "
                             "event's such as /event/Order_Event__e, got {}",
                             stream.topic));
  const auto start = node.one_of("start", "earliest", {"snapshot", "earliest", "latest"});
  stream.snapshot = start == "snapshot";
  if (stream.snapshot && platform)
    node.problem("start", "platform events have no records to read in: earliest or latest");
  if (start == "latest" || stream.snapshot) stream.start = Start::Latest;
  return stream;
}

std::vector<StreamConfig> parse_streams(config::Node& node) {
  std::vector<StreamConfig> streams;
  std::set<std::string> topics;
  for (auto& item : node.items("streams")) {
    auto stream = parse_stream(item);
    if (!stream.topic.empty() && !topics.insert(stream.topic).second)
      item.problem("topic", fmt::format("{} is already subscribed to above", stream.topic));
    streams.push_back(std::move(stream));
  }
  if (streams.empty()) node.problem("streams", "at least one stream is required");
  return streams;
}

std::string parse_login_url(config::Node& node, OrgConfig& org) {
  auto url = node.text("login_url", org.login_url);
  while (url.ends_with('/')) url.pop_back();
  const bool plain = url.starts_with("http://");
  if (!plain && !url.starts_with("https://"))
    node.problem("login_url", fmt::format("must begin with https://, got {}", url));
  else if (plain && !org.insecure && !is_loopback(url))
    node.problem(
        "login_url",
        fmt::format("{} would send credentials in the clear: use https://, or say insecure: "
                    "true",
                    url));
  return url;
}

bool is_api_version(std::string_view text) {
  const auto dot = text.find('.');
  const auto digits = [](std::string_view part) {
    return !part.empty() &&
           std::all_of(part.begin(), part.end(), [](char c) { return c >= '0' && c <= '9'; });
  };
  return dot != text.npos && digits(text.substr(0, dot)) && digits(text.substr(dot + 1));
}

}  // namespace

bool is_loopback(std::string_view url_or_endpoint) {
  const auto host = host_of(url_or_endpoint);
  return host == "localhost" || host == "::1" || is_loopback_ipv4(host);
}

std::string default_audience(std::string_view login_url) {
  const auto host = host_of(login_url);
  const bool sandbox =
      host == "test.salesforce.com" || host.ends_with(".sandbox.my.salesforce.com");
  return sandbox ? "https://test.salesforce.com" : "https://login.salesforce.com";
}

OrgConfig OrgConfig::parse(config::Node& node) {
  OrgConfig org;
  org.name = node.text("name");
  if (!org.name.empty())
    if (auto name = OrgName::parse(org.name); !name) node.problem("name", name.error().message);
  org.org_id = node.text("org_id", "");
  if (!org.org_id.empty()) {
    const auto id = RecordId::parse(org.org_id);
    if (id && id->prefix() == "00D")
      org.org_id = id->str();
    else
      node.problem("org_id", fmt::format("must be an organization id (00D…), got {}", org.org_id));
  }
  org.insecure = node.boolean("insecure", false);
  org.login_url = parse_login_url(node, org);
  org.ca_file = node.text("ca_file", "");
  org.api_version = node.text("api_version", org.api_version);
  if (!is_api_version(org.api_version))
    node.problem("api_version", fmt::format("must look like 66.0, got {}", org.api_version));
  org.http_timeout = node.duration("http_timeout", org.http_timeout);
  if (org.http_timeout <= Millis::zero()) node.problem("http_timeout", "must be above zero");
  org.api_reserve_share =
      static_cast<double>(node.integer("api_reserve_percent", 20, 0, 95)) / 100.0;

  auto auth = node.child("auth");
  org.auth = parse_auth(auth, org.login_url);
  auto pubsub = node.child("pubsub");
  org.pubsub = parse_pubsub(pubsub);
  org.streams = parse_streams(node);
  auto snapshot = node.child("snapshot");
  org.snapshot_objects = snapshot.texts("objects");
  for (const auto& object : org.snapshot_objects)
    if (!is_api_name(object))
      snapshot.problem("objects", fmt::format("must be API names of objects, got {}", object));
  const bool reads_in = std::any_of(
      org.streams.begin(), org.streams.end(), [](const auto& stream) { return stream.snapshot; });
  if (reads_in && org.snapshot_objects.empty())
    snapshot.problem("objects", "must name the objects to read in: a stream has start: snapshot");

  org.region = node.text("region", "");
  if (!org.region.empty() && !is_upper(org.region, 2))
    node.problem("region",
                 fmt::format("must be two capital letters (ISO 3166), got {}", org.region));
  org.currency = node.text("currency", "");
  if (!org.currency.empty() && !is_upper(org.currency, 3))
    node.problem("currency",
                 fmt::format("must be three capital letters (ISO 4217), got {}", org.currency));
  return org;
}

}  // namespace headwater::salesforce
