// Apache Avro's own C library as the oracle: random schemas, random data, every leaf compared.

#include <avro.h>
#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <random>

#include "schemas/avro/values.hpp"
#include "schemas/core/json_text.hpp"
#include "tests/unit/avro/builder.hpp"

namespace headwater::avro {
namespace {

using Random = std::mt19937_64;

constexpr std::string_view kPrimitiveNames[] = {
    "null", "boolean", "int", "long", "float", "double", "bytes", "string"};

/// Writes the JSON of random types; named ones are sometimes used again by name.
class SchemaWriter {
 public:
  explicit SchemaWriter(Random& random) : random_(&random) {}

  std::string fields() {
    std::string out;
    const auto count = pick(12) + 1;
    for (std::size_t i = 0; i < count; ++i) {
      out += (i ? ",{\"name\":\"f" : "{\"name\":\"f") + std::to_string(i) + R"(","type":)" +
             type(0, true) + "}";
    }
    return out;
  }

 private:
  std::size_t pick(std::size_t below) { return (*random_)() % below; }

  // `width`: the type must take bytes (items of arrays).
  std::string type(int depth, bool unions, bool width = false) {
    const auto choice = pick(depth > 3 ? 8 : 14);
    if (choice < 8)
      return '"' + std::string(kPrimitiveNames[width ? 1 + choice % 7 : choice]) + '"';
    switch (choice) {
      case 8:
        return R"({"type":"array","items":)" + type(depth + 1, true, true) + "}";
      case 9:
        return R"({"type":"map","values":)" + type(depth + 1, true) + "}";
      case 10:
      case 11:
        return unions ? union_of(depth) : "\"long\"";
      default:
        return named(depth, width);
    }
  }

  std::string union_of(int depth) {
    // At most one of each unnamed kind; records and enums have names of their own.
    std::string out = "[";
    bool first = true;
    for (const auto* name : {"\"null\"", "\"string\"", "\"long\"", "\"double\"", "\"boolean\""}) {
      if (pick(3) == 0) out += (std::exchange(first, false) ? "" : ",") + std::string(name);
    }
    if (first || pick(2))
      out += (std::exchange(first, false) ? "" : ",") + named(depth, false, true);
    if (pick(4) == 0) out += R"(,{"type":"array","items":"string"})";
    return out + "]";
  }

  std::string named(int depth, bool width, bool fresh = false) {
    if (!fresh && !names_.empty() && pick(3) == 0) return '"' + names_[pick(names_.size())] + '"';
    const std::string name = "T" + std::to_string(next_++);
    const std::string head = R"(,"name":")" + name + "\"";
    const auto kind = pick(4);
    std::string out;
    if (kind == 0) {
      out = R"({"type":"enum")" + head + R"(,"symbols":["A","B","C_)" + name + "\"]}";
    } else if (kind == 1) {
      out = R"({"type":"fixed")" + head + R"(,"size":)" + std::to_string(pick(9) + 1) + "}";
    } else {
      out = R"({"type":"record")" + head + R"(,"fields":[)";
      const auto count = pick(5) + 1;
      for (std::size_t i = 0; i < count; ++i) {
        out += (i ? ",{\"name\":\"c" : "{\"name\":\"c") + std::to_string(9 - i) + R"(","type":)" +
               type(depth + 1, true, width || i == 0) + "}";
      }
      out += "]}";
    }
    names_.push_back(name);
    return out;
  }

  Random* random_;
  std::vector<std::string> names_;
  int next_ = 0;
};

/// Fills an Avro C value with random data.
void fill(avro_value_t& value, Random& random) {
  const auto text = [&](std::size_t most) {
    std::string out;
    for (auto n = random() % (most + 1); n > 0; --n) {
      static constexpr std::string_view kPieces[] = {
          "a", "\"", "\\", "\n", "ü", "€", "😀", ";", "z", "\x01"};
      out += kPieces[random() % std::size(kPieces)];
    }
    return out;
  };
  switch (avro_value_get_type(&value)) {
    case AVRO_NULL:
      avro_value_set_null(&value);
      return;
    case AVRO_BOOLEAN:
      avro_value_set_boolean(&value, random() % 2);
      return;
    case AVRO_INT32:
      avro_value_set_int(&value, static_cast<std::int32_t>(random() >> random() % 64));
      return;
    case AVRO_INT64:
      avro_value_set_long(&value, static_cast<std::int64_t>(random() >> random() % 64));
      return;
    case AVRO_FLOAT:
      avro_value_set_float(&value,
                           static_cast<float>(static_cast<int>(random() % 20'001) - 10'000) / 7);
      return;
    case AVRO_DOUBLE:
      avro_value_set_double(&value, static_cast<double>(random()) / 1e6 - 1e9);
      return;
    case AVRO_STRING: {
      std::string s = text(random() % 20 == 0 ? 300 : 12);
      avro_value_set_string_len(&value, s.c_str(), s.size() + 1);
      return;
    }
    case AVRO_BYTES: {
      std::string s(random() % 10, '\0');
      for (auto& c : s) c = static_cast<char>(random());
      avro_value_set_bytes(&value, s.data(), s.size());
      return;
    }
    case AVRO_FIXED: {
      std::string s(static_cast<std::size_t>(avro_schema_fixed_size(avro_value_get_schema(&value))),
                    'x');
      for (auto& c : s) c = static_cast<char>(random());
      avro_value_set_fixed(&value, s.data(), s.size());
      return;
    }
    case AVRO_ENUM:
      avro_value_set_enum(
          &value,
          static_cast<int>(random() % static_cast<unsigned>(avro_schema_enum_number_of_symbols(
                                          avro_value_get_schema(&value)))));
      return;
    case AVRO_ARRAY:
      for (auto n = random() % 4; n > 0; --n) {
        avro_value_t item;
        avro_value_append(&value, &item, nullptr);
        fill(item, random);
      }
      return;
    case AVRO_MAP:
      for (auto n = random() % 4; n > 0; --n) {
        avro_value_t item;
        int fresh = 0;
        avro_value_add(
            &value, ("k" + std::to_string(random() % 100)).c_str(), &item, nullptr, &fresh);
        if (fresh) fill(item, random);
      }
      return;
    case AVRO_UNION: {
      avro_value_t branch;
      const auto count = avro_schema_union_size(avro_value_get_schema(&value));
      avro_value_set_branch(&value, static_cast<int>(random() % count), &branch);
      fill(branch, random);
      return;
    }
    case AVRO_RECORD: {
      std::size_t count = 0;
      avro_value_get_size(&value, &count);
      for (std::size_t i = 0; i < count; ++i) {
        avro_value_t field;
        avro_value_get_by_index(&value, i, &field, nullptr);
        fill(field, random);
      }
      return;
    }
    default:
      FAIL() << "a type we do not write";
  }
}

std::string latin1(const void* data, std::size_t size) {
  std::string out;
  for (std::size_t i = 0; i < size; ++i) {
    const auto byte = static_cast<const unsigned char*>(data)[i];
    if (byte < 0x80) {
      out.push_back(static_cast<char>(byte));
    } else {
      out.push_back(static_cast<char>(0xc0 | byte >> 6));
      out.push_back(static_cast<char>(0x80 | (byte & 0x3f)));
    }
  }
  return out;
}

avro_value_t unwrap(avro_value_t value) {
  while (avro_value_get_type(&value) == AVRO_UNION) {
    avro_value_t branch;
    avro_value_get_current_branch(&value, &branch);
    value = branch;
  }
  return value;
}

/// The oracle's own rendering of any value.
std::string json_of(avro_value_t value) {
  value = unwrap(value);
  std::string out;
  const void* data = nullptr;
  std::size_t size = 0;
  switch (avro_value_get_type(&value)) {
    case AVRO_NULL:
      return "null";
    case AVRO_BOOLEAN: {
      int b = 0;
      avro_value_get_boolean(&value, &b);
      return b ? "true" : "false";
    }
    case AVRO_INT32: {
      std::int32_t n = 0;
      avro_value_get_int(&value, &n);
      return std::to_string(n);
    }
    case AVRO_INT64: {
      std::int64_t n = 0;
      avro_value_get_long(&value, &n);
      return std::to_string(n);
    }
    case AVRO_FLOAT: {
      float f = 0;
      avro_value_get_float(&value, &f);
      append_json_number(out, static_cast<double>(f));
      return out;
    }
    case AVRO_DOUBLE: {
      double d = 0;
      avro_value_get_double(&value, &d);
      append_json_number(out, d);
      return out;
    }
    case AVRO_STRING: {
      const char* text = nullptr;
      avro_value_get_string(&value, &text, &size);
      append_json_string(out, {text, size - 1});
      return out;
    }
    case AVRO_BYTES:
      avro_value_get_bytes(&value, &data, &size);
      append_json_string(out, latin1(data, size));
      return out;
    case AVRO_FIXED:
      avro_value_get_fixed(&value, &data, &size);
      append_json_string(out, latin1(data, size));
      return out;
    case AVRO_ENUM: {
      int symbol = 0;
      avro_value_get_enum(&value, &symbol);
      append_json_string(out, avro_schema_enum_get(avro_value_get_schema(&value), symbol));
      return out;
    }
    case AVRO_ARRAY:
    case AVRO_MAP:
    case AVRO_RECORD:
      break;
    default:
      return "?";
  }
  const bool array = avro_value_get_type(&value) == AVRO_ARRAY;
  avro_value_get_size(&value, &size);
  std::map<std::string, std::string> members;
  std::string items;
  for (std::size_t i = 0; i < size; ++i) {
    avro_value_t item;
    const char* name = nullptr;
    avro_value_get_by_index(&value, i, &item, &name);
    if (array) {
      items += (i ? "," : "") + json_of(item);
    } else {
      members[name] = json_of(item);
    }
  }
  if (array) return "[" + items + "]";
  for (const auto& [name, json] : members) {
    if (!out.empty()) out += ",";
    append_json_string(out, name);
    out += ":" + json;
  }
  return "{" + out + "}";
}

/// True for an array that we join: its items are strings, or null and strings, by its schema.
bool joins(const avro_value_t& array) {
  const auto items = avro_schema_array_items(avro_value_get_schema(&array));
  if (avro_typeof(items) == AVRO_STRING) return true;
  if (avro_typeof(items) != AVRO_UNION) return false;
  for (std::size_t i = 0; i < avro_schema_union_size(items); ++i) {
    const auto type = avro_typeof(avro_schema_union_branch(items, static_cast<int>(i)));
    if (type != AVRO_STRING && type != AVRO_NULL) return false;
  }
  return true;
}

/// How a leaf without a doc type must show: tag and JSON, from the oracle's value.
std::string shown(avro_value_t value) {
  value = unwrap(value);
  switch (avro_value_get_type(&value)) {
    case AVRO_STRING:
    case AVRO_ENUM:
      return "text " + json_of(value);
    case AVRO_BYTES:
    case AVRO_FIXED:
    case AVRO_MAP:
    case AVRO_RECORD:
      return "json " + json_of(value);
    case AVRO_ARRAY: {
      if (!joins(value)) return "json " + json_of(value);
      std::size_t size = 0;
      avro_value_get_size(&value, &size);
      std::string joined;
      for (std::size_t i = 0; i < size; ++i) {
        avro_value_t item;
        avro_value_get_by_index(&value, i, &item, nullptr);
        item = unwrap(item);
        if (avro_value_get_type(&item) == AVRO_NULL) continue;
        const char* text = nullptr;
        std::size_t length = 0;
        avro_value_get_string(&item, &text, &length);
        joined += (joined.empty() ? "" : ";") + std::string(text, length - 1);
      }
      return "multi " + joined;
    }
    default:
      return "plain " + json_of(value);
  }
}
std::string shown(const ValueView& value) {
  std::string out;
  switch (value.tag) {
    case Tag::Multi:
      return "multi " + std::string(value.text);
    case Tag::Json:
      return "json " + std::string(value.text);
    case Tag::Text:
      out = "text ";
      break;
    default:
      out = "plain ";
      break;
  }
  append_json_value(out, value);
  return out;
}

/// Every leaf that the oracle's record has; leaves that are missing here are null.
std::map<std::string, std::string> expected_leaves(avro_value_t& record) {
  std::map<std::string, std::string> out;
  std::size_t count = 0;
  avro_value_get_size(&record, &count);
  for (std::size_t i = 1; i < count; ++i) {
    avro_value_t field;
    const char* name = nullptr;
    avro_value_get_by_index(&record, i, &field, &name);
    field = unwrap(field);
    if (avro_value_get_type(&field) != AVRO_RECORD) {
      out[name] = shown(field);
      continue;
    }
    std::size_t children = 0;
    avro_value_get_size(&field, &children);
    for (std::size_t c = 0; c < children; ++c) {
      avro_value_t child;
      const char* child_name = nullptr;
      avro_value_get_by_index(&field, c, &child, &child_name);
      out[std::string(name) + "." + child_name] = shown(child);
    }
  }
  return out;
}

void compare_events(const std::string& json, Random& random, int events) {
  auto plan = Plan::parse(json);
  ASSERT_TRUE(plan.ok()) << plan.error().message << "\n" << json;
  avro_schema_t schema = nullptr;
  ASSERT_EQ(avro_schema_from_json_length(json.data(), json.size(), &schema), 0)
      << avro_strerror() << "\n"
      << json;
  avro_value_iface_t* iface = avro_generic_class_from_schema(schema);
  ASSERT_NE(iface, nullptr) << json;
  Decoded decoded;
  Scratch scratch;
  ValueReader reader(*plan);
  for (int i = 0; i < events; ++i) {
    avro_value_t value, header, type;
    avro_generic_value_new(iface, &value);
    fill(value, random);
    avro_value_get_by_index(&value, 0, &header, nullptr);
    avro_value_get_by_name(&header, "changeType", &type, nullptr);
    avro_value_set_enum(&type, static_cast<int>(random() % 10));
    std::size_t size = 0;
    avro_value_sizeof(&value, &size);
    std::string payload(size, '\0');
    const auto writer = avro_writer_memory(payload.data(), static_cast<std::int64_t>(size));
    ASSERT_EQ(avro_value_write(writer, &value), 0) << avro_strerror();
    avro_writer_free(writer);

    const auto done = plan->decode(payload, decoded);
    ASSERT_TRUE(done.ok()) << done.error().message << "\n" << json;
    scratch.clear();
    reader.begin_event(1 << 20);
    auto expected = expected_leaves(value);
    for (std::uint32_t leaf = 0; leaf < plan->leaves().size(); ++leaf) {
      ValueView read;
      ASSERT_TRUE(reader.read(leaf, decoded.slots[leaf], scratch, read)) << reader.error().message;
      const auto& path = plan->leaves()[leaf].path;
      const auto want = expected.count(path) ? expected[path] : "plain null";
      ASSERT_EQ(shown(read), want) << path << "\n" << json;
      expected.erase(path);
    }
    // A compound that is null has no leaf of its own.
    std::erase_if(expected, [](const auto& item) { return item.second == "plain null"; });
    ASSERT_TRUE(expected.empty()) << "no leaf " << expected.begin()->first << "\n" << json;
    // Cut anywhere, it is no datum any more.
    if (!payload.empty()) {
      ASSERT_FALSE(
          plan->decode(std::string_view(payload).substr(0, random() % payload.size()), decoded)
              .ok());
    }
    avro_value_decref(&value);
  }
  avro_value_iface_decref(iface);
  avro_schema_decref(schema);
}

TEST(DifferentialTest, RandomSchemasAndDataDecodeAsApacheAvroHasThem) {
  for (std::uint64_t seed = 1; seed <= 2'000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    const auto json = test::event_schema(SchemaWriter(random).fields());
    compare_events(json, random, 5);
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace headwater::avro
