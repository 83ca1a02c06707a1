// Counts what a test program allocates. Linking allocation_count.cc replaces operator new and delete of the whole
// program, libraries included; malloc itself is not counted. Thread-safe.
#pragma once

#include <cstddef>

namespace holdfast::api::testing {

// Of all threads, since the program began.
std::size_t AllocationsOfEveryThread();

// From here on the calling thread's allocations count among those of marked threads.
void MarkThisThread();
std::size_t AllocationsOfMarkedThreads();

}  // namespace holdfast::api::testing
