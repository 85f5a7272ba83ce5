// ledger_bench [--dir D] [--records N] [--events N] [--batch N] [--rival no]: what the ledger costs
// per event, on a real disk, everything included: decode of the state, apply rule, projections,
// hash, entry, RocksDB.
//
// Loads N accounts of some 40 fields, then updates them, nine of ten events on a tenth of the
// records (every event changes two fields and LastModifiedDate, as a user's edit does). Its rival
// in the same run is a loop that writes the same bytes to RocksDB through the same store, with one
// multi-get per batch.

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "config/mapping_file.hpp"
#include "daemon/ledger/ledger.hpp"
#include "daemon/ledger/store.hpp"

namespace {

using namespace headwater;

struct Options {
  std::string dir = "ledger_bench_data";
  std::size_t records = 100'000;
  std::size_t events = 500'000;
  std::size_t batch = 100;
  bool rival = true;
};

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

long peak_rss_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss / 1024;
}

class Meter {
 public:
  void report(const char* what, std::size_t events) const {
    const double wall =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    const double cpu = cpu_seconds() - cpu_;
    const auto count = static_cast<double>(events);
    fmt::print("{:<28} {:>9.0f} /s  {:>6.2f} us CPU  peak RSS {} MiB\n",
               what,
               count / wall,
               cpu / count * 1e6,
               peak_rss_mib());
    std::fflush(stdout);
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  double cpu_ = cpu_seconds();
};

[[noreturn]] void fail(const Error& error) {
  fmt::print(stderr, "{}\n", error.message);
  std::exit(1);
}

/// Events over accounts with realistic fields: names, ids, addresses, numbers, nulls.
class Life {
 public:
  Life(NameTable& names, std::size_t records) : names_(names), records_(records) {
    for (const char* name : {"Name",
                             "AccountNumber",
                             "Type",
                             "Industry",
                             "Phone",
                             "Fax",
                             "Website",
                             "Ownership",
                             "Rating",
                             "Site",
                             "AccountSource",
                             "Description",
                             "BillingAddress.Street",
                             "BillingAddress.City",
                             "BillingAddress.PostalCode",
                             "BillingAddress.Country",
                             "ShippingAddress.Street",
                             "ShippingAddress.City",
                             "ShippingAddress.PostalCode",
                             "ShippingAddress.Country",
                             "Tier__c",
                             "Region_Code__c",
                             "Segment__c",
                             "Sla__c",
                             "Upsell__c",
                             "External_Id__c"}) {
      texts_.push_back(names.intern(name));
    }
    for (const char* name : {"OwnerId", "CreatedById", "LastModifiedById", "ParentId"}) {
      refs_.push_back(names.intern(name));
    }
    for (const char* name : {"AnnualRevenue", "Score__c", "Discount__c"}) {
      numbers_.push_back(names.intern(name));
    }
    for (const char* name : {"NumberOfEmployees", "Locations__c"})
      ints_.push_back(names.intern(name));
    for (const char* name : {"Jigsaw", "TickerSymbol", "SicDesc", "Tradestyle"}) {
      nulls_.push_back(names.intern(name));
    }
    created_ = names.intern("CreatedDate");
    modified_ = names.intern("LastModifiedDate");
    for (std::size_t i = 0; i < 4096; ++i) pool_.push_back(word(6 + random_() % 14));
  }

  std::string id(std::size_t record) const {
    std::string id15 = fmt::format("0015f{:010d}", record);
    id15.resize(18);
    id_suffix(std::string_view(id15).substr(0, 15), id15.data() + 15);
    return id15;
  }
  std::size_t pick() {
    const std::size_t hot = records_ / 10;
    return random_() % 10 != 0 ? random_() % hot : random_() % records_;
  }
  void create(std::vector<Member>& out) {
    for (const NameId name : texts_) out.push_back({name, ValueView::of_text(text())});
    for (const NameId name : refs_) {
      out.push_back({name, ValueView::of_text("0055f000005mc66AAA", Tag::Ref)});
    }
    for (const NameId name : numbers_) out.push_back({name, number()});
    for (const NameId name : ints_) {
      out.push_back({name, ValueView::integer(static_cast<std::int64_t>(random_() % 5000))});
    }
    for (const NameId name : nulls_) out.push_back({name, ValueView::null()});
    out.push_back({created_, ValueView::of_number(1'700'000'000'000, Tag::DateTime)});
    out.push_back({modified_, ValueView::of_number(now_, Tag::DateTime)});
    sort(out);
  }
  void update(std::vector<Member>& out) {
    out.push_back({texts_[random_() % texts_.size()], ValueView::of_text(text())});
    out.push_back({numbers_[random_() % numbers_.size()], number()});
    out.push_back({modified_, ValueView::of_number(now_, Tag::DateTime)});
    sort(out);
  }
  EpochMs tick() { return now_ += 3; }

 private:
  static void sort(std::vector<Member>& members) { std::ranges::sort(members, {}, &Member::name); }
  std::string_view text() { return pool_[random_() % pool_.size()]; }
  ValueView number() {
    return ValueView::decimal(static_cast<double>(random_() % 10'000'000) / 100);
  }
  std::string word(std::size_t size) {
    std::string out;
    while (out.size() < size) out.push_back(static_cast<char>('a' + random_() % 26));
    return out;
  }
  NameTable& names_;
  std::size_t records_;
  std::mt19937_64 random_{7};
  std::vector<NameId> texts_, refs_, numbers_, ints_, nulls_;
  NameId created_ = 0, modified_ = 0;
  std::vector<std::string> pool_;
  EpochMs now_ = 1'772'366'400'000;
};

/// Sends batches of events; `next` fills one.
template <typename Next>
void run(ledger::Ledger& ledger, const Options& options, std::size_t events, Next next) {
  std::vector<std::vector<Member>> members(options.batch);
  std::vector<std::string> ids(options.batch);
  std::vector<std::string_view> id_views(options.batch);
  std::vector<EventView> views(options.batch);
  ledger::IngestBatch batch;
  batch.stream = {"emea", "/data/ChangeEvents"};
  for (std::size_t done = 0; done < events; done += options.batch) {
    const std::size_t count = std::min(options.batch, events - done);
    for (std::size_t i = 0; i < count; ++i) {
      members[i].clear();
      EventView& view = views[i] = EventView{};
      next(done + i, view, ids[i], members[i]);
      id_views[i] = ids[i];
      view.entity = "Account";
      view.record_ids = {&id_views[i], 1};
      view.version.commit_number = view.commit_ts;  // grows like it
      view.version.sequence = 1;
      view.fields = members[i];
      view.commit_user = "0055f000005mc66AAA";
      view.change_origin = "com/salesforce/api/rest/62.0;client=portal";
      view.transaction_key = "00006bec-ce66-0611-9018-30a98446c9f2";
      view.schema_id = "I8b-dYxvxs5wOtCBr4qsew";
      view.event_uuid = "5b3c0f0e-6c0a-4f4e-9c55-6a7d1f0f3a11";
      view.replay_id = "0123456789";
    }
    batch.events = {views.data(), count};
    batch.position = ReplayId("0123456789");
    if (auto applied = ledger.apply(batch); !applied) fail(applied.error());
  }
}

std::size_t mean_state_bytes(const Options& options) {
  auto store = ledger::open_rocks_store(options.dir + "/ledger");
  if (!store) fail(store.error());
  std::size_t bytes = 0;
  std::size_t states = 0;
  for (auto scan = (*store)->scan(ledger::Family::Records, ""); scan->valid(); scan->next()) {
    bytes += scan->value().size();
    ++states;
  }
  fmt::print("state {} bytes\n", bytes / states);
  return bytes / states;
}

/// The bytes that the ledger wrote, written again by a naked loop: multi-get, states, entries,
/// sync.
void run_rival(const Options& options, std::size_t state_bytes, std::size_t entry_bytes) {
  const std::string dir = options.dir + "/rival";
  auto store = ledger::open_rocks_store(dir);
  if (!store) fail(store.error());
  std::mt19937_64 random(7);
  std::string noise(1 << 20, ' ');
  for (char& c : noise) c = static_cast<char>('a' + random() % 26);
  const auto bytes = [&](std::size_t size) {
    return std::string_view(noise).substr(random() % (noise.size() - size), size);
  };
  std::uint64_t rev = 0;
  const auto write = [&](std::vector<std::string>& keys, bool read) {
    auto batch = (*store)->batch();
    if (read) {
      std::ranges::sort(keys);
      std::vector<std::string_view> views(keys.begin(), keys.end());
      std::vector<ledger::Found> found;
      if (auto ok = (*store)->get_sorted(ledger::Family::Records, views, found); !ok) {
        fail(ok.error());
      }
    }
    for (const std::string& key : keys) {
      std::string at;
      put_be64(at, ++rev);
      batch->put(ledger::Family::Records, key, bytes(state_bytes));
      batch->put(ledger::Family::Journal, at, bytes(entry_bytes));
    }
    if (auto ok = (*store)->write(*batch, true); !ok) fail(ok.error());
  };
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < options.records; ++i) {
    keys.push_back(fmt::format("emea:Account:0015f{:010d}AAA", i));
    if (keys.size() == 1000 || i + 1 == options.records) {
      write(keys, false);
      keys.clear();
    }
  }
  const Meter meter;
  for (std::size_t done = 0; done < options.events; done += options.batch) {
    keys.clear();
    for (std::size_t i = 0; i < options.batch; ++i) {
      const std::size_t hot = options.records / 10;
      const auto record = random() % 10 != 0 ? random() % hot : random() % options.records;
      keys.push_back(fmt::format("emea:Account:0015f{:010d}AAA", record));
    }
    write(keys, true);
  }
  meter.report("naked RocksDB, same bytes", options.events);
}

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view key = argv[i];
    if (key == "--dir") options.dir = argv[i + 1];
    if (key == "--records") options.records = std::strtoul(argv[i + 1], nullptr, 10);
    if (key == "--events") options.events = std::strtoul(argv[i + 1], nullptr, 10);
    if (key == "--rival") options.rival = std::string_view(argv[i + 1]) != "no";
    if (key == "--batch") options.batch = std::strtoul(argv[i + 1], nullptr, 10);
  }
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse(argc, argv);
  std::filesystem::remove_all(options.dir);
  config::Problems problems;
  const auto mapping = config::parse_mapping({}, problems);
  const SystemClock clock;
  std::size_t entry_bytes = 0;
  {
    auto opened = ledger::Ledger::open(options.dir, {}, mapping, clock);
    if (!opened) fail(opened.error());
    ledger::Ledger& ledger = **opened;
    Life life(ledger.names("emea", "Account"), options.records);
    {
      Options load = options;
      load.batch = 1000;
      const Meter meter;
      run(ledger, load, options.records, [&](auto i, EventView& view, auto& id, auto& members) {
        view.type = ChangeType::Create;
        view.commit_ts = life.tick();
        id = life.id(i);
        life.create(members);
      });
      meter.report("first load, batch 1000", options.records);
    }
    const auto before = ledger.journal();
    const Meter meter;
    run(ledger, options, options.events, [&](auto, EventView& view, auto& id, auto& members) {
      view.commit_ts = life.tick();
      id = life.id(life.pick());
      life.update(members);
    });
    meter.report("updates 90/10", options.events);
    const auto after = ledger.journal();
    entry_bytes = (after.bytes - before.bytes) / (after.entries - before.entries);
    fmt::print("entry {} bytes, {} entries for {} updates\n",
               entry_bytes,
               after.entries - before.entries,
               options.events);
    const Meter reading;
    EntryBatch batch;
    Rev at;
    std::size_t read = 0;
    while (true) {
      batch.clear();
      if (auto got = ledger.read(at, 1000, 4U << 20, batch); !got) fail(got.error());
      if (batch.entries().empty()) break;
      at = batch.entries().back().meta.rev;
      read += batch.entries().size();
    }
    reading.report("journal read", read);
  }
  if (options.rival) run_rival(options, mean_state_bytes(options), entry_bytes);
  std::filesystem::remove_all(options.dir);
  return 0;
}
