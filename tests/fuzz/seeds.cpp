// Writes the first inputs of every target: real bytes of our own encoders, salesforce.md's vectors,
// and texts as the peers send them.
//
//   fuzz_seeds tests/fuzz/corpus

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "connectors/kafka/cursor_record.hpp"
#include "connectors/sink.hpp"
#include "daemon/ledger/record.hpp"
#include "pubsub_api.pb.h"
#include "tests/fuzz/schemas.hpp"
#include "tests/support/entry_maker.hpp"
#include "tests/support/example_event.hpp"

namespace {

using namespace headwater;
using avro::test::Bytes;
namespace fs = std::filesystem;

/// Writes `seed_<n>` into the target's folder.
class Folder {
 public:
  Folder(const fs::path& corpus, std::string_view target) : path_(corpus / target) {
    fs::create_directories(path_);
  }
  Folder& add(std::string_view bytes) {
    std::ofstream file(path_ / ("seed_" + std::to_string(++count_)), std::ios::binary);
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return *this;
  }

 private:
  const fs::path path_;
  int count_ = 0;
};

std::string byte(int value) { return std::string(1, static_cast<char>(value)); }

/// Values of the second schema of schemas.hpp, each field in its order.
/// `records_at`: where a block of one small record begins, four bytes that may be repeated.
std::string every_type(std::size_t* records_at = nullptr) {
  Bytes bytes = avro::test::header(0);
  bytes.texts({"A", "B"});
  bytes.number(2)
      .text("k")
      .number(1)
      .real(1.5)
      .text("l")
      .number(2)
      .number(1)
      .number(7)
      .number(0)
      .number(0);
  bytes.number(2).raw("xyz").text("\x01\xff").raw(std::string(4, '\0'));
  bytes.number(2).number(1).raw("\x01").number(1).raw("abc").number(0);
  if (records_at != nullptr) {
    *records_at = bytes.out.size();
    bytes.number(1).number(0).number(0).number(0).number(0);
  } else {
    bytes.number(1).number(0).number(0).number(1).text("m").text("b").number(0).number(0);
  }
  bytes.number(1)
      .number(1'700'000'000'000)
      .number(1)
      .number(1'700'000'000'000)
      .number(1)
      .number(52'200'000);
  bytes.number(0).text("0015f00002JUXA8AAP").number(1).number(1).real(37.5).number(0);
  return bytes.out;
}

void avro_seeds(const fs::path& corpus) {
  Folder schema(corpus, "avro_schema"), event(corpus, "avro_event"), bounds(corpus, "avro_bounds");
  for (const auto& text : fuzz::schema_texts()) schema.add(text);
  for (const auto hex : {avro::test::kV1, avro::test::kV2, avro::test::kV3, avro::test::kV4}) {
    event.add(byte(0) + avro::test::from_hex(hex));
    bounds.add(byte(0) + byte(2) + std::string("\0\x40\x08", 3) + avro::test::from_hex(hex));
  }
  event.add(byte(1) + every_type());
  bounds.add(byte(1) + byte(0) + std::string("\0\x40\x04", 3) + every_type());
  for (const int type : {0, 1, 2, 4, 8})
    event.add(byte(2) + avro::test::header(type, {"0x01"}, {}, {}).out);
  // What is longer than its bytes: small records as JSON, empty texts as views.
  std::size_t at = 0;
  const auto records = every_type(&at);
  bounds.add(byte(1) + byte(0) + byte(0) + byte(static_cast<int>(at)) + byte(4) + records);
  Bytes ids;
  at = ids.text("T").out.size();
  ids.number(1).text("").number(0).number(0).text("").text("k").number(1).number(0).number(1);
  bounds.add(byte(2) + byte(0) + byte(0) + byte(static_cast<int>(at)) + byte(2) +
             ids.text("u").texts({}).texts({}).texts({}).out);

  Folder(corpus, "avro_any")
      .add("{\"name\":\"f\",\"type\":[\"null\",\"string\"]}\n" + Bytes().number(1).text("x").out)
      .add("{\"name\":\"f\",\"type\":{\"type\":\"array\",\"items\":\"long\"}}\n" +
           Bytes().number(-2).number(2).number(3).number(4).number(0).out)
      .add("{\"name\":\"f\",\"type\":{\"type\":\"map\",\"values\":[\"int\",\"bytes\"]}}\n" +
           Bytes().number(1).text("k").number(1).text("v").number(0).out);
  Folder(corpus, "platform_event")
      .add(byte(0) + Bytes()
                         .number(1'700'000'000'000)
                         .text("0055f000005mc66AAA")
                         .number(1)
                         .text("x")
                         .number(1)
                         .real(12.5)
                         .number(0)
                         .number(1)
                         .raw("\x01")
                         .out)
      .add(byte(1) + Bytes()
                         .number(1)
                         .text("when")
                         .number(0)
                         .number(1)
                         .number(0)
                         .number(1)
                         .number(3)
                         .number(0)
                         .number(0)
                         .out);
  Folder(corpus, "changed_fields")
      .add(byte(0) + "0x40 4-0x02 4-0x0183 0x024100")
      .add(byte(0) + "0x0241c0 1-0x7")
      .add(byte(1) + "0x1ffff 8-0x3")
      .add(byte(2) + "0x0 0x1");
}

ledger::RecordState some_state() {
  ledger::RecordState state;
  state.known = state.complete = true;
  state.base = state.alive = {1, 100, 1, 1000};
  state.newest = {1, 101, 2, 2000};
  state.deleted_at = 500;
  state.meta.rev = Rev{1'772'366'400'000'001};
  state.meta.version = state.newest;
  state.bu = "uk";
  state.origin.commit_user = "0055f000005mc66AAA";
  state.src = {
      {2, ValueView::of_text("Ann")}, {3, ValueView::null()}, {9, ValueView::decimal(41.5)}};
  state.fv = {{3, state.newest}};
  return state;
}

void ledger_seeds(const fs::path& corpus) {
  Folder entries(corpus, "journal_entry"), images(corpus, "image"),
      answers(corpus, "control_answer");
  test::EntryMaker maker;
  maker.add({Op::Create,
             "0035f00000ABCDeAAP",
             1,
             {{"name", "Ann"}},
             {{"account", "emea:Account:0015f00002JUXA8AAP"}}});
  maker.add({Op::Update, "0035f00000ABCDeAAP", 2, {{"name", "Bob"}}, {}, {{"account", ""}}});
  maker.add({Op::Delete, "0035f00000ABCDeAAP", 3});
  for (const auto& entry : maker.entries()) {
    std::string bytes;
    put_entry(bytes, entry);
    entries.add(bytes);
    answers.add(byte(3) + "quarantine show # values\n" + bytes);
    bytes.clear();
    put_image(bytes, entry.after);
    put_image(bytes, entry.old);
    images.add(bytes);
  }
  EntryView hole;
  hole.kind = EntryKind::Hole;
  hole.rkey = "h1";
  hole.org = "emea";
  hole.row = "{\"cause\":\"gap\"}";
  std::string bytes;
  put_entry(bytes, hole);
  entries.add(bytes);
  bytes.clear();
  put_entry(bytes, test::example_event());
  entries.add(bytes);
  for (const char* line : {"status",
                           "holes all",
                           "quarantine list all",
                           "get emea:Account:0015f00002JUXA8AAP",
                           "quarantine discard # by=ann not needed",
                           "quarantine retry #",
                           "holes close 7 by=ann seen",
                           "quarantine show #"}) {
    answers.add(byte(2) + line + "\nbytes");
    answers.add(byte(0) + line + "\nbytes");
  }
  ledger::RecordCodec codec;
  bytes.clear();
  codec.encode(some_state(), bytes);
  Folder(corpus, "record_state").add(bytes);
}

void salesforce_seeds(const fs::path& corpus) {
  eventbus::v1::FetchResponse response;
  auto& consumed = *response.add_events();
  consumed.set_replay_id(std::string("\0\0\x01\x02", 4));
  consumed.mutable_event()->set_id("0f4d0b2e-0000-4000-8000-000000000001");
  consumed.mutable_event()->set_schema_id("z7bQwT4lD5FYk9nX2Qe1Ew");
  consumed.mutable_event()->set_payload("payload");
  response.set_latest_replay_id(std::string("\0\0\x01\x03", 4));
  response.set_pending_num_requested(99);
  Folder(corpus, "fetch_response").add(response.SerializeAsString());
  Folder(corpus, "csv")
      .add(byte(2) + byte(3) +
           "\"Id\",\"Name\",\"Note__c\"\n\"001\",\"Ann\",\"a \"\"b\"\", \r\nc\"\n")
      .add(byte(1) + byte(0) + "Id,Name\r\n001,\r\n002,\"x\"\r\n")
      .add(byte(0) + byte(0) + "Id\n\n\"\"\n");
  const auto patch_seed = [](int line, std::string_view with, std::string_view base, auto rows) {
    return byte(line) + byte(static_cast<int>(with.size())) + std::string(with) + byte(0) +
           byte(static_cast<int>(base.size())) + std::string(base) + rows;
  };
  Folder(corpus, "text_patch")
      .add(patch_seed(1, "beta two", "alpha\nbeta\ngamma", "@@ -2,1 +2,1 @@\n-beta\n+beta two"))
      .add(patch_seed(0,
                      "",
                      "alpha\r\nbeta\r\ngamma",
                      "---\n+++ 43d5fbee8a9bd9b96688979c331320b4910a344e8643b6e05739bda63d8db30f"
                      "\n\n@@ -1,3 +1,3 @@\n alpha\n-beta\n+beta two\n gamma"))
      .add(patch_seed(2, "", "a\rb\nc\r\n", "@@ -1,0 +2 @@ h\r\n+x\r\n@@ -3 +3,0 @@\r\n-c\r\n"))
      .add(patch_seed(0, "a", "", "@@ -0,0 +1 @@\n+a\n\\ No newline at end of file"));
  Folder(corpus, "org_answers")
      .add(
          byte(0) +
          R"({"totalSize":2,"done":false,"nextRecordsUrl":"/services/data/v66.0/query/01g-2000","records":[{"attributes":{"type":"Account"},"Id":"0015f00002JUXA8AAP"},{"Id":"1"}]})")
      .add(
          byte(1) +
          R"({"id":"7505f000000001","state":"JobComplete","object":"Account","numberRecordsProcessed":12})")
      .add(
          byte(2) +
          R"({"DailyApiRequests":{"Max":15000,"Remaining":14998},"DailyBulkV2QueryJobs":{"Max":10000,"Remaining":1}})")
      .add(
          byte(3) +
          R"({"sobjects":[{"name":"Account","keyPrefix":"001","queryable":true,"retrieveable":true}]})")
      .add(
          byte(4) +
          R"({"name":"Account","keyPrefix":"001","fields":[{"name":"Id","type":"id","referenceTo":[]},{"name":"BillingCity","type":"string","compoundFieldName":"BillingAddress","referenceTo":[]},{"name":"BillingAddress","type":"address","calculated":false},{"name":"OwnerId","type":"reference","referenceTo":["User"]}]})")
      .add(byte(5) + R"([ {"a":"]\""}, null, [1,2] ])")
      .add(byte(6) + "12");
  Folder(corpus, "row")
      .add(
          R"({"attributes":{"type":"Account","url":"/x"},"Id":"0015f00002JUXA8AAP","string__c":"a","boolean__c":true,"int__c":12.0,"double__c":1.5e3,"currency__c":null,"date__c":"2024-06-30","datetime__c":"2024-04-26T18:38:23.000+0000","time__c":"14:30:00.000Z","reference__c":"005000000000001AAA","multipicklist__c":"A;B","address__c":{"city":"x"},"anyType__c":1,"SystemModstamp":"2024-04-26T18:38:23.000Z","IsPersonAccount":false,"Name":"n"})")
      .add(
          "Id,string__c,boolean__c,int__c,double__c,currency__c,date__c,datetime__c,time__c,"
          "reference__c,multipicklist__c,address__c,anyType__c,SystemModstamp,IsPersonAccount,"
          "Name\n"
          "0015f00002JUXA8AAP,a,true,1,2.5,,2024-06-30,2024-04-26T18:38:23.000Z,14:30:00.000Z,"
          "005000000000001AAA,A;B,,x,2024-04-26T18:38:23.000Z,false,n\n");
  Folder(corpus, "peer_errors")
      .add(byte(0) + std::string("\0\x03", 2) +
           "sfdc.platform.eventbus.grpc.subscription.fetch.replayid.corrupted")
      .add(byte(1) + std::string("\x01\x90", 2) +
           R"([{"errorCode":"INVALID_FIELD","message":"No such column"}])")
      .add(byte(2) + std::string("\x01\x90", 2) +
           R"({"error":"invalid_grant","error_description":"user hasn't approved this consumer"})")
      .add(byte(4) + std::string("\0\0", 2) +
           "OOM command not allowed when used memory > 'maxmemory'.")
      .add(byte(5) + std::string("\0\x0a", 2) + "22003");
}

void text_seeds(const fs::path& corpus) {
  Folder(corpus, "json_text")
      .add(
          "\x3f\xb9\x99\x99\x99\x99\x99\x9a"
          "a;\"b\\\x01;\xc3\xa9\xff;;\xf0\x9f\x98\x80");
  Folder(corpus, "times_ids")
      .add(
          "\x01\x02\x03\x04\x05\x06\x07\x08"
          "2024-04-26T18:38:23.000+0000")
      .add(
          "\x01\x02\x03\x04\x05\x06\x07\x08"
          "2024-06-30")
      .add(
          "\x01\x02\x03\x04\x05\x06\x07\x08"
          "14:30:00.000Z")
      .add(
          "\x01\x02\x03\x04\x05\x06\x07\x08"
          "23:59:60")
      .add(
          "\x01\x02\x03\x04\x05\x06\x07\x08"
          "emea:Account:0015f00002JUXA8AAP")
      .add(
          "\x01\x02\x03\x04\x05\x06\x07\x08"
          "0015f00002JUXA8");
  Folder expressions(corpus, "expression");
  for (const char* text : {"concat(A__c, \" \", Name.LastName) | squeeze",
                           "if(B__c > 3 and not is_null(C__c), mul(C__c, 100), null)",
                           "coalesce(domain(A__c), $org.name)",
                           "date_add_min(D__c, 5)",
                           "person_name(Name) | default(\"x\")",
                           "money(C__c, $org.currency)",
                           "A__c in [\"a\", \"b\"] or B__c <= -1.5e3"})
    expressions.add(std::string("\0\0\0\0\x05\x09", 6) + "www.a.com" + text);
  for (const char* choices : {"\1\6", "\2\3A", "\3ab", "\4", "\5mno", "\6xyz"})
    expressions.add(std::string("\0\0\0\0\x05\x03", 6) + "a b" + "\1" + choices +
                    "0123456789abcdef");
  Folder(corpus, "mapping_file")
      .add(
          "version: 1\nmapping_rev: 7\nentities:\n  custom:Invoice__c:\n    object: Invoice__c\n   "
          " fields:\n"
          "      total: {expr: Total__c, type: decimal, unit: currency}\n      kind: {expr: "
          "Kind__c, type: enum, values: [A, B]}\n"
          "    relations:\n      account: {from: Account__c}\n");
  Folder(corpus, "config")
      .add(
          "state_dir: /tmp\norgs:\n  - name: emea\n    login_url: https://login.salesforce.com\n"
          "    auth: {flow: jwt_bearer, client_id: x, username: y, private_key_file: /nowhere}\n   "
          " streams:\n"
          "      - {topic: /data/ChangeEvents, start: earliest}\nsinks:\n  postgres: {url: "
          "'postgresql://h/crm'}\n"
          "  redis: {url: 'redis://127.0.0.1:6379/0'}\n  kafka: {brokers: 'k:9092', properties: "
          "{linger.ms: 5}}\njournal: {bytes_max: 16GiB, keep: 1h}\n")
      .add(
          "state_dir: /tmp\norgs:\n  - name: emea\n    login_url: http://127.0.0.1:1\n    "
          "insecure: "
          "true\n    auth: {flow: client_credentials, client_id: x, client_secret_file: /nowhere, "
          "refresh_every: 45m}\n    pubsub: {endpoint: '127.0.0.1:1', tls: false, insecure: true, "
          "silence_max: 5m}\n    streams:\n      - {topic: /data/AccountChangeEvent, start: "
          "snapshot}\n      - topic: /event/Order_Event__e\n    snapshot: {objects: [Account, "
          "Order]}\n    currency: EUR\n    region: DE\nsinks:\n  main: {type: postgres, url: "
          "'host=/tmp', entries_max: 10, lock_timeout: 1s}\n  cache: {type: redis, url: "
          "'redis+unix:///r', feed: false, tombstone_ttl: 96h}\n  log: {type: kafka, brokers: "
          "'k:9092,l:1', transactions: true, partitions: 3, properties: {sasl.username: "
          "x}}\nmapping: {files: [a.yaml, b.yaml]}\njournal: {bytes_max: 1MiB, keep: 0s}\naudit: "
          "{every: 24h, objects: [Account], settle: 2m}\nhttp: {listen: '[::1]:0'}\ncontrol: "
          "{socket: s}\nlog: {level: debug}\nstop_deadline: 5s\n")
      .add("state_dir: [a\n")
      .add("a: &x {b: 1}\nc: *x\n<<: *x\nstate_dir: '${HOME}'\n");
}

void wire_seeds(const fs::path& corpus) {
  Folder(corpus, "http_request")
      .add("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
      .add("POST /livez HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello")
      .add("HEAD /livez HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /x?a=%zz HTTP/1.1\r\n\r\n")
      .add("PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
      .add(
          "GET /livez HTTP/1.1\r\nRange: bytes=0-1,5-\r\nExpect: 100-continue\r\nAccept-Encoding: "
          "gzip\r\n\r\n");
  Folder(corpus, "control_socket")
      .add("status\n")
      .add("get emea:Account:001\nrest")
      .add(std::string(5'000, 'x') + "\n");
  Folder(corpus, "resp_pipeline")
      .add(std::string("\x02\0\x03HGT\x01\x01k\0\0\0\0\0\0\0\x07\x02\x01"
                       "a\x02\r\n",
                       24));
  kafka::CursorRecord record;
  record.ledger = "01J0";
  record.holder = "h";
  record.epoch = 3;
  record.rev = Rev{1'772'366'400'000'001};
  record.commit_ts = record.updated_at = 1'772'366'400'000;
  record.ends["crm.changes.account"] = {1, 2, 3};
  std::string json;
  kafka::append_cursor_json(json, record);
  Folder(corpus, "kafka_cursor").add(json);
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) {
    std::fprintf(stderr, "usage: fuzz_seeds FOLDER\n");
    return 64;
  }
  const fs::path corpus(arguments[1]);
  avro_seeds(corpus);
  ledger_seeds(corpus);
  salesforce_seeds(corpus);
  text_seeds(corpus);
  wire_seeds(corpus);
  return 0;
}
