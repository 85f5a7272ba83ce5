// What projection costs per record: an Account as a busy org has it, 40 source fields, all sections
// used.
#include <benchmark/benchmark.h>

#include "config/mapping_file.hpp"
#include "schemas/crm/projector.hpp"

namespace headwater::crm {
namespace {

struct Record {
  NameTable names;
  RawSlots raw;
  void set(std::string_view path, ValueView value) {
    const NameId id = names.intern(path);
    if (raw.size() <= id) raw.resize(id + 1, ValueView{Tag::Absent, 0, 0, {}});
    raw[id] = value;
  }
};

ValueView ref(std::string_view id) { return ValueView::of_text(id, Tag::Ref); }

void fill_account(Record& account) {
  const auto text = [](std::string_view t) { return ValueView::of_text(t); };
  for (const auto* path : {"Type",
                           "Industry",
                           "Ownership",
                           "Rating",
                           "Sic",
                           "NaicsCode",
                           "Site",
                           "TickerSymbol",
                           "AccountSource",
                           "AccountNumber",
                           "Description"}) {
    account.set(path, text("some text of a picklist"));
  }
  for (const auto* path : {"Street", "City", "State", "PostalCode", "Country"}) {
    account.set(std::string("BillingAddress.") + path, text("Karl-Marx-Allee 1"));
  }
  account.set("BillingAddress.Latitude", ValueView::decimal(52.5167));
  account.set("BillingAddress.Longitude", ValueView::decimal(13.4333));
  account.set("Name", text("Acme Rockets Limited"));
  account.set("Phone", text("+49 30 901820"));
  account.set("Fax", ValueView::null());
  account.set("Website", text("https://www.acme.example"));
  account.set("AnnualRevenue", ValueView::decimal(1250000.5));
  account.set("NumberOfEmployees", ValueView::integer(420));
  account.set("ParentId", ref("0015f00002JUXA8AAP"));
  account.set("OwnerId", ref("0055f000005mc66AAA"));
  account.set("CreatedById", ref("0055f000005mc66AAA"));
  account.set("LastModifiedById", ref("0055f000005mc66AAA"));
  account.set("CreatedDate", ValueView::of_number(1'714'636'800'000, Tag::DateTime));
  account.set("LastModifiedDate", ValueView::of_number(1'772'366'400'000, Tag::DateTime));
  account.set("CurrencyIsoCode", text("EUR"));
  account.set("Main_Contact__c", ref("0035f00000ABCDeAAP"));
  for (const auto* path : {"Tier__c",
                           "Region__c",
                           "Segment__c",
                           "Vat_Id__c",
                           "Score__c",
                           "Legacy_Id__c",
                           "Active__c",
                           "Renewal__c",
                           "Opens__c"}) {
    account.set(path, text("custom value"));
  }
}

void project_account(benchmark::State& state) {
  config::Problems problems;
  const auto mapping = config::parse_mapping({}, problems);
  const auto org = std::make_shared<OrgFacts>(OrgFacts{"emea", "EUR", "DE", {}});
  Record account;
  fill_account(account);
  if (state.range(0) == 0) account.set("Website", ValueView::null());
  Projector projector(mapping, org, "Account", account.names);
  Projection out;
  for (auto _ : state) {
    projector.project(account.raw, {"0015f00002JUXA8AAP", 1'772'366'400'000, 0}, out);
    benchmark::DoNotOptimize(out.sections[0].data());
  }
}
BENCHMARK(project_account)->ArgName("website")->Arg(0)->Arg(1);

}  // namespace
}  // namespace headwater::crm
