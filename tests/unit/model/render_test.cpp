#include "schemas/model/render.hpp"

#include <gtest/gtest.h>

#include "schemas/core/sha256.hpp"

namespace headwater {
namespace {

/// The contact that unified-model.md section 8 shows.
struct Example {
  NameTable names;
  std::array<std::vector<Member>, kSections> members;

  void add(Section section, std::string_view name, ValueView value) {
    members[static_cast<std::size_t>(section)].push_back({names.intern(name), value});
  }
  ImageView image() const {
    ImageView view;
    view.names = &names;
    for (std::size_t s = 0; s < kSections; ++s) view.sections[s] = members[s];
    return view;
  }
  Example() {
    const auto text = [](std::string_view t) { return ValueView::of_text(t); };
    add(Section::Fields, "account_id", ValueView::of_text("0015f00002JUXA8AAP", Tag::Ref));
    add(Section::Fields, "birthdate", ValueView::null());
    add(Section::Fields, "created_at", ValueView::of_number(1714636800000, Tag::DateTime));
    add(Section::Fields, "currency", text("GBP"));
    add(Section::Fields, "email", text("ann@acme.example"));
    add(Section::Fields, "first_name", text("Ann"));
    add(Section::Fields, "last_name", text("Lee"));
    add(Section::Fields, "mobile", text("+447700900123"));
    add(Section::Fields, "name", text("Ann Lee"));
    add(Section::Fields, "owner_id", ValueView::of_text("0055f000005mc66AAA", Tag::Ref));
    add(Section::Fields, "score", ValueView::decimal(41.5));
    add(Section::Fields, "tier", text("Gold"));
    add(Section::Fields, "title", text("CFO"));
    add(Section::Fields, "updated_at", ValueView::of_number(1772366400000, Tag::DateTime));
    add(Section::Extra, "Interests__c", ValueView::of_text("Golf;Wine", Tag::Multi));
    add(Section::Extra, "Region_Code__c", text("EMEA-7"));
    add(Section::Raw, "Email", text("Ann@Acme.example "));
    add(Section::Raw, "MobilePhone", text("07700 900123"));
    add(Section::Refs, "account", text("emea:Account:0015f00002JUXA8AAP"));
    add(Section::Refs, "owner", text("emea:User:0055f000005mc66AAA"));
  }
  EntryView entry() const {
    EntryView e;
    e.rkey = "emea:Contact:0035f00000ABCDeAAP";
    e.org = "emea";
    e.object = "Contact";
    e.id = "0035f00000ABCDeAAP";
    e.entity = "contact";
    e.bu = "uk";
    e.after = image();
    e.meta = {Rev{1769904000123456},
              {1, 1100670838951, 1, 0},
              1772366400000,
              0xe7789524cfff8600,
              7,
              true,
              false};
    return e;
  }
};

TEST(Render, HashOfTheDocumentedExample) {
  std::string bytes;
  append_hash_input(bytes, "uk", Example().image());
  EXPECT_EQ(sha256_head(bytes), 0xe7789524cfff8600U) << bytes;
}

TEST(Render, RecordOfTheDocumentedExample) {
  std::string out;
  append_record_json(out, Example().entry());
  EXPECT_EQ(
      out,
      R"({"key":"emea:Contact:0035f00000ABCDeAAP","org":"emea","object":"Contact","id":"0035f00000ABCDeAAP","entity":"contact","bu":"uk","customer":null,)"
      R"("fields":{"account_id":"0015f00002JUXA8AAP","birthdate":null,"created_at":"2024-05-02T08:00:00.000Z","currency":"GBP","email":"ann@acme.example","first_name":"Ann","last_name":"Lee","mobile":"+447700900123","name":"Ann Lee","owner_id":"0055f000005mc66AAA","score":41.5,"tier":"Gold","title":"CFO","updated_at":"2026-03-01T12:00:00.000Z"},)"
      R"("extra":{"Interests__c":["Golf","Wine"],"Region_Code__c":"EMEA-7"},)"
      R"("raw":{"Email":"Ann@Acme.example ","MobilePhone":"07700 900123"},)"
      R"("refs":{"account":"emea:Account:0015f00002JUXA8AAP","owner":"emea:User:0055f000005mc66AAA"},)"
      R"("meta":{"rev":1769904000123456,"ver":"001-00000001100670838951-0000000001","commit_ts":"2026-03-01T12:00:00.000Z","complete":true,"deleted":false,"merged_into":null,"mapping_rev":7,"hash":"e7789524cfff8600"}})");
}

TEST(Render, BeforeIsAfterWithTheOldValuesPutBack) {
  const Example after;
  Example before;
  before.members[0][7].value = ValueView::of_text("+447700900100");
  before.members[1].pop_back();  // Region_Code__c did not exist
  std::pmr::monotonic_buffer_resource arena;
  EntryView e = after.entry();
  e.old = diff_image(before.image(), after.image(), arena);
  e.has_before = true;
  e.before = e.meta;
  e.before_bu = "uk";
  EXPECT_EQ(e.old[Section::Fields].size(), 1U);
  EXPECT_EQ(e.old[Section::Extra][0].value.tag, Tag::Absent);
  EntryView was = after.entry();
  was.after = before.image();
  std::string want, got;
  append_record_json(want, was);
  append_before_json(got, e, arena);
  EXPECT_EQ(got, want);
}

TEST(Render, EnvelopeOfADeleteCarriesTheLastImage) {
  const Example example;
  EntryView e = example.entry();
  e.op = Op::Delete;
  e.old = e.after;
  e.after = ImageView{};
  e.has_before = true;
  e.before = e.meta;
  e.before_bu = "uk";
  e.origin.type = ChangeType::Delete;
  std::pmr::monotonic_buffer_resource arena;
  std::string out;
  append_envelope_json(out, e, {"0.1.0", "00D5f000000AbCdEAK"}, arena);
  EXPECT_NE(out.find(R"("after":null,"changed":[])"), std::string::npos) << out;
  EXPECT_NE(out.find(R"("before":{"key":"emea:Contact)"), std::string::npos);
  EXPECT_EQ(event_verb(e), "deleted");
}

}  // namespace
}  // namespace headwater
