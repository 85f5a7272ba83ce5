// fields, extra and raw together restore the raw image, whatever it is (unified-model.md section
// 5).

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <random>
#include <set>

#include "schemas/crm/expression.hpp"
#include "schemas/crm/source.hpp"
#include "tests/unit/crm/fixture.hpp"

namespace headwater::crm {
namespace {

std::string shown(const ValueView& value) {
  std::string out;
  append_json_value(out, value);
  return out;
}

/// A record of `object` with a random part of the paths that its mapping reads, and of others.
class RandomRecord {
 public:
  RandomRecord(const EntityMapping& entity, std::uint32_t seed) : random_(seed) {
    std::set<std::string> paths{
        "Extra__c", "Lookup__c", "BillingAddress.Xyz", "Name", "MasterRecordId"};
    for (const auto& field : entity.fields) {
      for (const auto& path : field.expr->paths()) {
        if (field.type != FieldType::Address) {
          paths.insert(path);
          continue;
        }
        for (const auto& part : kAddressParts) paths.insert(path + "." + std::string(part.child));
      }
    }
    for (const auto& path : paths) {
      if (random_() % 4 != 0) values_.emplace_back(path, value());
    }
  }
  const auto& values() const { return values_; }

 private:
  ValueView value() {
    static constexpr std::string_view kTexts[] = {"",
                                                  "Acme",
                                                  " padded ",
                                                  "https://www.acme.co.uk",
                                                  "a;b",
                                                  "0015f00002JUXA8AAP",
                                                  "0015f00002JUXA8",
                                                  "\u00e9\u00a0"};
    const std::string_view some = kTexts[random_() % std::size(kTexts)];
    switch (random_() % 10) {
      case 0:
        return ValueView::null();
      case 1:
        return ValueView::boolean(random_() % 2 == 0);
      case 2:
        return ValueView::integer(static_cast<std::int64_t>(random_()) - (1LL << 31));
      case 3:
        return ValueView::decimal(static_cast<double>(random_()) / 64);
      case 4:
        return ValueView::of_text(some, Tag::Multi);
      case 5:
        return ValueView::of_number(random_() % 30'000, Tag::Date);
      case 6:
        return ValueView::of_number(static_cast<std::int64_t>(random_()) * 1000, Tag::DateTime);
      case 7:
        return ValueView::of_text("0055f000005mc66AAA", Tag::Ref);
      default:
        return ValueView::of_text(some);
    }
  }
  std::mt19937 random_;
  std::vector<std::pair<std::string, ValueView>> values_;
};

/// Looks for one source value in a projection.
class Finder {
 public:
  Finder(const EntityMapping& entity, const ImageView& image) : entity_(entity), image_(image) {}

  bool finds(const std::string& path, const ValueView& value) const {
    const ValueView* extra = image_.find(Section::Extra, path);
    if (extra != nullptr) return *extra == value;
    if (value.is_null()) return true;  // a mapped path: null and unknown are both null there
    const ValueView* raw = image_.find(Section::Raw, path);
    if (raw != nullptr) return *raw == value;
    return std::any_of(entity_.fields.begin(),
                       entity_.fields.end(),
                       [&](const FieldMapping& field) { return shows(field, path, value); });
  }

 private:
  bool shows(const FieldMapping& field, const std::string& path, const ValueView& value) const {
    const auto& reads = field.expr->paths();
    const ValueView& made = *image_.find(Section::Fields, field.name);
    const std::string parent = path.substr(0, path.find('.'));
    if (field.type == FieldType::Address && !reads.empty() && reads[0] == parent &&
        path != parent) {
      const auto json = boost::json::parse(made.text).as_object();
      for (const auto& part : kAddressParts) {
        if (path.substr(parent.size() + 1) == part.child) {
          return boost::json::parse(shown(value)) == json.at(part.key);
        }
      }
      return false;
    }
    const bool read = std::any_of(
        reads.begin(), reads.end(), [&](const std::string& p) { return p == path || p == parent; });
    if (!read) return false;
    // What the field was made of: an id of 15 characters is the front of the one of 18.
    const bool widened = made.tag == Tag::Ref && value.holds_text() && value.text.size() == 15 &&
                         made.text.starts_with(value.text);
    if (made.tag == Tag::Multi || value.tag == Tag::Multi) return made.text == value.text;
    return widened || shown(made) == shown(value);
  }

  const EntityMapping& entity_;
  const ImageView& image_;
};

TEST(Restore, EveryKnownSourceValueIsFoundAgain) {
  const auto mapping = mapping_of();
  std::vector<std::string> objects{"Invoice__c"};
  for (const auto& entity : mapping->entities()) objects.push_back(entity.object);
  for (const auto& object : objects) {
    const EntityMapping& entity = mapping->of_object(object);
    for (std::uint32_t seed = 0; seed < 200; ++seed) {
      const RandomRecord record(entity, seed);
      Bench bench(mapping, object);
      for (const auto& [path, value] : record.values()) bench.set(path, value);
      bench.project();
      const ImageView image = bench.out_.image(bench.names_);
      const Finder finder(entity, image);
      for (const auto& [path, value] : record.values()) {
        ASSERT_TRUE(finder.finds(path, value))
            << object << " seed " << seed << ": " << path << " = " << shown(value);
      }
    }
  }
}

TEST(Restore, SectionsAreSortedByNameWithoutRepeats) {
  const auto mapping = mapping_of();
  for (std::uint32_t seed = 0; seed < 200; ++seed) {
    const RandomRecord record(mapping->of_object("Account"), seed);
    Bench bench(mapping, "Account");
    for (const auto& [path, value] : record.values()) bench.set(path, value);
    bench.project();
    for (const auto& members : bench.out_.sections) {
      for (std::size_t i = 1; i < members.size(); ++i) {
        ASSERT_LT(bench.names_.text(members[i - 1].name), bench.names_.text(members[i].name))
            << seed;
      }
    }
  }
}

}  // namespace
}  // namespace headwater::crm
