#include "tests/unit/org/oracle.hpp"

#include <avro.h>
#include <gtest/gtest.h>

#include <charconv>
#include <cstdio>
#include <memory>

#include "schemas/core/sha256.hpp"

namespace headwater::org {
namespace {

struct Release {
  void operator()(avro_value_iface_t* iface) const { avro_value_iface_decref(iface); }
};
using ClassPtr = std::unique_ptr<avro_value_iface_t, Release>;

std::string text_of(avro_value_t& value) {
  const char* text = nullptr;
  std::size_t size = 0;
  avro_value_get_string(&value, &text, &size);
  return {text, size - 1};  // it counts the terminating zero
}

avro_value_t member(avro_value_t& record, std::size_t index) {
  avro_value_t out;
  avro_value_get_by_index(&record, index, &out, nullptr);
  return out;
}

std::vector<std::string> texts_of(avro_value_t array) {
  std::vector<std::string> out;
  std::size_t size = 0;
  avro_value_get_size(&array, &size);
  for (std::size_t i = 0; i < size; ++i) {
    auto item = member(array, i);
    out.push_back(text_of(item));
  }
  return out;
}

std::int64_t long_of(avro_value_t value) {
  std::int64_t out = 0;
  avro_value_get_long(&value, &out);
  return out;
}

Value plain(avro_value_t& value) {
  switch (avro_value_get_type(&value)) {
    case AVRO_STRING:
      return text_of(value);
    case AVRO_BOOLEAN: {
      int flag = 0;
      avro_value_get_boolean(&value, &flag);
      return flag != 0;
    }
    case AVRO_INT32: {
      std::int32_t number = 0;
      avro_value_get_int(&value, &number);
      return std::int64_t{number};
    }
    case AVRO_INT64:
      return long_of(value);
    case AVRO_DOUBLE: {
      double number = 0;
      avro_value_get_double(&value, &number);
      return number;
    }
    default:
      return {};
  }
}

avro_value_t branch(avro_value_t value) {
  avro_value_t out;
  avro_value_get_current_branch(&value, &out);
  return out;
}

EventHeader header_of(avro_value_t record) {
  EventHeader header;
  auto entity = member(record, 0);
  header.entity = text_of(entity);
  header.record_ids = texts_of(member(record, 1));
  int type = 0;
  auto symbol = member(record, 2);
  avro_value_get_enum(&symbol, &type);
  header.type = static_cast<ChangeType>(type);
  auto origin = member(record, 3);
  header.origin = text_of(origin);
  auto key = member(record, 4);
  header.transaction_key = text_of(key);
  auto sequence = member(record, 5);
  avro_value_get_int(&sequence, &header.sequence);
  header.commit_timestamp = long_of(member(record, 6));
  header.commit_number = long_of(member(record, 7));
  auto user = member(record, 8);
  header.commit_user = text_of(user);
  header.nulled = texts_of(member(record, 9));
  header.diff = texts_of(member(record, 10));
  header.changed = texts_of(member(record, 11));
  return header;
}

void take_field(const EventField& field, avro_value_t value, std::vector<Value>& out) {
  auto inner = branch(value);
  if (avro_value_get_type(&inner) != AVRO_RECORD) {
    if (field.plain >= 0) out[static_cast<std::size_t>(field.plain)] = plain(inner);
    return;
  }
  for (std::size_t i = 0; i < field.parts.size(); ++i) {
    auto part = branch(member(inner, i));
    out[static_cast<std::size_t>(field.parts[i])] = plain(part);
  }
}

/// The field indexes that a bitmap's hex digits name.
std::vector<std::size_t> bits_of(std::string_view hex) {
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < hex.size(); ++i) {
    unsigned digit = 0;
    std::from_chars(hex.data() + hex.size() - 1 - i, hex.data() + hex.size() - i, digit, 16);
    for (std::size_t bit = 0; bit < 4; ++bit) {
      if ((digit >> bit & 1U) != 0) out.push_back(4 * i + bit);
    }
  }
  return out;
}

/// Leaves that the bitmap strings name.
std::vector<std::size_t> leaves_of(const ObjectDef& object, const std::vector<std::string>& maps) {
  std::vector<std::size_t> out;
  for (const auto& map : maps) {
    const auto dash = map.find('-');
    const auto bits = bits_of(std::string_view(map).substr(map.find("0x") + 2));
    if (dash == std::string::npos) {
      for (const auto bit : bits) {
        out.push_back(static_cast<std::size_t>(object.event_fields[bit - 1].plain));
      }
      continue;
    }
    std::size_t parent = 0;
    std::from_chars(map.data(), map.data() + dash, parent);
    for (const auto bit : bits) {
      out.push_back(static_cast<std::size_t>(object.event_fields[parent - 1].parts[bit]));
    }
  }
  return out;
}

/// The text after one hunk without context, as salesforce.md 6.4 lays diffs out; its hash is
/// checked.
std::string patched(const std::string& before, const std::string& diff) {
  std::vector<std::string> rows;
  for (std::size_t at = 0; at <= diff.size();) {
    const auto end = std::min(diff.find('\n', at), diff.size());
    rows.push_back(diff.substr(at, end - at));
    at = end + 1;
  }
  std::size_t first = 0;
  std::size_t count = 0;
  EXPECT_EQ(rows.at(0), "---");
  EXPECT_EQ(std::sscanf(rows.at(2).c_str(), "@@ -%zu,%zu", &first, &count), 2);
  const std::string breaks = before.find("\r\n") == std::string::npos ? "\n" : "\r\n";
  std::size_t at = 0;
  for (std::size_t i = 1; i < first + (count == 0 ? 1 : 0); ++i)
    at = before.find(breaks, at) + breaks.size();
  std::string added;
  std::string removed;
  for (std::size_t i = 3; i < rows.size(); ++i) {
    auto& side = rows[i].front() == '+' ? added : removed;
    side += (side.empty() ? "" : breaks) + rows[i].substr(1);
  }
  EXPECT_EQ(before.substr(at, removed.size()), removed);
  auto after = before;
  after.replace(at, removed.size(), added);
  EXPECT_EQ(rows.at(1), "+++ " + sha256_hex(after));
  return after;
}

}  // namespace

OracleEvent oracle_decode(const ObjectDef& object, std::string_view payload) {
  static std::map<std::string, ClassPtr> classes;
  auto& iface = classes[object.schema_id];
  if (!iface) {
    avro_schema_t schema = nullptr;
    const auto& text = object.schema_json;
    EXPECT_EQ(avro_schema_from_json_length(text.data(), text.size(), &schema), 0)
        << avro_strerror();
    iface.reset(avro_generic_class_from_schema(schema));
    avro_schema_decref(schema);
  }
  avro_value_t value;
  avro_generic_value_new(iface.get(), &value);
  auto* reader = avro_reader_memory(payload.data(), static_cast<std::int64_t>(payload.size()));
  EXPECT_EQ(avro_value_read(reader, &value), 0) << avro_strerror();
  std::size_t size = 0;
  avro_value_sizeof(&value, &size);
  EXPECT_EQ(size, payload.size()) << "what Avro would write for the same event";
  OracleEvent event;
  event.values.resize(object.leaves.size());
  event.header = header_of(member(value, 0));
  for (std::size_t i = 0; i < object.event_fields.size(); ++i) {
    take_field(object.event_fields[i], member(value, i + 1), event.values);
  }
  avro_reader_free(reader);
  avro_value_decref(&value);
  return event;
}

void Replica::apply(const ObjectDef& object, const OracleEvent& event) {
  const auto& header = event.header;
  for (const auto& id : header.record_ids) {
    auto& row = rows_[id];
    row.object = &object;
    std::map<std::size_t, std::string> after_diff;
    switch (header.type) {
      case ChangeType::Create:
      case ChangeType::Undelete:
        row.values = event.values;
        row.deleted = false;
        break;
      case ChangeType::Delete:
        row.deleted = true;
        break;
      case ChangeType::Update:
        ASSERT_EQ(row.values.size(), object.leaves.size()) << "an update of a record never created";
        for (const auto leaf : leaves_of(object, header.diff)) {
          const auto& before = std::get<std::string>(row.values[leaf]);
          after_diff[leaf] = patched(before, std::get<std::string>(event.values[leaf]));
        }
        for (const auto leaf : leaves_of(object, header.changed)) {
          const auto diffed = after_diff.find(leaf);
          row.values[leaf] =
              diffed == after_diff.end() ? event.values[leaf] : Value(diffed->second);
        }
        for (const auto leaf : leaves_of(object, header.nulled)) {
          EXPECT_TRUE(is_null(event.values[leaf])) << "nulled but with a value";
        }
        break;
      default:
        ADD_FAILURE() << "a commit makes no gap event";
    }
  }
}

}  // namespace headwater::org
