#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "connectors/sink.hpp"
#include "tests/sim/world.hpp"

namespace headwater::sim {

/// What readers of a target have of one record.
struct TargetRow {
  std::uint64_t rev = 0;
  bool deleted = false;
  std::string image;  ///< the canonical record as JSON; of a deleted one its last
  std::map<std::string, std::string> edges;  ///< relation -> record, where the target keeps them
  std::string ledger;                        ///< who wrote it
};

/// The cursor's row or record.
struct TargetCursor {
  std::string ledger, holder;
  std::string mover;  ///< the holder that moved it last
  std::uint64_t rev = 0, epoch = 0;
  std::uint64_t highest = 0;      ///< of any image, as the target's writers have noted it
  std::int64_t updated_at = 0;    ///< ms by the target's clock
  std::vector<std::size_t> ends;  ///< Kafka: by partition
};

/// An entry on a changes topic.
struct Message {
  std::string key;
  std::uint64_t rev = 0;
  std::string text;  ///< what it says, to be compared
  std::string ledger;
  bool record = true;        ///< false: a hole's or a quarantine row's
  bool state = false;        ///< told by a materialization: what the record is, not what changed
  std::uint64_t epoch = 0;   ///< of its writer
  std::size_t found_to = 0;  ///< what stands in the partition before it, its writer had read back
  bool late = false;         ///< it came once its writer had given up
  bool untold = false;       ///< no change, the image alone
  bool foreign = false;      ///< another ledger had claimed the target since this one wrote to it
};

/// All that survives in a target, so that an older copy can come back.
struct TargetState {
  std::map<std::string, TargetRow> rows;
  TargetCursor cursor;
  std::vector<std::vector<Message>> log;  ///< Kafka's changes topic, by partition
  /// Entries up to here were given as states, so that history need not have them.
  std::uint64_t materialized = 0;
  /// Of entries up to here history may have been told the images alone.
  std::uint64_t untold_to = 0;
};

/// A model of a target: what it promises to a sink, and what may happen to a request on its way.
/// The same contract suite runs over it as over the real ones.
class SimTarget {
 public:
  SimTarget(World& world, std::string name) : world_(world), name_(std::move(name)) {}
  virtual ~SimTarget() = default;
  virtual std::unique_ptr<Sink> sink(const Holder& holder) = 0;

  const std::string& name() const { return name_; }
  TargetState& state() { return state_; }
  const TargetState& state() const { return state_; }
  /// Connections break; what they had sent has arrived or never will.
  void cut() { ++generation_; }
  std::uint64_t generation() const { return generation_; }
  void take_down(std::int64_t until) {
    down_until_ = until;
    cut();
  }
  void block(std::int64_t until) {
    blocked_until_ = until;
    cut();
  }
  bool down() const { return world_.now_ms() < down_until_; }
  bool blocked() const { return world_.now_ms() < blocked_until_; }
  /// What was on its way when its sender gave up arrives now.
  virtual void land_late() {}
  /// True if the target refuses this entry for good, whoever brings it and whenever.
  bool poison(const EntryView& entry) const;
  World& world() { return world_; }

 protected:
  World& world_;
  const std::string name_;
  TargetState state_;
  std::uint64_t generation_ = 0;
  std::int64_t down_until_ = 0, blocked_until_ = 0;
};

/// Rows and cursor in one transaction.
std::unique_ptr<SimTarget> make_sim_postgres(World& world);
/// Compare-and-set per key; the cursor of a batch is moved by the next one, or alone when idle.
std::unique_ptr<SimTarget> make_sim_redis(World& world);
/// A log per partition and a cursor record that is a lower bound; what the log holds already is
/// read back at open.
std::unique_ptr<SimTarget> make_sim_kafka(World& world);

/// Another holder is refused while the present one has been silent for less than this.
inline constexpr std::int64_t kClaimWaitMs = 30'000;

/// What an entry says, whole.
std::string text_of(const EntryView& entry);

/// What the sinks of all models share: who they are, the connection, the claim.
class SimSink : public Sink {
 public:
  SimSink(SimTarget& target, Holder holder) : target_(target), holder_(std::move(holder)) {}

  Result<std::vector<Cursor>> open(std::span<const std::string> orgs) override;
  Result<void> write(const Batch& batch) override;
  Result<void> idle() override;
  void close() noexcept override;
  std::size_t entries_max() const override { return 16; }
  std::size_t bytes_max() const override { return 64U << 10; }

 protected:
  /// One write by the target's own rules. `share`: how much of it arrives before the connection
  /// breaks, 1 for all.
  virtual Result<void> arrive(const Batch& batch, double share) = 0;
  virtual Result<void> claimed() { return {}; }
  virtual Result<void> pay() { return {}; }  ///< what is owed to the target goes out

  bool connected() const { return open_ && generation_ == target_.generation(); }
  bool holds() const;
  Error fenced();
  void put(const EntryView& entry, bool whole_relations);
  void move(const CursorMove& move, Mode mode);

  SimTarget& target_;
  const Holder holder_;
  std::uint64_t epoch_ = 0;
  bool held_ = false;  // claimed once by this sink
  bool open_ = false;
  std::uint64_t generation_ = 0;
  std::optional<Error> fenced_;
};

}  // namespace headwater::sim
