#pragma once

#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "connectors/kafka/headers.hpp"
#include "connectors/kafka/value_store.hpp"

struct rd_kafka_headers_s;

namespace headwater::kafka {

/// Sets of headers that go from message to message. librdkafka allocates every single header, which
/// for the nineteen of a change costs more than rendering the change does; and most of them are
/// equal in all messages of one shape (org, entity, operation, …). So a set that a delivery report
/// gives back is used again, with only the varying values written over.
///
/// Used by one thread. A set is librdkafka's own from the hand-over to the report.
class HeaderPool {
 public:
  struct Shape;
  struct Set {
    rd_kafka_headers_s* handle = nullptr;
    Shape* shape = nullptr;
    std::vector<char*> values;  ///< of the varying headers, inside the handle
    std::vector<std::size_t> sizes;
    bool out = false;                    ///< with librdkafka, which then owns the handle
    ValueStore::Chunk* chunk = nullptr;  ///< where the message's value stands, if it has one
  };
  struct Shape {
    HeaderList fixed;
    std::vector<Set*> free;
  };

  HeaderPool() = default;
  ~HeaderPool();
  HeaderPool(const HeaderPool&) = delete;
  HeaderPool& operator=(const HeaderPool&) = delete;

  /// Finds or adds the shape with these fixed headers. Stays where it is.
  Shape& shape(const HeaderList& fixed);
  /// A set of that shape with these headers behind the fixed ones: always the same names.
  Set& take(Shape& shape, const HeaderList& varying);
  /// Not handed over after all, or detached from its message: free for the next one.
  void give_back(Set& set);
  /// Destroys the sets that are free. Shapes stay.
  void shrink();

 private:
  static void build(Set& set, const HeaderList& varying);

  std::unordered_map<std::string, std::unique_ptr<Shape>> shapes_;
  std::deque<Set> sets_;
  std::vector<Set*> bare_;  // without a handle: of any shape
};

}  // namespace headwater::kafka
