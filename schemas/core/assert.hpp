#pragma once

#include <cstdio>
#include <cstdlib>

/// A broken invariant is our bug: say where and abort, in release builds too. systemd restarts the
/// daemon, and the position is safe because it is never ahead of the data.
#define HEADWATER_ASSERT(condition)                                                               \
  do {                                                                                            \
    if (!(condition)) {                                                                           \
      std::fprintf(stderr, "<2>broken invariant: %s at %s:%d\n", #condition, __FILE__, __LINE__); \
      std::abort();                                                                               \
    }                                                                                             \
  } while (false)
