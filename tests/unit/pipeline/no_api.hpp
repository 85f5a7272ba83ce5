#pragma once

#include "connectors/salesforce/org_api.hpp"

namespace headwater::test {

/// An org that nobody is to ask. What a test does ask it overrides.
class NoApi : public salesforce::OrgApi {
 public:
  Result<std::string> org_id() override { return rejected("not asked"); }
  Result<std::vector<salesforce::ObjectInfo>> describe_global() override {
    return rejected("not asked");
  }
  Result<std::vector<salesforce::RecordTypeInfo>> record_types() override {
    return rejected("not asked");
  }
  Result<salesforce::ObjectDescription> describe(std::string_view) override {
    return rejected("not asked");
  }
  Result<std::vector<std::string>> channel_members(std::string_view) override {
    return rejected("not asked");
  }
  Result<std::vector<salesforce::FetchedRecord>> fetch(std::string_view,
                                                       std::span<const RecordId>,
                                                       std::span<const std::string>) override {
    return rejected("not asked");
  }
};

}  // namespace headwater::test
