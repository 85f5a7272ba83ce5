#include "connectors/kafka/headers.hpp"

#include <gtest/gtest.h>

#include <map>

#include "connectors/sink.hpp"
#include "tests/support/entry_maker.hpp"

namespace headwater::kafka {
namespace {

std::map<std::string, std::string> all(const HeaderList& list) {
  std::map<std::string, std::string> out;
  for (std::size_t i = 0; i < list.size(); ++i) out[std::string(list[i].name)] = list[i].value;
  return out;
}

TEST(KafkaHeaders, AChangeCarriesCloudEventsAndOurs) {
  test::EntryMaker maker;
  EntryView entry = maker.add({.rev = 1769904000123456});
  entry.meta.version = {1, 1100670838951, 1, 0};
  entry.meta.commit_ts = 1772366400000;
  entry.origin.transaction_key = "00006bec-ce66-0611-9018-30a98446c9f2";
  HeaderList list;
  render_fixed_change_headers(list, entry, 7);
  render_varying_change_headers(list, entry);
  const std::map<std::string, std::string> expected{
      {"ce_specversion", "1.0"},
      {"ce_id", "emea/00006bec-ce66-0611-9018-30a98446c9f2/1/0035f00000ABCDeAAP"},
      {"ce_type", "com.headwater.contact.updated.v1"},
      {"ce_source", "/salesforce/emea"},
      {"ce_subject", "emea:Contact:0035f00000ABCDeAAP"},
      {"ce_time", "2026-03-01T12:00:00.000Z"},
      {"ce_sequence", "001-00000001100670838951-0000000001"},
      {"ce_partitionkey", "emea:Contact:0035f00000ABCDeAAP"},
      {"content-type", "application/json"},
      {"org", "emea"},
      {"bu", "uk"},
      {"entity", "contact"},
      {"op", "u"},
      {"rev", "1769904000123456"},
      {"epoch", "7"}};
  EXPECT_EQ(all(list), expected);
  EXPECT_EQ(list.find("ce_sequence"), entry.meta.version.str());
}

TEST(KafkaHeaders, ACustomObjectsTypeHasADotForTheColon) {
  test::EntryMaker maker;
  HeaderList list;
  const auto& entry =
      maker.add({.op = Op::Create, .object = "Invoice__c", .entity = "custom:Invoice__c"});
  render_fixed_change_headers(list, entry, 1);
  render_varying_change_headers(list, entry);
  EXPECT_TRUE(list.find("ce_type").starts_with("com.headwater.custom.Invoice__c."));
}

TEST(KafkaHeaders, ARecordCarriesWhatATombstoneCannotSay) {
  test::EntryMaker maker;
  HeaderList list;
  render_fixed_record_headers(list, maker.add({.op = Op::Delete, .rev = 9}), 2);
  render_varying_record_headers(list, maker.add({.op = Op::Delete, .rev = 9}));
  const std::map<std::string, std::string> expected{
      {"org", "emea"}, {"op", "d"}, {"rev", "9"}, {"epoch", "2"}};
  EXPECT_EQ(all(list), expected);
}

TEST(KafkaHeaders, APlatformEventCarriesCloudEventsAndOurs) {
  test::EntryMaker maker;
  EntryView entry = maker.add(test::platform_event(9, "x"));
  HeaderList list;
  render_fixed_event_headers(list, entry, 7);
  render_varying_event_headers(list, entry);
  const std::map<std::string, std::string> expected{
      {"ce_specversion", "1.0"},
      {"ce_id", "emea/Order_Event__e/uuid-x"},
      {"ce_type", "com.headwater.event.Order_Event__e.published.v1"},
      {"ce_source", "/salesforce/emea"},
      {"ce_subject", "emea:Order_Event__e"},
      {"ce_time", "2026-03-01T12:00:00.000Z"},
      {"ce_partitionkey", "emea:Order_Event__e"},
      {"content-type", "application/json"},
      {"org", "emea"},
      {"rev", "9"},
      {"epoch", "7"}};
  EXPECT_EQ(all(list), expected);
  entry.origin.event_uuid = {};
  list.clear();
  render_varying_event_headers(list, entry);
  EXPECT_EQ(list.find("ce_id"), "emea/Order_Event__e/78") << "the replay id stands in";
}

TEST(KafkaHeaders, AQuarantineRowThatIsNotJsonStillHasOurs) {
  test::EntryMaker maker;
  EntryView entry = maker.add({.rev = 3, .kind = EntryKind::Quarantine});
  entry.row = "{broken";
  entry.closed = true;
  HeaderList list;
  render_quarantine_headers(list, entry, 2);
  const std::map<std::string, std::string> expected{
      {"org", "emea"}, {"rev", "3"}, {"epoch", "2"}, {"status", "closed"}};
  EXPECT_EQ(all(list), expected);
}

}  // namespace
}  // namespace headwater::kafka
