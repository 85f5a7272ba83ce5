#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tests/org/avro_encode.hpp"
#include "tests/org/schema.hpp"

namespace headwater::org {

/// An event as Apache Avro's C library reads it.
struct OracleEvent {
  EventHeader header;
  std::vector<Value> values;  ///< by leaf of the object
};

/// Decodes with the object's schema text. Adds a failure to the running test if the bytes do not
/// fit it exactly.
OracleEvent oracle_decode(const ObjectDef& object, std::string_view payload);

/// What a reader of the bus knows by events alone: live records of one org, by id.
class Replica {
 public:
  struct Row {
    const ObjectDef* object;
    std::vector<Value> values;
    bool deleted;
  };
  void apply(const ObjectDef& object, const OracleEvent& event);
  const std::map<std::string, Row>& rows() const { return rows_; }

 private:
  std::map<std::string, Row> rows_;
};

}  // namespace headwater::org
