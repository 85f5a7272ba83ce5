#pragma once

#include "tests/org/http.hpp"

namespace headwater::org {

class Org;

/// The control port: what a test or a person does to the org from outside. README.md lists the
/// calls.
class Control {
 public:
  explicit Control(Org& org) : org_(&org) {}
  HttpResponse handle(const HttpRequest& request) const;

 private:
  Org* org_;
};

}  // namespace headwater::org
