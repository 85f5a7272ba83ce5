#include "connectors/kafka/header_pool.hpp"

#include <librdkafka/rdkafka.h>

#include <algorithm>

#include "schemas/core/assert.hpp"

namespace headwater::kafka {
namespace {

void add_all(rd_kafka_headers_t* to, const HeaderList& list) {
  for (std::size_t i = 0; i < list.size(); ++i) {
    const auto [name, value] = list[i];
    rd_kafka_header_add(to,
                        name.data(),
                        static_cast<ssize_t>(name.size()),
                        value.data(),
                        static_cast<ssize_t>(value.size()));
  }
}

bool same_sizes(const std::vector<std::size_t>& sizes, const HeaderList& list) {
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (list[i].value.size() != sizes[i]) return false;
  }
  return true;
}

}  // namespace

HeaderPool::~HeaderPool() {
  for (Set& set : sets_) {
    if (!set.out && set.handle != nullptr) rd_kafka_headers_destroy(set.handle);
  }
}

HeaderPool::Shape& HeaderPool::shape(const HeaderList& fixed) {
  std::string key;
  for (std::size_t i = 0; i < fixed.size(); ++i) {
    key.append(fixed[i].name).append(1, '\0').append(fixed[i].value).append(1, '\0');
  }
  auto& found = shapes_[std::move(key)];
  if (found == nullptr) found = std::make_unique<Shape>(Shape{fixed, {}});
  return *found;
}

HeaderPool::Set& HeaderPool::take(Shape& shape, const HeaderList& varying) {
  Set* set = nullptr;
  if (!shape.free.empty()) {
    set = shape.free.back();
    shape.free.pop_back();
  } else if (!bare_.empty()) {
    set = bare_.back();
    bare_.pop_back();
  } else {
    set = &sets_.emplace_back();
  }
  set->shape = &shape;
  if (set->handle == nullptr || !same_sizes(set->sizes, varying)) {
    build(*set, varying);
    return *set;
  }
  for (std::size_t i = 0; i < varying.size(); ++i) {
    const std::string_view value = varying[i].value;
    std::copy_n(value.data(), value.size(), set->values[i]);
  }
  return *set;
}

void HeaderPool::build(Set& set, const HeaderList& varying) {
  const HeaderList& fixed = set.shape->fixed;
  if (set.handle != nullptr) rd_kafka_headers_destroy(set.handle);
  set.handle = rd_kafka_headers_new(fixed.size() + varying.size());
  add_all(set.handle, fixed);
  add_all(set.handle, varying);
  set.values.clear();
  set.sizes.clear();
  for (std::size_t i = 0; i < varying.size(); ++i) {
    const char* name = nullptr;
    const void* value = nullptr;
    std::size_t size = 0;
    const auto found = rd_kafka_header_get_all(set.handle, fixed.size() + i, &name, &value, &size);
    HEADWATER_ASSERT(found == RD_KAFKA_RESP_ERR_NO_ERROR);
    // The bytes are the set's own copy on the heap, and nobody reads them while the set is ours:
    // as long as the size is the same, writing them anew is what adding the header anew would do.
    set.values.push_back(static_cast<char*>(const_cast<void*>(value)));
    set.sizes.push_back(size);
  }
}

void HeaderPool::give_back(Set& set) {
  set.out = false;
  set.chunk = nullptr;
  (set.handle != nullptr ? set.shape->free : bare_).push_back(&set);
}

void HeaderPool::shrink() {
  for (auto& [key, shape] : shapes_) {
    for (Set* set : shape->free) {
      rd_kafka_headers_destroy(set->handle);
      set->handle = nullptr;
      bare_.push_back(set);
    }
    shape->free.clear();
    shape->free.shrink_to_fit();
  }
}

}  // namespace headwater::kafka
