#include <map>
#include <random>
#include <set>
#include <utility>

#include "tests/integration/redis/sink_fixture.hpp"

namespace headwater::redis {
namespace {

constexpr std::size_t kRecords = 12, kParents = 4;

std::string record_id(std::size_t n) { return "0035f00000ABC" + std::to_string(100 + n) + "AA"; }
std::string parent_key(std::size_t n) {
  return "emea:Account:0015f00000ABC" + std::to_string(100 + n) + "AA";
}

/// A made-up history of some records, and what any part of it comes to.
class History {
 public:
  explicit History(unsigned seed) : random_(seed) {}

  void grow(std::size_t entries) {
    while (entries-- > 0) journal_.push_back(next());
  }
  std::uint64_t head() const { return journal_.back().rev; }
  const std::vector<EntrySpec>& journal() const { return journal_; }

  /// Record states as a materialization writes them: in rev order, with nothing said of what was
  /// before.
  std::vector<EntrySpec> states() const {
    std::vector<EntrySpec> out;
    for (const auto& entry : journal_) {
      if (last_rev(entry.id) != entry.rev) continue;
      auto state = entry;
      if (state.op != Op::Delete) state.op = Op::Read;
      state.old_refs.clear();
      state.has_before = false;
      out.push_back(state);
    }
    return out;
  }
  std::uint64_t pick(std::uint64_t below) { return random_() % below; }

 private:
  std::uint64_t last_rev(const std::string& id) const {
    std::uint64_t rev = 0;
    for (const auto& entry : journal_) {
      if (entry.id == id) rev = entry.rev;
    }
    return rev;
  }
  EntrySpec next() {
    rev_ += 1 + pick(3);
    EntrySpec entry{.id = record_id(pick(kRecords)), .rev = rev_};
    auto& state = states_[entry.id];
    entry.before_rev = std::exchange(last_revs_[entry.id], rev_);
    if (state && pick(8) == 0) {
      entry.op = Op::Delete;
      entry.old_refs = state->refs;
      state.reset();
      return entry;
    }
    entry.op = state ? Op::Update : Op::Create;
    if (state) {
      entry.refs = state->refs;
      entry.sort_at = entry.before_sort_at = state->sort_at;
    }
    entry.fields["name"] = std::to_string(rev_);
    for (const std::string rel : {"account", "parent"}) {
      if (pick(3) != 0) continue;
      const auto old = entry.refs.contains(rel) ? entry.refs[rel] : std::string();
      const auto target = pick(4) == 0 ? std::string() : parent_key(pick(kParents));
      if (target == old) continue;
      if (state) entry.old_refs[rel] = old;
      if (target.empty())
        entry.refs.erase(rel);
      else
        entry.refs[rel] = target;
    }
    if (pick(4) == 0) entry.sort_at = static_cast<EpochMs>(pick(1000));
    state = entry;
    return entry;
  }

  std::mt19937 random_;
  std::uint64_t rev_ = 1'000;
  std::vector<EntrySpec> journal_;
  std::map<std::string, std::uint64_t> last_revs_;
  std::map<std::string, std::optional<EntrySpec>> states_;
};

class RedisRandom : public RedisSinkTest {
 protected:
  /// Opens, materializes if the server knows nothing, follows in random cuts. Sometimes the process
  /// dies on the way.
  void catch_up(History& history, bool may_die) {
    RedisSink sink(config_of(server_), holder());
    const auto cursor = open(sink).at(0);
    auto at = cursor.rev.value;
    if (cursor.ledger.empty()) {
      const auto states = history.states();
      for (std::size_t first = 0; first < states.size();) {
        const auto count = std::min(states.size() - first, std::size_t{1} + history.pick(5));
        must(write(sink, cut(states, first, count), Mode::Materialize));
        first += count;
        if (may_die && history.pick(10) == 0) return;
      }
      at = history.head();
    }
    const auto& journal = history.journal();
    std::size_t first = 0;
    while (first < journal.size() && journal[first].rev <= at) ++first;
    while (first < journal.size()) {
      const auto count = std::min(journal.size() - first, std::size_t{1} + history.pick(12));
      must(write(sink, cut(journal, first, count)));
      first += count;
      if (may_die && history.pick(6) == 0) return;
      if (history.pick(6) == 0) must(sink.idle());
    }
    must(sink.idle());
  }
  static std::vector<EntrySpec> cut(const std::vector<EntrySpec>& all,
                                    std::size_t first,
                                    std::size_t count) {
    const auto begin = all.begin() + static_cast<std::ptrdiff_t>(first);
    return {begin, begin + static_cast<std::ptrdiff_t>(count)};
  }

  void expect_equal(const History& history) {
    std::map<std::string, std::set<std::string>> sets;  // key -> member=score
    for (const auto& state : history.states()) {
      const auto rkey = "emea:Contact:" + state.id;
      auto record = server_.hash("crm:{" + rkey + "}:rec");
      EXPECT_EQ(record["j@"], std::to_string(state.rev)) << rkey;
      EXPECT_EQ(record["del"], state.op == Op::Delete ? "1" : "0") << rkey;
      for (const auto& [rel, target] : state.refs)
        sets["crm:{" + target + "}:rel:" + rel].insert(rkey + "=" + std::to_string(*state.sort_at));
    }
    for (std::size_t parent = 0; parent < kParents; ++parent) {
      for (const std::string rel : {"account", "parent"}) {
        const auto key = "crm:{" + parent_key(parent) + "}:rel:" + rel;
        std::string expected;
        EXPECT_EQ(server_.run({"ZCARD", key}), std::to_string(sets[key].size())) << key;
        for (const auto& member : sets[key]) {
          const auto equals = member.find('=');
          EXPECT_EQ(server_.run({"ZSCORE", key, member.substr(0, equals)}),
                    member.substr(equals + 1))
              << key;
        }
      }
    }
  }
};

TEST_F(RedisRandom, AnyCutsCrashesAndFlushesEndInTheSameState) {
  for (unsigned seed = 1; seed <= 25; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    server_.run({"FLUSHALL"});
    History history(seed);
    for (int round = 0; round < 8; ++round) {
      history.grow(1 + history.pick(40));
      if (history.pick(5) == 0) server_.run({"FLUSHALL"});
      catch_up(history, true);
    }
    catch_up(history, false);
    expect_equal(history);
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace headwater::redis
