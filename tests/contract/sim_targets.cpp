#include "tests/contract/target.hpp"
#include "tests/contract/text.hpp"
#include "tests/sim/targets.hpp"

namespace headwater::test {
namespace {

sim::Options without_faults() {
  sim::Options options;
  options.faults.emplace();
  return options;
}

/// A model of the simulation, where nothing fails but what the contract asks for.
class SimulatedTarget final : public Target {
 public:
  explicit SimulatedTarget(std::unique_ptr<sim::SimTarget> (*make)(sim::World&))
      : target_(make(world_)) {}

  std::unique_ptr<Sink> sink(const Holder& holder) override { return target_->sink(holder); }
  std::optional<Row> row(const std::string& id) override {
    const auto at = target_->state().rows.find("emea:Contact:" + id);
    if (at == target_->state().rows.end()) return std::nullopt;
    return Row{
        at->second.rev, at->second.deleted ? "" : name_in(at->second.image), at->second.deleted};
  }
  std::string state() override {
    std::string out;
    for (const auto& [key, row] : target_->state().rows) {
      out += key + "@" + std::to_string(row.rev) + row.image;
      for (const auto& [relation, to] : row.edges) out += relation + to;
    }
    for (const auto& partition : target_->state().log) {
      for (const auto& message : partition) out += message.key + "@" + std::to_string(message.rev);
    }
    return out;
  }
  void kill() override { target_->take_down(INT64_MAX); }
  void restart() override { target_->take_down(0); }
  void let_claim_lapse() override { world_.clock.us += 2 * sim::kClaimWaitMs * 1000; }

 private:
  sim::World world_{without_faults()};
  std::unique_ptr<sim::SimTarget> target_;
};

}  // namespace

std::unique_ptr<Target> make_simulated_postgres() {
  return std::make_unique<SimulatedTarget>(sim::make_sim_postgres);
}
std::unique_ptr<Target> make_simulated_redis() {
  return std::make_unique<SimulatedTarget>(sim::make_sim_redis);
}
std::unique_ptr<Target> make_simulated_kafka() {
  return std::make_unique<SimulatedTarget>(sim::make_sim_kafka);
}

}  // namespace headwater::test
