#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "daemon/ledger/writer.hpp"

namespace headwater::ledger {

/// Work over all records that was begun and must be finished, whatever happens: kept as a row.
struct Job {
  enum class Kind : std::uint8_t {
    Mapping = 1,  ///< another mapping: records are projected again
    Facts = 2,    ///< an org's facts changed: its records are projected again
    Stamp = 3,  ///< a new birth: every record gets a rev that outranks the sinks' (told as a read)
  };
  Kind kind = Kind::Mapping;
  std::string org;       ///< of Facts; empty: all
  std::string done;      ///< last rkey that was handled
  std::string target;    ///< of Mapping: the source text of the mapping being brought in
  crm::OrgFacts before;  ///< of Facts: what records not yet handled were projected by
};

/// Projects records again and writes what changed as ordinary entries, in batches that each carry
/// the progress: a crash resumes (ruling 8). Under the write lock.
class Reprojector {
 public:
  Reprojector(const Parts& parts, Writer& writer)
      : parts_(parts), writer_(writer), publisher_(parts.journal, parts.clock) {}

  static Result<std::optional<Job>> load(Store& store);
  static void stage(StoreBatch& batch, const Job& job);
  static void stage_done(StoreBatch& batch);

  /// `before` may be null: then nobody knows what sinks hold, and changed records are told as
  /// reads. `last`, if any, is called before the last write: what it stages comes true with the end
  /// of the job, not a crash later.
  Result<void> run(Job job,
                   std::shared_ptr<const crm::Mapping> before,
                   std::shared_ptr<const crm::Mapping> after,
                   const std::function<void()>& last = {});

 private:
  struct Pair {
    std::unique_ptr<ObjectProjector> before, after;
  };
  Pair& projectors(std::string_view rkey);
  Result<void> handle(std::string_view rkey, std::string_view bytes);

  Parts parts_;
  Writer& writer_;
  Publisher publisher_;
  Job job_;
  std::shared_ptr<const crm::Mapping> mapping_before_, mapping_after_;
  std::map<std::string, Pair, std::less<>> projectors_;
  RecordCodec codec_;
  RecordState state_;
  crm::Projection before_, after_;
  std::pmr::monotonic_buffer_resource arena_;
  std::string bytes_;
};

}  // namespace headwater::ledger
