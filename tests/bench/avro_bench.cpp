// Decoding of an Account change event beside Apache Avro's C library, which reads into one reused
// object and then visits every value: what any user of it has to do.

#include <avro.h>
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "schemas/avro/event_decoder.hpp"
#include "tests/unit/avro/builder.hpp"

namespace headwater::avro {
namespace {

using test::Bytes;

constexpr int kPlainFields = 56;

/// ChangeEventHeader, a Name of three branches, two addresses and 56 nullable fields.
std::string account_schema() {
  std::string out =
      R"({"name":"Name","doc":"Data:Switchable_PersonName","type":["null","string",{"type":"record",
    "name":"Switchable_PersonName","fields":[{"name":"Salutation","type":["null","string"]},
    {"name":"FirstName","type":["null","string"]},{"name":"LastName","type":["null","string"]}]}]},)";
  out +=
      R"({"name":"BillingAddress","doc":"Data:Address","type":["null",{"type":"record","name":"Address","fields":[)";
  for (const auto* name :
       {"Street", "City", "State", "PostalCode", "Country", "StateCode", "CountryCode"}) {
    out += R"({"name":")" + std::string(name) + R"(","type":["null","string"]},)";
  }
  out +=
      R"({"name":"Latitude","type":["null","double"]},{"name":"Longitude","type":["null","double"]},
    {"name":"GeocodeAccuracy","type":["null","string"]}]}]},
    {"name":"ShippingAddress","doc":"Data:Address","type":["null","Address"]})";
  static constexpr const char* kKinds[][2] = {{"string", "Text"},
                                              {"string", "EntityId"},
                                              {"double", "Currency"},
                                              {"long", "DateTime"},
                                              {"boolean", "Boolean"},
                                              {"string", "DynamicEnum"},
                                              {"string", "MultiEnum"},
                                              {"int", "Integer"}};
  for (int i = 0; i < kPlainFields; ++i) {
    const auto& kind = kKinds[i % 8];
    out += R"(,{"name":"Field_)" + std::to_string(i) + R"(__c","type":["null",")" + kind[0] +
           R"("],"doc":"Data:)" + kind[1] + "\"}";
  }
  return test::event_schema(out);
}

void put_address(Bytes& bytes) {
  bytes.number(1);
  for (const auto* part :
       {"1 Market Street", "San Francisco", "California", "94105", "United States", "CA", "US"}) {
    bytes.number(1).text(part);
  }
  bytes.number(1).real(37.7936).number(1).real(-122.3958).number(1).text("Address");
}

void put_plain(Bytes& bytes, int field) {
  bytes.number(1);
  switch (field % 8) {
    case 0:
      bytes.text("Some text of usual length");
      break;
    case 1:
      bytes.text("0015f00002JUXA8AAP");
      break;
    case 2:
      bytes.real(1500000.5);
      break;
    case 3:
      bytes.number(1700000000000);
      break;
    case 4:
      bytes.raw("\1");
      break;
    case 5:
      bytes.text("Energy");
      break;
    case 6:
      bytes.text("Gold;Silver");
      break;
    default:
      bytes.number(1234);
      break;
  }
}

/// All values present: about 1.1 KB.
std::string create_event() {
  Bytes bytes = test::header(0);
  bytes.number(1).text("Acme Corporation");
  put_address(bytes);
  put_address(bytes);
  for (int i = 0; i < kPlainFields; ++i) put_plain(bytes, i);
  return bytes.out;
}

/// Eight changed fields and two children of an address: about 350 bytes.
std::string update_event() {
  Bytes bytes = test::header(1, {"0x0FF0", "2-0x03"});
  bytes.number(0).number(1).number(1).text("2 Main Street").number(1).text("Oakland");
  for (int i = 0; i < 8; ++i) bytes.number(0);
  bytes.number(0);
  for (int i = 0; i < kPlainFields; ++i) {
    if (i >= 0 && i < 8) {
      put_plain(bytes, i);
    } else {
      bytes.number(0);
    }
  }
  return bytes.out;
}

void decode_ours(benchmark::State& state, const std::string& payload) {
  const Plan plan = *Plan::parse(account_schema());
  NameTable names;
  EventDecoder decoder(plan, names);
  Scratch scratch;
  EventView event;
  for (auto _ : state) {
    scratch.clear();
    if (!decoder.decode(payload, scratch, event).ok())
      return state.SkipWithError("does not decode");
    benchmark::DoNotOptimize(event.fields.data());
  }
  state.counters["bytes"] = static_cast<double>(payload.size());
  state.counters["fields"] = static_cast<double>(event.fields.size());
}

void decode_datum(benchmark::State& state, const std::string& payload) {
  const Plan plan = *Plan::parse(account_schema());
  Decoded decoded;
  for (auto _ : state) {
    if (!plan.decode(payload, decoded).ok()) return state.SkipWithError("does not decode");
    benchmark::DoNotOptimize(decoded.slots.data());
  }
}

/// Adds up what a value holds, so that every one of them is really read.
std::size_t visit(avro_value_t& value) {
  std::size_t size = 0;
  switch (avro_value_get_type(&value)) {
    case AVRO_UNION: {
      avro_value_t branch;
      avro_value_get_current_branch(&value, &branch);
      return visit(branch);
    }
    case AVRO_RECORD:
    case AVRO_ARRAY: {
      std::size_t count = 0;
      avro_value_get_size(&value, &count);
      for (std::size_t i = 0; i < count; ++i) {
        avro_value_t item;
        avro_value_get_by_index(&value, i, &item, nullptr);
        size += visit(item);
      }
      return size;
    }
    case AVRO_STRING: {
      const char* text = nullptr;
      avro_value_get_string(&value, &text, &size);
      return size;
    }
    case AVRO_INT64: {
      std::int64_t number = 0;
      avro_value_get_long(&value, &number);
      return static_cast<std::size_t>(number);
    }
    case AVRO_DOUBLE: {
      double real = 0;
      avro_value_get_double(&value, &real);
      return static_cast<std::size_t>(real);
    }
    default:
      return 1;
  }
}

void decode_avro_c(benchmark::State& state, const std::string& payload) {
  const auto json = account_schema();
  avro_schema_t schema = nullptr;
  if (avro_schema_from_json_length(json.data(), json.size(), &schema) != 0)
    return state.SkipWithError(avro_strerror());
  avro_value_iface_t* iface = avro_generic_class_from_schema(schema);
  avro_value_t value;
  avro_generic_value_new(iface, &value);
  const auto reader = avro_reader_memory(payload.data(), static_cast<std::int64_t>(payload.size()));
  for (auto _ : state) {
    avro_reader_memory_set_source(
        reader, payload.data(), static_cast<std::int64_t>(payload.size()));
    if (avro_value_read(reader, &value) != 0) return state.SkipWithError(avro_strerror());
    benchmark::DoNotOptimize(visit(value));
  }
  avro_reader_free(reader);
  avro_value_decref(&value);
  avro_value_iface_decref(iface);
  avro_schema_decref(schema);
}

void compile_plan(benchmark::State& state) {
  const auto json = account_schema();
  for (auto _ : state) benchmark::DoNotOptimize(Plan::parse(json).ok());
}

BENCHMARK_CAPTURE(decode_ours, create, create_event());
BENCHMARK_CAPTURE(decode_datum, create, create_event());
BENCHMARK_CAPTURE(decode_avro_c, create, create_event());
BENCHMARK_CAPTURE(decode_ours, update, update_event());
BENCHMARK_CAPTURE(decode_datum, update, update_event());
BENCHMARK_CAPTURE(decode_avro_c, update, update_event());
BENCHMARK(compile_plan);

}  // namespace
}  // namespace headwater::avro
