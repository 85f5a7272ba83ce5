// C11's threads over POSIX's, for ThreadSanitizer: it does not see thrd_create and its like, which
// Debian's librdkafka uses, and falls over the first such thread. Preloaded by the test preset
// `tsan`, never part of the product.

#include <pthread.h>
#include <threads.h>

#include <cerrno>

namespace {

struct Start {
  thrd_start_t run;
  void* argument;
};

extern "C" void* run_thread(void* given) {
  const Start start = *static_cast<Start*>(given);
  delete static_cast<Start*>(given);
  return reinterpret_cast<void*>(static_cast<long>(start.run(start.argument)));
}

int told(int error) {
  switch (error) {
    case 0:
      return thrd_success;
    case EBUSY:
      return thrd_busy;
    case ETIMEDOUT:
      return thrd_timedout;
    case ENOMEM:
      return thrd_nomem;
    default:
      return thrd_error;
  }
}

// glibc's own: unions that hold POSIX's (bits/thread-shared-types.h, nptl/thrd_priv.h).
static_assert(sizeof(mtx_t) >= sizeof(pthread_mutex_t) && sizeof(cnd_t) >= sizeof(pthread_cond_t));
pthread_mutex_t* mutex(mtx_t* of) { return reinterpret_cast<pthread_mutex_t*>(of); }
pthread_cond_t* condition(cnd_t* of) { return reinterpret_cast<pthread_cond_t*>(of); }

}  // namespace

extern "C" {

int thrd_create(thrd_t* thread, thrd_start_t run, void* argument) {
  auto* start = new Start{run, argument};
  const int error = pthread_create(thread, nullptr, run_thread, start);
  if (error != 0) delete start;
  return told(error);
}
int thrd_join(thrd_t thread, int* result) {
  void* value = nullptr;
  const int error = pthread_join(thread, &value);
  if (result != nullptr) *result = static_cast<int>(reinterpret_cast<long>(value));
  return told(error);
}
int thrd_detach(thrd_t thread) { return told(pthread_detach(thread)); }

int mtx_init(mtx_t* of, int type) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  if ((type & mtx_recursive) != 0) pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
  const int error = pthread_mutex_init(mutex(of), &attributes);
  pthread_mutexattr_destroy(&attributes);
  return told(error);
}
int mtx_lock(mtx_t* of) { return told(pthread_mutex_lock(mutex(of))); }
int mtx_trylock(mtx_t* of) { return told(pthread_mutex_trylock(mutex(of))); }
int mtx_timedlock(mtx_t* of, const timespec* until) {
  return told(pthread_mutex_timedlock(mutex(of), until));
}
int mtx_unlock(mtx_t* of) { return told(pthread_mutex_unlock(mutex(of))); }
void mtx_destroy(mtx_t* of) { pthread_mutex_destroy(mutex(of)); }

int cnd_init(cnd_t* of) { return told(pthread_cond_init(condition(of), nullptr)); }
int cnd_signal(cnd_t* of) { return told(pthread_cond_signal(condition(of))); }
int cnd_broadcast(cnd_t* of) { return told(pthread_cond_broadcast(condition(of))); }
int cnd_wait(cnd_t* of, mtx_t* with) { return told(pthread_cond_wait(condition(of), mutex(with))); }
int cnd_timedwait(cnd_t* of, mtx_t* with, const timespec* until) {
  return told(pthread_cond_timedwait(condition(of), mutex(with), until));
}
void cnd_destroy(cnd_t* of) { pthread_cond_destroy(condition(of)); }
}
