#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>

#include "daemon/pipeline/step.hpp"
#include "schemas/core/time.hpp"

namespace headwater {

/// A thread around a step function: runs it while there is work, waits when there is none, until
/// stopped or done.
class LoopThread {
 public:
  /// Waits until `until_ms` on the monotonic clock, a stop, or whatever else wakes this loop.
  using Wait = std::function<void(std::int64_t until_ms, std::stop_token stop)>;

  /// `name`: at most 15 characters, seen in top and gdb. `last`: called on the thread after the
  /// loop has ended.
  LoopThread(std::string name,
             std::function<Step()> step,
             Wait wait,
             std::function<void()> last = {});
  void start();
  /// Asks the loop to end after the step it is in. Does not wait.
  void request_stop() { stop_.request_stop(); }
  void join();
  std::stop_token stop_token() const { return stop_.get_token(); }

 private:
  void run();
  const std::string name_;
  std::function<Step()> step_;
  Wait wait_;
  std::function<void()> last_;
  std::stop_source stop_;
  std::thread thread_;
};

/// A wait that nothing but time and a stop ends.
void wait_until(std::int64_t until_ms, std::stop_token stop, const Clock& clock);

}  // namespace headwater
