#include "daemon/pipeline/ingest.hpp"
#include "daemon/pipeline/read_chunk.hpp"
#include "tests/unit/pipeline/fixture.hpp"

namespace headwater {
namespace {

using test::account;

/// What a snapshot's rows may cost a live event: never more than one batch.
class LaneShareTest : public test::PipelineTest {
 protected:
  void SetUp() override {
    PipelineTest::SetUp();
    ingest.emplace(Ingest::Parts{{"emea", test::kTopic},
                                 salesforce::Start::Latest,
                                 source,
                                 *ledger,
                                 rows,
                                 ready,
                                 clock,
                                 part,
                                 metrics});
  }
  /// So many accounts from `first` on.
  void push(int first, int count) {
    OwnedRows out;
    out.batch.org = "emea";
    out.batch.object = "Account";
    out.batch.noted = *ledger->note_version("emea");
    out.batch.type = ChangeType::Snapshot;
    for (int i = first; i < first + count; ++i) {
      ledger::Row row;
      row.id = *RecordId::parse(account(i));
      row.stamp = clock.ms;
      out.rows.push_back(row);
    }
    ASSERT_TRUE(rows.try_push(out));
  }
  std::uint64_t alive() {
    const auto counts = ledger->counts();
    return counts.empty() ? 0 : counts[0].alive;
  }

  test::FakeSource source;
  RowLane rows{10};
  std::atomic<bool> ready{true};
  observe::Part& part = health.add("stream", Millis(60'000));
  std::optional<Ingest> ingest;
};

TEST_F(LaneShareTest, AStepAppliesOneBatchOfRowsAndOneResponseOfTheStream) {
  ingest->step(Millis{0});  // subscribes
  constexpr int kBatch = static_cast<int>(kLaneRowsMax);
  for (int i = 0; i < 6; ++i) push(1 + i * kBatch, kBatch);
  for (int i = 0; i < 6; ++i)
    source.say({{test::encode({account(900'000 + i), i + 1, "live"}), "r" + std::to_string(i)}});
  for (std::uint64_t step = 1; step <= 6; ++step) {
    ASSERT_EQ(ingest->step(Millis{0}).next, Step::Next::Again);
    EXPECT_EQ(alive(), step * kLaneRowsMax + step) << "rows and events in step " << step;
  }
}

TEST_F(LaneShareTest, RowsGoOnWhileTheStreamIsSilent) {
  ingest->step(Millis{0});
  for (int i = 0; i < 3; ++i) push(1 + i * 10, 10);
  for (int i = 0; i < 3; ++i) ingest->step(Millis{0});
  EXPECT_EQ(alive(), 30U);
}

}  // namespace
}  // namespace headwater
