#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/mapping_file.hpp"
#include "schemas/crm/projector.hpp"
#include "schemas/model/render.hpp"

namespace headwater::crm {

/// The mapping of the built-in file with `text` on top. Fails the test if there are problems.
inline std::shared_ptr<const Mapping> mapping_of(const std::string& text = {}) {
  config::Problems problems;
  std::vector<config::MappingText> files;
  if (!text.empty()) files.push_back({"mapping.yaml", "version: 1\nmapping_rev: 7\n" + text});
  auto mapping = config::parse_mapping(files, problems);
  EXPECT_EQ(problems.str(), "");
  return mapping;
}

inline ValueView text(std::string_view value) { return ValueView::of_text(value); }
inline ValueView ref(std::string_view value) { return ValueView::of_text(value, Tag::Ref); }
inline ValueView at_ms(std::int64_t ms) { return ValueView::of_number(ms, Tag::DateTime); }
inline ValueView on_day(std::int64_t day) { return ValueView::of_number(day, Tag::Date); }

/// One object's records, projected one at a time.
class Bench {
 public:
  Bench(std::shared_ptr<const Mapping> mapping,
        std::string_view object,
        OrgFacts org = default_org())
      : projector_(std::move(mapping), std::make_shared<OrgFacts>(std::move(org)), object, names_) {
  }

  static OrgFacts default_org() { return {"emea", "EUR", "DE", {{"a0B", "Invoice__c"}}}; }

  Bench& set(std::string_view path, ValueView value) {
    const NameId id = names_.intern(path);
    if (raw_.size() <= id) raw_.resize(id + 1, ValueView{Tag::Absent, 0, 0, {}});
    raw_[id] = value;
    return *this;
  }
  Bench& clear() {
    raw_.clear();
    return *this;
  }
  const Projection& project() {
    projector_.project(raw_, facts, out_);
    return out_;
  }
  /// One section as JSON.
  std::string json(Section section) {
    project();
    std::string out;
    append_section_json(out, out_.image(names_), section);
    return out;
  }
  /// A canonical field's JSON.
  std::string field(std::string_view name) {
    project();
    std::string out;
    const ValueView* value = out_.image(names_).find(Section::Fields, name);
    if (value == nullptr) return "(no such field)";
    append_json_value(out, *value);
    return out;
  }

  NameTable names_;
  Projector projector_;
  RawSlots raw_;
  Projection out_;
  StateFacts facts{"0035f00000ABCDeAAP", 1'772'366'400'000, 0};
};

}  // namespace headwater::crm
