#include "daemon/runtime/loop_thread.hpp"

#include <pthread.h>

namespace headwater {

LoopThread::LoopThread(std::string name,
                       std::function<Step()> step,
                       Wait wait,
                       std::function<void()> last)
    : name_(std::move(name)),
      step_(std::move(step)),
      wait_(std::move(wait)),
      last_(std::move(last)) {}

void LoopThread::start() {
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), name_.substr(0, 15).c_str());
}

void LoopThread::join() {
  if (thread_.joinable()) thread_.join();
}

void LoopThread::run() {
  const auto stop = stop_.get_token();
  while (!stop.stop_requested()) {
    const Step step = step_();
    if (step.next == Step::Next::Done) break;
    if (step.next == Step::Next::Wait) wait_(step.until_ms, stop);
  }
  if (last_) last_();
}

void wait_until(std::int64_t until_ms, std::stop_token stop, const Clock& clock) {
  std::mutex mutex;
  std::condition_variable_any changed;
  std::unique_lock lock(mutex);
  const auto left = Millis(until_ms - clock.monotonic_ms());
  if (left.count() > 0) changed.wait_for(lock, stop, left, [] { return false; });
}

}  // namespace headwater
