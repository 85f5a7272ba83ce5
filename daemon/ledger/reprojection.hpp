#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>

#include "daemon/ledger/reprojector.hpp"
#include "daemon/ledger/state_reader.hpp"

namespace headwater::ledger {

struct LedgerOptions;

/// Which projection is in force, and which records still owe it: another mapping, other facts of an
/// org, a new birth. Each is a job over all records, done piece by piece by go_on(), and finished
/// whatever happens in between.
///
/// One mapping at a time says what sinks hold. So jobs wait for each other: what is wanted while
/// one runs begins when it has ended. The stamping of a new birth waits for the others, and for
/// streams that have caught up (ruling 2). What is wanted is not kept on disk: the configuration
/// brings the mapping with every start, the org its facts.
///
/// Under the write lock, running() apart.
class Reprojection {
 public:
  /// `options` and the reader must outlive it.
  Reprojection(const Parts& parts, StateReader& reader, const LedgerOptions& options);

  /// Tells a record that is owed, before anything else is applied to it. After a new birth the
  /// targets may hold it as another copy of this ledger told it: an update alone would build on
  /// what they never got. True: the state changed, it must be written.
  bool tell_owed(StoreBatch& batch,
                 std::string_view rkey,
                 RecordState& state,
                 std::pmr::memory_resource& arena);

  /// Brings the mapping of a start into force, or goes on where the last process stopped. `birth`:
  /// the first rev of this birth.
  Result<void> open(Writer& writer, std::shared_ptr<const crm::Mapping> mapping, Rev birth);
  /// The mapping that images of a ledger without records are made by.
  static void stage_mapping(StoreBatch& batch, const crm::Mapping& mapping);
  Result<void> set_mapping(Writer& writer, std::shared_ptr<const crm::Mapping> mapping);
  Result<void> set_facts(Writer& writer, const crm::OrgFacts& facts);
  /// Stages that every record told before `birth` is told anew.
  void owe_stamp(StoreBatch& batch, Rev birth);
  /// The next piece, if there is one and the journal has room. True: more can be done at once.
  Result<bool> go_on(Writer& writer);
  /// Records are owed a projection, and no stream keeps it back. Any thread.
  bool running() const { return running_.load(std::memory_order_relaxed); }

 private:
  /// The mapping that the states' images were made by.
  struct Kept {
    bool same = false;                            ///< as the given one
    std::shared_ptr<const crm::Mapping> mapping;  ///< nullptr: its text cannot be read
  };
  Result<Kept> kept_mapping(const crm::Mapping& given) const;
  std::shared_ptr<const crm::Mapping> read_mapping(const std::string& source) const;
  void resume(StoreBatch& batch,
              Job job,
              const Kept& kept,
              const std::shared_ptr<const crm::Mapping>& mapping);
  void bring_mapping(StoreBatch& batch,
                     std::shared_ptr<const crm::Mapping> before,
                     std::shared_ptr<const crm::Mapping> after);
  void use(std::shared_ptr<const crm::Mapping> mapping);
  void use(const crm::OrgFacts& facts, StoreBatch& batch);
  Result<bool> has_records(const std::string& org) const;
  Result<bool> begin_next(Writer& writer);
  bool streams_caught_up() const;
  bool note_running();

  Parts parts_;
  StateReader& reader_;
  const LedgerOptions& options_;
  Reprojector remap_, stamp_;
  std::shared_ptr<const crm::Mapping> wanted_mapping_;
  std::map<std::string, crm::OrgFacts> wanted_facts_;
  std::atomic<bool> running_{false};
};

}  // namespace headwater::ledger
