// A record projected again after some of its fields changed is the record projected anew.

#include <random>

#include "tests/unit/crm/fixture.hpp"

namespace headwater::crm {
namespace {

std::string json_of(const Projection& projection, const NameTable& names) {
  std::string out = std::string(projection.bu) + ' ';
  append_hash_input(out, projection.bu, projection.image(names));
  out += projection.sort_at ? std::to_string(*projection.sort_at) : "none";
  if (!projection.violations.empty()) append_violations(out, names, projection.violations);
  return out;
}

/// Values that fit their fields, do not fit, are null, or were never seen.
ValueView some_value(std::mt19937& random, std::deque<std::string>& texts) {
  switch (random() % 8) {
    case 0:
      return ValueView::null();
    case 1:
      return {Tag::Absent, 0, 0, {}};
    case 2:
      return ValueView::decimal(static_cast<double>(random() % 1000) / 8);
    case 3:
      return at_ms(1'700'000'000'000 + static_cast<std::int64_t>(random() % 1'000'000'000));
    case 4:
      return ref("0015f00002JUXA8AAP");
    case 5:
      return ValueView::boolean(random() % 2 == 0);
    default:
      return text(texts.emplace_back("  www.text" + std::to_string(random() % 50) + ".example "));
  }
}

TEST(ProjectAgain, EqualsAProjectionMadeAnew) {
  const std::vector<std::string> kPaths{"Name",
                                        "FirstName",
                                        "LastName",
                                        "AccountId",
                                        "Website",
                                        "Phone",
                                        "MailingAddress",
                                        "IsDeleted",
                                        "Amount",
                                        "CloseDate",
                                        "StageName",
                                        "IsClosed",
                                        "IsWon",
                                        "LastModifiedDate",
                                        "CreatedDate",
                                        "Tier__c",
                                        "Parent__c",
                                        "Status",
                                        "AnnualRevenue",
                                        "ActivityDateTime",
                                        "ActivityDate",
                                        "MailingAddress.City",
                                        "BillingAddress.Street",
                                        "BillingAddress.City",
                                        "BillingAddress.Country",
                                        "DurationInMinutes",
                                        "IsAllDayEvent",
                                        "OwnerId",
                                        "RecordTypeId",
                                        "Email"};
  std::mt19937 random(11);
  for (const char* object : {"Account", "Contact", "Opportunity", "Event", "Invoice__c", "Lead"}) {
    Bench again(mapping_of(), object);
    Bench anew(mapping_of(), object);
    std::deque<std::string> texts;
    Projection changed;
    for (int round = 0; round < 300; ++round) {
      for (const std::string& path : kPaths) {
        const ValueView value = some_value(random, texts);
        again.set(path, value);
        anew.set(path, value);
      }
      again.facts.touched_at = anew.facts.touched_at = 0;
      again.project();
      std::vector<Member> members;
      for (std::size_t i = random() % 5; i > 0; --i) {
        const std::string& path = kPaths[random() % kPaths.size()];
        const ValueView value = some_value(random, texts);
        again.set(path, value);
        anew.set(path, value);
        members.push_back({again.names_.intern(path), value});
      }
      anew.facts.touched_at = again.facts.touched_at = random() % 2 == 0 ? 0 : 1'772'366'400'001;
      again.projector_.project_again(again.raw_, again.facts, members, again.out_, changed);
      ASSERT_EQ(json_of(changed, again.names_), json_of(anew.project(), anew.names_))
          << object << " round " << round;
    }
  }
}

}  // namespace
}  // namespace headwater::crm
