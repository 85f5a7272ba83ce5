// A record whose row in the org cannot be read is named, and the others are compared.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "daemon/verify/report.hpp"
#include "daemon/verify/verifier.hpp"

namespace headwater::verify {
namespace {

constexpr const char* kSections = R"("fields":{},"extra":{},"raw":{},"refs":{})";
constexpr const char* kPoison = "demo:Account:0015f0000000002AAA";
constexpr const char* kUnknown = "demo:Account:0015f0000000009AAA";

std::string document_of(const std::string& rkey) {
  return fmt::format(
      R"({{"key":"{}","entity":"account",{},"meta":{{"rev":7,"complete":true,"deleted":false}}}})",
      rkey,
      kSections);
}

/// One row does not fit, be its record known to the ledger or not; one lives here alone.
class Org final : public Truth {
 public:
  Result<std::vector<std::optional<TrueRecord>>> read(std::span<const std::string> rkeys) override {
    std::vector<std::optional<TrueRecord>> out;
    for (const auto& rkey : rkeys) {
      TrueRecord record{1, kSections, std::make_shared<const Retired>(), {}};
      if (rkey == kPoison || rkey == kUnknown) record.unread = "field Due__c holds no date";
      out.emplace_back(std::move(record));
    }
    return out;
  }
  Result<void> each_key(const std::map<std::string, EpochMs>&, const KeyVisitor& visit) override {
    const std::string rkeys[] = {kPoison, kUnknown};
    return visit(rkeys);
  }
};

Result<std::string> answer(const std::string& line) {
  if (line == "status") return std::string(R"({"ledger":{"id":"L1","head_rev":9},"streams":[]})");
  if (line.starts_with("objects ")) return std::string(R"({"since":{},"listening_since":null})");
  if (line == "records") {
    std::string out = "{\"last\":\"\",\"records\":[\n";
    for (int i = 1; i <= 3; ++i)
      out += document_of(fmt::format("demo:Account:0015f000000000{}AAA", i)) + ",\n";
    return out + "]}\n";
  }
  if (line.starts_with("heads ")) {
    std::string out;
    for (std::size_t at = line.find("demo:"); at != std::string::npos;
         at = line.find("demo:", at + 1)) {
      const bool known = !line.substr(at).starts_with(kUnknown);
      out +=
          (out.empty() ? "[" : ",") + std::string(known ? R"({"rev":7,"deleted":false})" : "null");
    }
    return out + "]";
  }
  if (line.starts_with("get ")) return document_of(line.substr(4));
  return std::string("[]");
}

TEST(VerifyUnread, ARecordThatCannotBeReadIsNamedAndTheOthersAreCompared) {
  Places places;
  places.orgs.push_back({"demo", std::make_unique<Org>(), {}, {}});
  Patience patience;
  patience.wait = Millis(0);
  const SystemClock clock;
  const auto outcome = Verifier(LedgerView(answer), std::move(places), patience, clock).run();
  ASSERT_TRUE(outcome.ok()) << outcome.error().message;
  const auto check = std::ranges::find(outcome->checks, "ledger = org demo", &Check::name);
  ASSERT_NE(check, outcome->checks.end());
  EXPECT_TRUE(check->failed.empty()) << check->failed;
  EXPECT_EQ(check->compared, 2U);
  EXPECT_EQ(check->different, 0U);
  EXPECT_EQ(check->unread, 2U) << "one is known to the ledger, one is not";
  EXPECT_TRUE(outcome->equal());
  EXPECT_FALSE(outcome->could_check());
  const auto text = report_text(*outcome);
  EXPECT_NE(text.find("NOT CHECKED (2): 2 compared"), std::string::npos) << text;
  EXPECT_NE(text.find(std::string(kPoison) + ": field Due__c holds no date"), std::string::npos);
}

TEST(VerifyUnread, WhatTheDaemonCannotReadOfItsLedgerIsSaidInItsWords) {
  LedgerView view([](const std::string&) -> Result<std::string> {
    return std::string(R"({"error":"ledger: scan: Corruption; check the disk"})");
  });
  const auto page = view.page({});
  ASSERT_FALSE(page);
  EXPECT_EQ(page.error().message,
            "the daemon, asked for `records`: ledger: scan: Corruption; check the disk");
}

}  // namespace
}  // namespace headwater::verify
