// What the benches of the library share.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

namespace holdfast::bench {

// Of the calling thread: its own processor time, which what else the machine does changes little.
double ThreadSeconds();

// Of what is not empty.
double Median(std::vector<double> values);

// Nanoseconds of processor per call. `calls(thread)` makes so many of them; the threads start together.
double NanosecondsPerCall(std::size_t threads, std::size_t calls_of_each,
                          const std::function<void(std::size_t thread)>& calls);

// Ends the program when a call did not do what it was measured for.
void Check(bool right);

}  // namespace holdfast::bench
