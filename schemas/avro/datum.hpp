#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "schemas/avro/schema.hpp"
#include "schemas/avro/wire.hpp"

namespace headwater::avro {

// Walks over values of any type, driven by the schema: for the few fields that a plan has no
// operation for. Recursion is as deep as the schema, which is bounded.

/// Steps over one value and checks every byte of it.
void skip_datum(const Schema& schema, NodeId node, Input& in);

/// Writes values as canonical JSON: members sorted by the bytes of their names, numbers as RFC 8785
/// has them, enums as their symbol, bytes and fixed as text with one character per byte (as Avro's
/// own JSON encoding), a union as the value of its branch. Reused: keeps its memory. One thread.
class JsonRenderer {
 public:
  explicit JsonRenderer(const Schema& schema) : schema_(&schema) {}

  /// False, with `out` in any state, if it would grow beyond `bytes_max`. REQUIRES: `datum` was
  /// stepped over by skip_datum before.
  bool render(std::string_view datum, NodeId node, std::string& out, std::size_t bytes_max);

 private:
  struct Entry {
    std::string_view key;
    const char* value;
  };
  void write(Input& in, NodeId node);
  void write_record(Input& in, const Node& node);
  void write_array(Input& in, const Node& node);
  void write_map(Input& in, const Node& node);
  void write_text(std::string_view text);
  void write_bytes(std::string_view bytes);
  bool full() { return full_ = full_ || out_->size() > bytes_max_; }

  const Schema* schema_;
  std::string* out_ = nullptr;
  std::size_t bytes_max_ = 0;
  bool full_ = false;
  const char* end_ = nullptr;
  std::vector<const char*> starts_;  // stack: where the fields of the records being written begin
  std::vector<Entry> entries_;       // stack: the entries of the maps being written
};

}  // namespace headwater::avro
