// SPDX-License-Identifier: Apache-2.0
// Names for threads, so that debuggers, `top -H` and tests/bench/gui_gap can tell them apart.
#pragma once
#ifdef __linux__
#include <pthread.h>
#endif

namespace strata {

/// Names the calling thread, and with it the threads it starts later. At most 15 characters.
inline void nameThisThread([[maybe_unused]] const char* name) {
#ifdef __linux__
  pthread_setname_np(pthread_self(), name);
#endif
}

}  // namespace strata
