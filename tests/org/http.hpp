#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "schemas/core/result.hpp"

namespace headwater::org {

struct HttpRequest {
  std::string method, path, body;
  std::map<std::string, std::string> params;   ///< of the query, or of a form-encoded body
  std::map<std::string, std::string> headers;  ///< lower-case names

  std::string param(const std::string& name) const {
    const auto found = params.find(name);
    return found == params.end() ? std::string{} : found->second;
  }
  bool has(const std::string& name) const { return params.contains(name); }
  std::string header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? std::string{} : found->second;
  }
};

struct HttpResponse {
  int status = 200;
  std::string body;
  std::string content_type = "application/json;charset=UTF-8";
  std::map<std::string, std::string> headers = {};
};

/// A refusal as Salesforce's REST API words it.
HttpResponse rest_refusal(int status, std::string_view code, std::string_view message);
HttpResponse rest_refusal(const Error& error);

using HttpHandler = std::function<HttpResponse(const HttpRequest&)>;

/// An HTTP server on loopback. The handler is called on several threads at once.
class HttpServer {
 public:
  explicit HttpServer(HttpHandler handler);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// Listens; port 0 takes a free one. Gives the port. Transient: it is taken.
  Result<int> start(int port);
  void stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace headwater::org
