#pragma once

#include <string>

#include "schemas/model/entry.hpp"

namespace headwater::fuzz {

/// One table for every object, with a hundred names: numbers above that are hostile.
class Names final : public NameTables {
 public:
  static constexpr int kCount = 100;
  Names() {
    for (int i = 0; i < kCount; ++i) table_.intern("field_" + std::to_string(i));
  }
  NameTable& names(std::string_view, std::string_view) override { return table_; }
  NameTable& table() { return table_; }

 private:
  NameTable table_;
};

}  // namespace headwater::fuzz
