// The tables of the built-in mapping, filled with what the real projector makes.

#include "config/mapping_file.hpp"
#include "schemas/crm/projector.hpp"
#include "sink_fixture.hpp"

namespace headwater::postgres {
namespace {

class PostgresMapping : public SinkTest {
 protected:
  PostgresMapping() {
    plans_ = plan_tables(*mapping_);
    facts_->name = "emea";
    facts_->object_by_prefix = {{"001", "Account"}, {"005", "User"}, {"006", "Opportunity"}};
  }

  /// A record's entry as the ledger would make it of these source fields.
  EntryView project(const std::string& object, const std::string& id, const Values& source) {
    auto& projector = projectors_.emplace_back(mapping_, facts_, object, table_);
    crm::RawSlots raw(table_.size() + source.size(), ValueView{Tag::Absent, 0, 0, {}});
    for (const auto& [path, value] : source) {
      const NameId name = table_.intern(path);
      if (name >= raw.size()) raw.resize(name + 1, ValueView{Tag::Absent, 0, 0, {}});
      raw[name] = value;
    }
    auto& projection = projections_.emplace_back();
    projector.project(raw, {id, 1'772'366'400'000, 0}, projection);
    EntryView out = entry(
        {.id = id, .rev = ++rev_, .object = object, .entity = std::string(projector.entity())});
    out.after = projection.image(table_);
    out.sort_at = projection.sort_at;
    return out;
  }

  void write_all(std::vector<EntryView> entries) {
    auto sink = open_sink();
    const CursorMove move{"emea", Rev{rev_}, 0};
    const auto done = sink->write({entries, {&move, 1}, Mode::Follow});
    ASSERT_TRUE(done.ok()) << done.error().message;
  }

  std::shared_ptr<const crm::Mapping> mapping_ = [] {
    config::Problems problems;
    auto mapping = config::load_mapping({}, problems);
    EXPECT_TRUE(problems.empty()) << problems.str();
    return mapping;
  }();
  std::shared_ptr<crm::OrgFacts> facts_ = std::make_shared<crm::OrgFacts>();

 private:
  NameTable table_;
  std::deque<crm::Projector> projectors_;
  std::deque<crm::Projection> projections_;
  std::uint64_t rev_ = 0;
};

TEST_F(PostgresMapping, EveryBuiltInEntityHasATableAndAView) {
  open_sink();
  EXPECT_EQ(sql("select count(*) from pg_tables where schemaname = 'crm'"),
            // And cursor, edge, hole, quarantine, platform_event, migration, layout.
            std::to_string(plans_.size() + 7));
  EXPECT_EQ(sql("select count(*) from pg_views where schemaname = 'crm'"),
            std::to_string(plans_.size()));
  open_sink();  // finds nothing to do, or it would fail to make them again
}

TEST_F(PostgresMapping, AnOpportunityFillsItsColumnsAndEdges) {
  write_all({project("Opportunity",
                     "0065f00000AbCdEAAV",
                     {{"AccountId", ValueView::of_text(kAcme, Tag::Ref)},
                      {"Amount", ValueView::decimal(12'348.67)},
                      {"CloseDate", ValueView::of_number(20'513, Tag::Date)},
                      {"CreatedDate", ValueView::of_number(1'700'000'000'000, Tag::DateTime)},
                      {"IsClosed", ValueView::boolean(true)},
                      {"IsWon", ValueView::boolean(true)},
                      {"Name", text("Big deal")},
                      {"OwnerId", ValueView::of_text("0055f000005mc66AAA", Tag::Ref)},
                      {"Probability", ValueView::decimal(100)},
                      {"Region_Code__c", text("EMEA-7")},
                      {"StageName", text("Closed Won")}})});
  EXPECT_EQ(
      sql("select name, account_id, amount, close_date, stage, status, probability, owner_id, "
          "fields, "
          "extra ->> 'Region_Code__c' from crm.opportunity_live"),
      "Big deal|" + kAcme + "|12348.67|2026-03-01|Closed Won|won|100|0055f000005mc66AAA|{}|EMEA-7");
  EXPECT_EQ(sql("select rel, to_object, sort_at at time zone 'UTC' from crm.edge order by rel"),
            "account|Account|2026-03-01 00:00:00\nowner|User|2026-03-01 00:00:00");
}

TEST_F(PostgresMapping, AnUnmappedObjectKeepsItsFieldsInExtra) {
  write_all({project("Invoice__c",
                     "a0B5f000001AbCdEAK",
                     {{"Name", text("INV-1")}, {"Total__c", ValueView::decimal(99.5)}})});
  EXPECT_EQ(sql("select object, name, fields, extra from crm.custom_record"),
            "Invoice__c|INV-1|{}|{\"Total__c\": 99.5}");
}

}  // namespace
}  // namespace headwater::postgres
