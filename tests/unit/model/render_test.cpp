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
              false,
              {},
              {}};
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

/// The envelope's `before` of an entry that turns one image into the other must be the record that
/// the first image alone renders, and its `after` the record of the second.
void expect_both_images(const Example& before, const Example& after, bool keep_all = true) {
  std::pmr::monotonic_buffer_resource arena;
  EntryView was = after.entry();
  was.after = before.image();
  EntryView is = after.entry();
  is.has_before = true;
  is.before = is.meta;
  is.before_bu = is.bu;
  is.old = diff_image(before.image(), after.image(), arena);
  EXPECT_EQ(is.old.empty(), keep_all);
  std::string want_before, want_after, got;
  append_record_json(want_before, was);
  append_record_json(want_after, is);
  EnvelopeWriter writer;
  for (int again = 0; again < 2; ++again) {
    got.assign("x");
    EXPECT_EQ(writer.append(got, is, {"1", "00D"}), want_after);
    const std::size_t at = got.find(R"("before":)") + 9;
    EXPECT_EQ(got.substr(at, want_before.size()), want_before);
    EXPECT_EQ(got.substr(at + want_before.size(), 10 + want_after.size()),
              R"(,"after":)" + want_after + ',');
  }
}

TEST(Render, AMultiSelectIsTheArrayOfItsItemsInOrder) {
  const auto shown = [](std::string_view items) {
    std::string out;
    append_json_value(out, ValueView::of_text(items, Tag::Multi));
    return out;
  };
  EXPECT_EQ(shown("b;a;\"c\";d"), R"(["b","a","\"c\"","d"])");
  EXPECT_EQ(shown("a"), R"(["a"])");
  EXPECT_EQ(shown(""), "[]");
}

TEST(Render, BeforeIsAfterWithTheOldValuesPutBack) {
  expect_both_images({}, {});
  // Each member in turn, then all of a section: changed, new, or gone.
  for (std::size_t s = 0; s < kSections; ++s) {
    const std::size_t members = Example().members[s].size();
    for (std::size_t i = 0; i < members; ++i) {
      Example other;
      other.members[s][i].value = ValueView::of_text("another");
      expect_both_images(other, {}, false);
      other.members[s].erase(other.members[s].begin() + static_cast<std::ptrdiff_t>(i));
      expect_both_images(other, {}, false);
      expect_both_images({}, other, false);
    }
    Example none;
    none.members[s].clear();
    expect_both_images(none, {}, false);
    expect_both_images({}, none, false);
  }
}

TEST(Render, BeforeHasItsOwnUnitAndWasNotMerged) {
  const Example example;
  EntryView was = example.entry();
  was.bu = "fr";
  EntryView is = example.entry();
  is.has_before = true;
  is.before = is.meta;
  is.before_bu = was.bu;
  is.merged_into = "0015f00002JUXA9AAP";
  std::string want, got;
  append_record_json(want, was);
  EnvelopeWriter().append(got, is, {"1", "00D"});
  EXPECT_NE(got.find(R"("before":)" + want + ','), std::string::npos) << got;
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
  std::string out;
  EXPECT_EQ(EnvelopeWriter().append(out, e, {"0.1.0", "00D5f000000AbCdEAK"}), "");
  EXPECT_NE(out.find(R"("after":null,"changed":[])"), std::string::npos) << out;
  std::string last;
  append_record_json(last, example.entry());
  EXPECT_NE(out.find(R"("before":)" + last), std::string::npos);
  EXPECT_EQ(event_verb(e), "deleted");
}

}  // namespace
}  // namespace headwater
