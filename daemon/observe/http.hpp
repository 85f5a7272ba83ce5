#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "schemas/core/result.hpp"

namespace headwater::observe {

struct HttpAnswer {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
};

/// Read-only HTTP for operators and probes: a fixed set of GET paths. Has threads of its own;
/// handlers must be thread-safe.
class HttpServer {
 public:
  using Routes = std::map<std::string, std::function<HttpAnswer()>>;
  /// `listen`: `127.0.0.1:9464` or `[::1]:9464`; port 0 takes a free one. Blocked if it cannot be
  /// bound.
  static Result<std::unique_ptr<HttpServer>> start(const std::string& listen, Routes routes);
  ~HttpServer();
  const std::string& address() const;  ///< with the real port

 private:
  struct Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace headwater::observe
