// A line of the control socket over a quarantine row of hostile bytes: one JSON document, whatever
// was said and kept. Who may not operate changes nothing and is shown no bytes.

#include "config/mapping_file.hpp"
#include "daemon/answer.hpp"
#include "daemon/ledger/memory_store.hpp"
#include "tests/fuzz/json.hpp"

using namespace headwater;

namespace {

class StillClock final : public Clock {
 public:
  std::int64_t now_us() const override { return 1'772'366'400'000'000; }
  std::int64_t monotonic_ms() const override { return 1'000; }
};

std::shared_ptr<const crm::Mapping> mapping() {
  static const auto builtin = [] {
    config::Problems problems;
    return config::parse_mapping({}, problems);
  }();
  return builtin;
}

/// A row of a sink's refusal or of an event that could not be decoded; its bytes are the input's.
void quarantine(ledger::Ledger& ledger, std::string_view bytes, bool of_sink) {
  ledger::QuarantineRow row;
  row.org = "emea";
  row.object = "Account";
  row.id = "0015f00002JUXA8AAP";
  row.stage = of_sink ? "sink.postgres" : "decode";
  row.reason_code = "22003";
  row.reason = "a reason";
  row.payload = bytes;
  if (of_sink) row.entry_rev = Rev{1};
  HEADWATER_ASSERT(ledger.quarantine({&row, 1}).ok());
}

}  // namespace

FUZZ_TARGET(control_answer) {
  fuzz::Pieces pieces(input);
  const auto how = pieces.byte();
  std::string line(pieces.until('\n'));
  StillClock clock;
  ledger::LedgerOptions options;
  options.seed = 1;
  auto ledger = *ledger::Ledger::open(
      ledger::open_memory_store(std::make_shared<ledger::MemoryDisk>()), options, mapping(), clock);
  for (const char* object : {"Account", "Contact"})
    for (int i = 0; i < 100; ++i) ledger->names("emea", object).intern("n" + std::to_string(i));
  quarantine(*ledger, pieces.rest(), (how & 1) != 0);
  // `#` stands for the row's number, which no input can guess.
  const auto number = std::to_string(ledger->quarantined().front().rev.value);
  if (const auto at = line.find('#'); at != line.npos) line.replace(at, 1, number);

  observe::Health health(clock);
  const StatusSources sources{*ledger, health, {}, {{"emea", "/data/ChangeEvents"}}, "1", 0};
  Orders orders(
      *ledger, clock, [](RetryRequest&) -> Result<void> { return blocked("nobody is there"); });
  audit::Desk desk;
  AuditOrders audits(desk, *ledger, health, {"emea"});
  const bool may_operate = (how & 2) != 0;
  const Rev before = ledger->head();
  int replies = 0;
  answer({line, {1000, "eve", may_operate}},
         sources,
         *ledger,
         clock,
         orders,
         audits,
         [&](std::string document) {
           ++replies;
           HEADWATER_ASSERT(is_utf8(document));
           const auto json = fuzz::parsed(document);
           if (may_operate || !json.is_object()) return;
           const auto* bytes = json.as_object().if_contains("payload_hex");
           HEADWATER_ASSERT(bytes == nullptr || bytes->is_null());
         });
  HEADWATER_ASSERT(replies == 1);
  HEADWATER_ASSERT(may_operate || ledger->head() == before);
}
