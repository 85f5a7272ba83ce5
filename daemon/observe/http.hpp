#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "schemas/core/result.hpp"
#include "schemas/core/time.hpp"

namespace headwater::observe {

struct HttpAnswer {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
};

struct HttpLimits {
  /// Open at once. One more takes the place of whoever has been silent for longest.
  std::size_t connections_max = 256;
  /// For a request to come whole, and for an answer to be taken.
  Millis timeout{5'000};
};

/// Read-only HTTP for operators and probes: a fixed set of GET paths. One thread listens to all
/// connections, so one that says nothing costs a descriptor and keeps nobody waiting; two others
/// run the handlers, which must be thread-safe.
class HttpServer {
 public:
  using Routes = std::map<std::string, std::function<HttpAnswer()>, std::less<>>;
  /// `listen`: `127.0.0.1:9464` or `[::1]:9464`; port 0 takes a free one. Blocked if it cannot be
  /// bound.
  static Result<std::unique_ptr<HttpServer>> start(const std::string& listen,
                                                   Routes routes,
                                                   HttpLimits limits = {});
  ~HttpServer();
  const std::string& address() const;  ///< with the real port

 private:
  struct Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace headwater::observe
