// A record differs from the org's for one of two reasons: the ledger lacks its last change, though
// the stream is past it, or something changed that is told by no event. The report says which.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "daemon/verify/verifier.hpp"

namespace headwater::verify {
namespace {

constexpr const char* kRkey = "demo:Account:0015f0000000001AAA";
constexpr const char* kSaved = "2026-03-01T12:00:00.000Z";

/// Its record was saved at kSaved, and has another rating than the ledger's.
class Org final : public Truth {
 public:
  Result<std::vector<std::optional<TrueRecord>>> read(std::span<const std::string> rkeys) override {
    return std::vector<std::optional<TrueRecord>>(
        rkeys.size(),
        TrueRecord{*parse_datetime(kSaved),
                   R"("fields":{"rating":"Hot"},"extra":{},"raw":{},"refs":{})",
                   std::make_shared<const Retired>(),
                   {}});
  }
  Result<void> each_key(const std::map<std::string, EpochMs>&, const KeyVisitor& visit) override {
    const std::string rkeys[] = {kRkey};
    return visit(rkeys);
  }
};

struct Ledger {
  const char* known_to;  // nullptr: it has never seen the record

  Result<std::string> operator()(const std::string& line) const {
    const std::string document = fmt::format(
        R"({{"key":"{}","entity":"account","fields":{{"rating":"Cold"}},"extra":{{}},"raw":{{}},)"
        R"("refs":{{}},"meta":{{"rev":7,"complete":true,"deleted":false}}}})",
        kRkey);
    if (line == "status")
      return std::string(R"({"ledger":{"id":"L1","head_rev":9},"streams":[{"org":"demo",)"
                         R"("newest_commit":"2026-03-01T13:00:00.000Z"}]})");
    if (line.starts_with("objects "))
      return std::string(R"({"since":{"Account":"2026-01-01T00:00:00.000Z"},)"
                         R"("listening_since":null})");
    if (line == "records")
      return "{\"last\":\"\",\"records\":[\n" + (known_to != nullptr ? document + ",\n" : "") +
             "]}\n";
    if (line.starts_with("heads "))
      return std::string(known_to != nullptr ? R"([{"rev":7,"deleted":false}])" : "[null]");
    if (known_to == nullptr && (line.starts_with("get ") || line.starts_with("facts ")))
      return std::string(R"({"error":"the ledger has never seen this record"})");
    if (line.starts_with("get ")) return document;
    if (line.starts_with("facts ")) return fmt::format(R"({{"known_to":"{}"}})", known_to);
    if (line.starts_with("journal "))
      return std::string(R"({"entries":[],"done":true,"read_to":0})");
    return std::string("[]");
  }
};

std::string difference(const char* known_to) {
  Places places;
  places.orgs.push_back({"demo", std::make_unique<Org>(), {}, {}});
  Patience patience;
  patience.wait = Millis(0);
  const SystemClock clock;
  const auto outcome =
      Verifier(LedgerView(Ledger{known_to}), std::move(places), patience, clock).run();
  EXPECT_TRUE(outcome.ok()) << outcome.error().message;
  return outcome.ok() && outcome->differences.size() == 1 ? outcome->differences[0].what : "";
}

TEST(VerifyOrgDifference, APositionBeyondAChangeThatIsNotThereIsNamed) {
  const auto said = difference("2026-03-01T11:59:59.000Z");
  EXPECT_NE(said.find("fields.rating differs"), std::string::npos) << said;
  EXPECT_NE(said.find("the position is ahead of the data"), std::string::npos) << said;
}

TEST(VerifyOrgDifference, APositionBeyondARecordThatIsNotThereIsNamed) {
  const auto said = difference(nullptr);
  EXPECT_NE(said.find("the ledger has never seen it"), std::string::npos) << said;
  EXPECT_NE(said.find("the position is ahead of the data"), std::string::npos) << said;
}

TEST(VerifyOrgDifference, WhereTheLastChangeIsKnownOnlyTheDifferenceIs) {
  const auto said = difference(kSaved);
  EXPECT_NE(said.find("fields.rating differs"), std::string::npos) << said;
  EXPECT_EQ(said.find("position"), std::string::npos) << said;
}

}  // namespace
}  // namespace headwater::verify
