#include "daemon/pipeline/schema_change.hpp"

#include <map>
#include <optional>
#include <utility>

#include "daemon/pipeline/facts_task.hpp"
#include "daemon/pipeline/ingest.hpp"
#include "daemon/pipeline/job_planner.hpp"
#include "schemas/model/render.hpp"
#include "tests/unit/pipeline/fixture.hpp"
#include "tests/unit/pipeline/no_api.hpp"

namespace headwater {
namespace {

using avro::test::Bytes;

/// A custom field of a schema, and one of an event: text, or nothing.
struct Field {
  std::string name, doc, id;
  std::string branch = "string";
};

std::string schema_of(const std::string& record, const std::vector<Field>& fields) {
  std::string text;
  for (const Field& field : fields) {
    text += text.empty() ? "" : ",";
    text += R"({"name":")" + field.name + R"(","type":["null",")" + field.branch +
            R"("],"doc":"Data:)" + field.doc + (field.id.empty() ? "" : ":" + field.id) +
            R"(","default":null})";
  }
  std::string out = avro::test::event_schema(text);
  static constexpr std::string_view kName = "TestChangeEvent";
  return out.replace(out.find(kName), kName.size(), record);
}

/// Listed as changed, and null.
const std::string kNull = "(null)";

/// Each new schema has its own fields; `values` gives a field's bytes by name, nothing: null.
std::string event_of(const std::vector<Field>& fields,
                     std::int64_t number,
                     bool create,
                     const std::map<std::string, std::string>& values,
                     const std::string& object = "Account",
                     const std::string& id = test::account(1),
                     ChangeType type = ChangeType::Update) {
  Bytes bytes;
  bytes.text(object).texts({id}).number(create ? 0 : static_cast<int>(type)).text("").text("tx");
  bytes.number(1).number(1'772'366'400'000 + number * 1000).number(number);
  bytes.text("0055f000000000AAAA").texts({}).texts({});
  unsigned bits = 0;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (values.contains(fields[i].name)) bits |= 2U << i;
  }
  char bitmap[16];
  std::snprintf(bitmap, sizeof bitmap, "0x%02X", bits);
  if (create) {
    bytes.texts({});
  } else {
    bytes.texts({bitmap});
  }
  for (const Field& field : fields) {
    const auto value = values.find(field.name);
    if (value == values.end() || value->second == kNull) {
      bytes.number(0);
    } else if (field.branch == "double") {
      bytes.number(1).real(std::stod(value->second));
    } else {
      bytes.number(1).text(value->second);
    }
  }
  return bytes.out;
}

/// Knows its schemas by id.
class SchemaSource final : public salesforce::EventSource {
 public:
  Result<void> subscribe(salesforce::Start, const ReplayId&, std::size_t) override { return {}; }
  void request(std::size_t) override {}
  void next(std::int64_t, salesforce::Fetched& out) override {
    out = {};
    if (script.empty()) return;
    said_ = std::exchange(script, {});
    out.what = salesforce::Fetched::What::Response;
    for (const auto& event : said_)
      out.events.push_back({event.payload, event.schema_id, event.replay_id, "uuid"});
  }
  void wake() override {}
  void cancel() override {}
  Result<std::string> fetch_schema(std::string_view id) override {
    ++calls[std::string(id)];
    return schemas.at(std::string(id));
  }

  std::map<std::string, std::string> schemas;
  std::map<std::string, int> calls;
  std::vector<test::FakeSource::Event> script;

 private:
  std::vector<test::FakeSource::Event> said_;
};

const std::vector<Field> kBefore{{"Name", "Text", ""},
                                 {"Tier__c", "Text", "00N01"},
                                 {"Size__c", "Text", "00N02"},
                                 {"Gone__c", "Text", "00N03"}};
const std::vector<Field> kAfter{{"Name", "Text", ""},
                                {"Level__c", "Text", "00N01"},
                                {"Size__c", "Double", "00N02", "double"},
                                {"New__c", "Text", "00N04"}};

const std::vector<Field> kInvoice{{"Name", "Text", ""}, {"Total__c", "Text", "00N05"}};

test::FakeSource::Event before(std::int64_t number,
                               bool create,
                               const std::map<std::string, std::string>& values) {
  return {event_of(kBefore, number, create, values), "r" + std::to_string(number), "before"};
}
/// That account's creation, by the older schema.
test::FakeSource::Event create(std::int64_t number, int account) {
  return {event_of(kBefore, number, true, {{"Name", "A"}}, "Account", test::account(account)),
          "r" + std::to_string(number),
          "before"};
}
test::FakeSource::Event after(std::int64_t number,
                              const std::map<std::string, std::string>& values) {
  return {event_of(kAfter, number, false, values), "r" + std::to_string(number), "after"};
}

class SchemaChangeTest : public test::PipelineTest {
 protected:
  void SetUp() override {
    options.read_mapping = config::read_mapping;
    PipelineTest::SetUp();
    source.schemas = {{"before", schema_of("AccountChangeEvent", kBefore)},
                      {"after", schema_of("AccountChangeEvent", kAfter)},
                      {"invoice", schema_of("Invoice__ChangeEvent", kInvoice)}};
    make();
  }
  void make() {
    hidden.emplace("emea", *ledger, clock);
    ingest.emplace(Ingest::Parts{{"emea", "/data/ChangeEvents"},
                                 salesforce::Start::Earliest,
                                 source,
                                 *ledger,
                                 rows,
                                 ready,
                                 clock,
                                 part,
                                 metrics,
                                 &*hidden});
  }
  /// The org describes Account with Name and these custom fields.
  void described(const std::vector<std::string>& custom) {
    salesforce::ObjectDescription object;
    object.name = "Account";
    object.fields.push_back({"Name", "Name", "string", {}, {}, false});
    for (const auto& name : custom) object.fields.push_back({name, name, "string", {}, {}, false});
    ASSERT_TRUE(hidden->described(object));
  }
  /// The account's row, asked for now.
  void read_again(int number, std::span<const Member> fields) {
    ledger::Row row;
    row.id = *RecordId::parse(test::account(number));
    row.fields = fields;
    ledger::RowBatch batch;
    batch.org = "emea";
    batch.object = "Account";
    batch.noted = *ledger->note_version("emea");
    batch.rows = {&row, 1};
    ASSERT_TRUE(ledger->apply_rows(batch));
  }
  bool says(const std::string& text, const std::string& object = "Account") {
    const std::string now = image(object);
    EXPECT_NE(now.find(text), std::string::npos) << text << " is not in " << now;
    return now.find(text) != std::string::npos;
  }
  void hear(std::vector<test::FakeSource::Event> events) {
    source.script = std::move(events);
    for (int i = 0; i < 4; ++i) (void)ingest->step(Millis(0));
  }
  /// Works on this org; one a test.
  FactsTask facts_task(salesforce::OrgApi& api) {
    book.emplace("emea", api, *ledger, clock);
    tools.emplace(OrgTools{"emea", api, *ledger, *book, outbox, clock, metrics});
    return FactsTask(*tools);
  }
  /// The fields, extra and raw of a record, as JSON.
  std::string image(const std::string& object = "Account",
                    const std::string& id = test::account(1)) {
    EntryBatch batch;
    const auto found = ledger->get({"emea", object, *RecordId::parse(id)}, batch);
    EXPECT_TRUE(found && *found);
    std::string out;
    if (found && *found) append_hash_input(out, "", batch.entries()[0].after);
    return out;
  }

  SchemaSource source;
  RowLane rows{4};
  std::atomic<bool> ready{true};
  observe::Part& part = health.add("stream", Millis(60'000));
  std::optional<HiddenFields> hidden;
  std::optional<Ingest> ingest;
  Outbox outbox{rows, [] {}};
  std::optional<ObjectBook> book;
  std::optional<OrgTools> tools;
};

TEST(SchemaChange, IsToldByFieldId) {
  const auto before = avro::Plan::parse(schema_of("AccountChangeEvent", kBefore));
  const auto after = avro::Plan::parse(schema_of("AccountChangeEvent", kAfter));
  ASSERT_TRUE(before && after);
  EXPECT_EQ(in_words(schema_change(*before, *after)),
            "added: New__c; removed: Gone__c; renamed: Tier__c to Level__c; retyped: Size__c from "
            "Text to Double");
  EXPECT_TRUE(schema_change(*before, *before).empty());
}

TEST_F(SchemaChangeTest, NewRetypedRenamedAndRemovedFieldsLoseNoValue) {
  hear(
      {before(1, true, {{"Name", "A"}, {"Tier__c", "tin"}, {"Size__c", "4"}, {"Gone__c", "old"}})});
  hear({after(2, {{"Level__c", "gold"}, {"Size__c", "4.5"}, {"New__c", "x"}})});
  says(R"("New__c":"x")");
  says(R"("Level__c":"gold")");
  says(R"("Size__c":4.5)");
  EXPECT_TRUE(says(R"("Gone__c":"old")")) << "a removed field's value stays";
  EXPECT_TRUE(says(R"("name":"A")"));
}

TEST_F(SchemaChangeTest, NullOfAFieldThatTheOrgDoesNotShowUsIsNoValue) {
  hear({before(1, true, {{"Name", "A"}, {"Tier__c", "tin"}, {"Size__c", "4"}})});
  described({"Size__c", "Gone__c"});
  // Tier__c is hidden: an update lists it, and leaves it null.
  hear({before(2, false, {{"Tier__c", kNull}, {"Size__c", kNull}, {"Gone__c", "x"}})});
  EXPECT_TRUE(says(R"("Tier__c":"tin")")) << "what is known stays";
  EXPECT_TRUE(says(R"("Size__c":null)")) << "what is shown is null";
  EXPECT_TRUE(says(R"("Gone__c":"x")"));
  // A start knows it, before anything is described.
  make();
  hear({before(3, false, {{"Tier__c", kNull}, {"Gone__c", "y"}})});
  EXPECT_TRUE(says(R"("Tier__c":"tin")"));
  EXPECT_TRUE(says(R"("Gone__c":"y")"));
  // Of a new record nothing is known of it, null included.
  const auto created = [](std::int64_t number, const std::string& id) {
    return test::FakeSource::Event{event_of(kBefore, number, true, {{"Name", "B"}}, "Account", id),
                                   "r" + std::to_string(number),
                                   "before"};
  };
  hear({created(4, test::account(2))});
  EXPECT_EQ(image("Account", test::account(2)).find("Tier__c"), std::string::npos);
  EXPECT_NE(image("Account", test::account(2)).find(R"("Size__c":null)"), std::string::npos);
  // Shown again, null is null once the stream has told what was committed before.
  described({"Tier__c", "Size__c", "Gone__c"});
  Listening by;
  by.now = clock.ms + 2;
  by.streams = {{0, clock.ms + 1, "/data/ChangeEvents"}};
  ASSERT_TRUE(hidden->end_hole(ledger->wide_holes("emea").at(0), by));
  hear({before(5, false, {{"Tier__c", kNull}})});
  says(R"("Tier__c":null)");
}

TEST_F(SchemaChangeTest, AFieldThatIsShownAgainIsAHoleFromWhenItWasShownLast) {
  hear({before(1, true, {{"Name", "A"}, {"Tier__c", "tin"}})});
  described({"Tier__c", "Size__c", "Gone__c"});
  EXPECT_TRUE(ledger->wide_holes("emea").empty());
  const EpochMs shown = clock.ms;
  clock.ms += 3'600'000;
  described({"Size__c", "Gone__c"});
  clock.ms += 3'600'000;
  make();
  described({"Size__c", "Gone__c"});
  EXPECT_TRUE(ledger->wide_holes("emea").empty()) << "the record lists it: nothing is to be read";
  described({"Tier__c", "Size__c", "Gone__c"});
  const auto holes = ledger->wide_holes("emea");
  ASSERT_EQ(holes.size(), 1U);
  EXPECT_EQ(holes[0].cause, "field_hidden");
  EXPECT_EQ(holes[0].object, "Account");
  EXPECT_EQ(holes[0].from_ts, shown) << "a start knows it";
  EXPECT_EQ(holes[0].to_ts, 0) << "what the streams have yet to tell leaves it null";
  EXPECT_NE(holes[0].detail.find("Tier__c;"), std::string::npos) << holes[0].detail;
}

TEST_F(SchemaChangeTest, AHoleOfAFieldEndsOnceTheStreamsArePastTheMomentThatItWasShownAgain) {
  hear({before(1, true, {{"Name", "A"}, {"Tier__c", "tin"}})});
  described({"Size__c", "Gone__c"});
  clock.ms += 60'000;
  described({"Tier__c", "Size__c", "Gone__c"});
  const auto hole = [&] { return ledger->wide_holes("emea").at(0); };
  Listening by;
  by.now = clock.ms + 5'000;
  by.streams = {{hole().opened_at - 1'000, hole().opened_at - 1'000, "/data/ChangeEvents"}};
  ASSERT_TRUE(hidden->end_hole(hole(), by));
  EXPECT_EQ(hole().to_ts, 0) << "it may still tell of the time before";
  const auto tells_null = [&](int number) {
    hear({before(number, false, {{"Tier__c", kNull}, {"Gone__c", "x"}})});
    return image().find(R"("Tier__c":null)") != std::string::npos;
  };
  EXPECT_FALSE(tells_null(2)) << "so its null says nothing";
  make();
  EXPECT_FALSE(tells_null(3)) << "a start knows that";
  EXPECT_TRUE(heals_otherwise(hole())) << "nobody reads for it yet";
  by.streams[0].at_tip = hole().opened_at + 1'000;
  by.settle = Millis(1'000);
  ASSERT_TRUE(hidden->end_hole(hole(), by));
  EXPECT_EQ(hole().to_ts, 0) << "an event may come late";
  by.streams[0].at_tip += 1;
  ASSERT_TRUE(hidden->end_hole(hole(), by));
  EXPECT_EQ(hole().to_ts, by.now);
  EXPECT_FALSE(heals_otherwise(hole()));
  EXPECT_TRUE(tells_null(61)) << "null is null again";
}

TEST_F(SchemaChangeTest,
       ANullThatWasCommittedBeforeTheHoleOfItsFieldEndedSaysNothingThoughItComesLater) {
  const auto committed_at = [](int number) { return 1'772'366'400'000 + number * 1000; };
  const auto tells_null = [&](int number) {
    hear({before(number, false, {{"Tier__c", kNull}, {"Gone__c", "x"}})});
    return image().find(R"("Tier__c":null)") != std::string::npos;
  };
  hear({before(1, true, {{"Name", "A"}, {"Tier__c", "tin"}})});
  described({"Size__c", "Gone__c"});
  // Our clock is a day behind or ahead: the org's own decides.
  for (const EpochMs off : {-86'400'000, 86'400'000}) {
    clock.ms = committed_at(2) + off;
    described({"Tier__c", "Size__c", "Gone__c"});
    const auto hole = ledger->wide_holes("emea").at(0);
    Listening by;
    by.now = clock.ms + 2;
    by.streams = {{committed_at(5), clock.ms + 1, "/data/ChangeEvents"}};
    ASSERT_TRUE(hidden->end_hole(hole, by));
    ASSERT_NE(ledger->wide_holes("emea").at(0).to_ts, 0);
    EXPECT_FALSE(tells_null(3)) << "redelivered, before the field is read";
    make();
    EXPECT_FALSE(tells_null(4)) << "a start knows that";
    described({"Tier__c", "Size__c", "Gone__c"});
    EXPECT_FALSE(tells_null(5)) << "a describe forgets it not";
    if (off < 0) described({"Size__c", "Gone__c"});
  }
  EXPECT_TRUE(tells_null(6)) << "null is null again";
}

TEST_F(SchemaChangeTest, AHoleOfAFieldThatAClockAheadOpenedWaitsForNoDayToCome) {
  hear({before(1, true, {{"Name", "A"}, {"Tier__c", "tin"}})});
  described({"Size__c", "Gone__c"});
  described({"Tier__c", "Size__c", "Gone__c"});
  const auto hole = [&] { return ledger->wide_holes("emea").at(0); };
  Listening by;
  by.streams = {{0, 0, "/data/ChangeEvents"}};
  by.streams[0].at_tip = hole().opened_at + 1'000;
  by.now = hole().opened_at + 5'000;
  ASSERT_TRUE(hidden->end_hole(hole(), by));
  described({"Size__c", "Gone__c"});
  described({"Tier__c", "Size__c", "Gone__c"});
  EXPECT_EQ(hole().to_ts, 0) << "it began again";
  by.now = hole().opened_at - 86'400'000;
  by.streams[0].at_tip = by.now;
  ASSERT_TRUE(hidden->end_hole(hole(), by));
  EXPECT_EQ(hole().to_ts, by.now);
}

TEST_F(SchemaChangeTest, AFieldOfAnObjectWithoutRecordsIsNoHole) {
  described({"Size__c", "Gone__c"});
  described({"Tier__c", "Size__c", "Gone__c"});
  EXPECT_TRUE(ledger->wide_holes("emea").empty());
}

TEST_F(SchemaChangeTest, AFieldThatNoDescribeKnewIsHiddenOnlyOnceItWasShownOrIsCustom) {
  hear({before(1, true, {{"Name", "A"}})});
  salesforce::ObjectDescription object;
  object.name = "Account";
  ledger->names("emea", "Account").intern("UserPreferences");
  ASSERT_TRUE(hidden->described(object));
  const auto names = hidden->of("Account");
  ASSERT_TRUE(names) << "custom fields of the schema";
  EXPECT_EQ(names->size(), 3U) << "neither Name nor UserPreferences was ever shown";
  described({});
  ASSERT_TRUE(hidden->described(object));
  EXPECT_EQ(hidden->of("Account")->size(), 4U) << "Name was";
}

TEST_F(SchemaChangeTest, WhatTheOrgDoesNotShowUsIsRetiredUntilItDoes) {
  hear({before(1, true, {{"Name", "A"}, {"Tier__c", "tin"}, {"Size__c", "4"}})});
  described({"Size__c", "Gone__c"});
  EXPECT_FALSE(ledger->org_facts("emea")) << "whoever learns the facts adds them";
  EXPECT_EQ(hidden->all(), (crm::RetiredPaths{{"Account", {"Tier__c"}}}));
  ASSERT_TRUE(ledger->set_org_facts({"emea", "EUR", "DE", {{"001", "Account"}}}));
  described({"Gone__c"});
  EXPECT_EQ(ledger->org_facts("emea")->retired,
            (crm::RetiredPaths{{"Account", {"Size__c", "Tier__c"}}}));
  EXPECT_EQ(ledger->org_facts("emea")->object_by_prefix.size(), 1U) << "the others stay";
  described({"Tier__c", "Size__c", "Gone__c"});
  EXPECT_EQ(ledger->org_facts("emea")->retired, crm::RetiredPaths());
}

TEST_F(SchemaChangeTest, SchemasThatFlipFlopAreFetchedAndToldOnce) {
  testing::internal::CaptureStderr();
  std::int64_t number = 0;
  hear({before(++number, true, {{"Name", "A"}, {"Tier__c", "tin"}})});
  for (int i = 0; i < 20; ++i) {
    const std::string value = std::to_string(i);
    const auto old_number = ++number, new_number = ++number;
    hear({before(old_number, false, {{"Gone__c", value}}), after(new_number, {{"New__c", value}})});
  }
  const std::string log = testing::internal::GetCapturedStderr();
  std::size_t told = 0;
  for (auto at = log.find("another schema"); at != std::string::npos;
       at = log.find("another schema", at + 1)) {
    ++told;
  }
  EXPECT_EQ(told, 1U) << log;
  EXPECT_EQ(source.calls["before"], 1);
  EXPECT_EQ(source.calls["after"], 1);
  says(R"("Gone__c":"19")");
  says(R"("New__c":"19")");
}

TEST_F(SchemaChangeTest, ARecordCreatedByTheOlderSchemaOfADeploymentIsReadAgain) {
  hear({create(1, 1)});
  EXPECT_EQ(ledger->holes_open(), 0U) << "no other schema is known";
  hear({after(2, {{"New__c", "x"}})});
  hear({create(3, 2)});
  ASSERT_EQ(ledger->holes_open(), 1U);
  const auto hole = ledger->holes()[0];
  EXPECT_EQ(hole.cause, "older_schema");
  EXPECT_EQ(hole.id, test::account(2));
  hear({before(4, false, {{"Gone__c", "y"}})});
  EXPECT_EQ(ledger->holes_open(), 1U) << "an update tells what it lists";
  // The row, asked for after that event.
  read_again(2, {});
  EXPECT_EQ(ledger->holes_open(), 0U);
  // The deployment is long over.
  hear({create(4'000, 3)});
  EXPECT_EQ(ledger->holes_open(), 0U);
}

TEST_F(SchemaChangeTest, ASchemaIsInUseForAnHourAfterItsNewestEvent) {
  hear({create(1, 1)});
  hear({after(8'000, {{"New__c", "x"}})});
  hear({create(8'000 + 3'599, 2)});
  EXPECT_EQ(ledger->holes_open(), 1U);
  hear({after(2, {{"New__c", "x"}})});  // one of hours ago comes again
  hear({create(8'000 + 3'600, 3)});
  EXPECT_EQ(ledger->holes_open(), 2U);
}

TEST_F(SchemaChangeTest, AStartInTheMiddleOfADeploymentKnowsBothSchemas) {
  hear({before(1, true, {{"Name", "A"}}), after(2, {{"New__c", "x"}})});
  open();
  make();
  hear({create(3, 2)});
  ASSERT_EQ(ledger->holes_open(), 1U);
  EXPECT_EQ(ledger->holes()[0].cause, "older_schema");
  EXPECT_EQ(source.calls["after"], 1) << "it is kept";
  // Only the newer one was used for hours, and the daemon starts again.
  hear({after(8'000, {{"New__c", "y"}})});
  open();
  make();
  hear({after(8'001, {{"New__c", "z"}})});
  hear({{event_of(kAfter, 8'002, true, {{"Name", "A"}}, "Account", test::account(3)),
         "r8002",
         "after"}});
  EXPECT_EQ(ledger->holes_open(), 1U) << "what went out of use says nothing of what lacks";
}

TEST_F(SchemaChangeTest, AnUndeleteOfTwoRecordsPutsBothInDoubtFromWhenItWasCommitted) {
  const std::string one = test::account(1), two = test::account(2);
  std::string event = event_of(kBefore, 3, false, {}, "Account", one, ChangeType::Undelete);
  const std::string alone = Bytes().texts({one}).out;
  event.replace(event.find(alone), alone.size(), Bytes().texts({one, two}).out);
  hear({{event, "r3", "before"}});
  auto holes = ledger->holes();
  std::erase_if(holes, [](const ledger::Hole& hole) { return hole.cause != "undeleted"; });
  ASSERT_EQ(holes.size(), 2U);
  EXPECT_EQ(holes[0].id, one);
  EXPECT_EQ(holes[1].id, two);
  EXPECT_EQ(holes[0].from_ts, 1'772'366'403'000);
}

TEST_F(SchemaChangeTest, AnUndeleteOverwritesNoValueWithWhatItLeavesEmpty) {
  const auto event =
      [](std::int64_t number, ChangeType type, const std::map<std::string, std::string>& values) {
        return test::FakeSource::Event{
            event_of(kBefore, number, false, values, "Account", test::account(1), type),
            "r" + std::to_string(number),
            "before"};
      };
  hear({before(1, true, {{"Name", "A"}, {"Tier__c", "gold"}, {"Size__c", "9"}})});
  hear({event(2, ChangeType::Delete, {})});
  hear({event(3, ChangeType::Undelete, {{"Name", "A"}, {"Size__c", "10"}})});
  says(R"("Tier__c":"gold")");
  says(R"("Size__c":"10")");
  ASSERT_EQ(ledger->counts().at(0).alive, 1U);
  const auto hole = ledger->due_refetches("emea", clock.now_ms(), 10).at(0);
  EXPECT_EQ(hole.cause, "undeleted") << "it may be hidden, or empty indeed: the row says";
  NameTable& names = ledger->names("emea", "Account");
  const Member empty{*names.find("Tier__c"), {}};
  read_again(1, {&empty, 1});
  says(R"("Tier__c":null)");
  EXPECT_TRUE(ledger->due_refetches("emea", clock.now_ms(), 10).empty());
}

TEST_F(SchemaChangeTest, AMappedFieldWhoseTypeNoLongerFitsKeepsItsValueInRaw) {
  config::Problems problems;
  const auto mapping = config::parse_mapping({{"m.yaml", R"(version: 1
mapping_rev: 2
entities:
  account:
    object: Account
    base: builtin
    fields:
      due: {expr: 'Size__c', type: date, column: true}
)"}},
                                             problems);
  ASSERT_EQ(problems.str(), "");
  ASSERT_TRUE(ledger->set_mapping(mapping));
  hear({before(1, true, {{"Name", "A"}, {"Size__c", "4"}})});
  hear({after(2, {{"Size__c", "4.5"}})});
  says(R"("due":null)");
  says(R"("raw":{"Size__c":4.5})");
}

TEST_F(SchemaChangeTest, ANewCustomObjectNeedsNothing) {
  hear({{event_of(kInvoice, 1, true, {{"Name", "I-1"}, {"Total__c", "7"}}, "Invoice__c"),
         "r1",
         "invoice"}});
  says(R"("name":"I-1")", "Invoice__c");
  says(R"("Total__c":"7")", "Invoice__c");
  EXPECT_EQ(ledger->quarantine_open(), 0U);
}

/// Lists objects; nothing else is asked of it.
class ListingApi final : public test::NoApi {
 public:
  Result<std::vector<salesforce::ObjectInfo>> describe_global() override {
    ++listed;
    return objects;
  }
  Result<std::vector<salesforce::RecordTypeInfo>> record_types() override {
    ++types_listed;
    return types;
  }
  std::vector<salesforce::ObjectInfo> objects{{"Account", "001", true, true}};
  std::vector<salesforce::RecordTypeInfo> types;
  int listed = 0, types_listed = 0;
};

TEST_F(SchemaChangeTest, LookupsToANewObjectNameItOnceTheOrgWasAsked) {
  ASSERT_TRUE(ledger->set_org_facts({"emea", "EUR", "DE", {{"001", "Account"}}}));
  ListingApi api;
  FactsTask task = facts_task(api);
  hear({before(1, true, {{"Name", "A"}})});
  const auto look = [&] {
    clock.ms += 10'000;
    ASSERT_TRUE(task.step());
  };
  look();
  EXPECT_EQ(api.listed, 0) << "every object is known";

  const std::vector<Field> lookup{{"Name", "Text", ""}, {"Bill__c", "EntityId", "00N06"}};
  source.schemas["lookup"] = schema_of("AccountChangeEvent", lookup);
  hear({{event_of(kInvoice, 2, true, {{"Name", "I"}}, "Invoice__c", "a0B5f00000AAAAA"),
         "r2",
         "invoice"},
        {event_of(lookup, 3, false, {{"Bill__c", "a0B5f00000AAAAAEA0"}}), "r3", "lookup"}});
  says(R"(emea::a0B5f00000AAAAA)");
  look();
  EXPECT_EQ(api.listed, 1);
  look();
  EXPECT_EQ(api.listed, 1) << "hidden from us: not asked for each time";
  api.objects.push_back({"Invoice__c", "a0B", true, true});
  clock.ms += 3'600'000;
  look();
  EXPECT_EQ(api.listed, 2);
  says(R"(emea:Invoice__c:a0B5f00000AAAAA)");
  clock.ms += 3'600'000;
  look();
  EXPECT_EQ(api.listed, 3) << "once an hour all the same: `resync` refuses what the org has not";
}

TEST_F(SchemaChangeTest, AnObjectThatSomebodyNamesIsLookedForAtOnce) {
  ASSERT_TRUE(ledger->set_org_facts({"emea", "EUR", "DE", {{"001", "Account"}}}));
  ListingApi api;
  api.objects.push_back({"Invoice__c", "a0B", true, true});
  FactsTask task = facts_task(api);
  const auto look = [&] {
    clock.ms += 5'000;
    ASSERT_TRUE(task.step());
  };
  look();
  EXPECT_EQ(api.listed, 0);
  ASSERT_TRUE(want_object(*ledger, "emea", "Invoice__c"));
  ASSERT_TRUE(want_object(*ledger, "apac", "Other__c"));
  look();
  EXPECT_EQ(api.listed, 1);
  EXPECT_TRUE(ledger->org_facts("emea")->object_by_prefix.contains("a0B"));
  look();
  EXPECT_EQ(api.listed, 1) << "once for each time that it is named";
}

TEST_F(SchemaChangeTest, ARecordOfANewTypeIsToldItsNameOnceTheOrgWasAsked) {
  ASSERT_TRUE(ledger->set_org_facts({"emea", "EUR", "DE", {{"001", "Account"}}}));
  ListingApi api;
  FactsTask task = facts_task(api);
  const auto look = [&](std::int64_t after = 10'000) {
    clock.ms += after;
    ASSERT_TRUE(task.step());
  };
  look();
  EXPECT_EQ(api.types_listed, 0);
  const std::string type = "0125f000000UkUkAAK";
  const std::vector<Field> typed{{"Name", "Text", ""}, {"RecordTypeId", "EntityId", ""}};
  source.schemas["typed"] = schema_of("AccountChangeEvent", typed);
  hear({{event_of(typed, 1, true, {{"Name", "A"}, {"RecordTypeId", type}}), "r1", "typed"}});
  says(R"("record_type":null,"record_type_id":"0125f000000UkUkAAK")");
  look();
  EXPECT_EQ(api.types_listed, 1);
  look();
  EXPECT_EQ(api.types_listed, 1) << "hidden from us: not asked for each time";
  api.types = {{*RecordId::parse(type), "UK_Customer"}};
  look(3'600'000);
  EXPECT_EQ(api.types_listed, 2);
  says(R"("record_type":"UK_Customer")");
  api.types[0].developer_name = "GB_Customer";
  look();
  EXPECT_EQ(api.types_listed, 2);
  look(3'600'000);
  says(R"("record_type":"GB_Customer")");
}

}  // namespace
}  // namespace headwater
