// Sends a service GETs and PUTs of single keys as fast as it answers, or at a fixed rate, and measures each: HTTP/1.1
// over plain sockets, one request at a time on each connection, in a few threads.
//
// Closed loop: a connection sends the next request when the last one is answered. A service that stalls is then asked
// less, and the stall is one slow request: good for throughput, not for latencies under a given load.
// Open loop: requests are due at fixed instants whatever the service does, each goes out on the first connection that
// is free, and its latency counts from the instant it was due; a stall shows in every request that it held up (Gil
// Tene, "How NOT to Measure Latency", calls the other thing coordinated omission).
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/result/result.h"
#include "service/cli/latency_histogram.h"

namespace holdfast::cli {

struct LoadPlan {
  std::string host;
  std::string port;
  std::string keys_path;      // "/v1/stores/main/keys/bench/", encoded; the number of the key follows
  std::string authorization;  // value of the header; empty = none is sent
  std::size_t keys = 1;
  std::size_t value_size = 0;
  double puts = 0;  // share of PUTs, 0 to 1; the others are GETs
  std::size_t connections = 1;
  std::optional<double> rate;         // requests per second of all connections together; none = closed loop
  std::chrono::nanoseconds duration;  // of sending; what is under way then is waited for
  std::chrono::nanoseconds timeout;   // for one answer, and for those still missing at the end
};

struct LoadResult {
  LatencyHistogram gets;  // answered with 200
  LatencyHistogram puts;  // answered with 201 or 204
  std::uint64_t failed = 0;
  // Of those failed: what the service answered instead, and requests that had no answer or were due and never sent. The
  // latter stand in the histograms as well, with the time until they were given up.
  std::map<int, std::uint64_t> refused;
  std::uint64_t unanswered = 0;
  std::string first_failure;  // of a connection, in words; empty when there was none
  std::chrono::nanoseconds elapsed{0};

  void Merge(const LoadResult& other);
};

// Random keys of [0, keys). `stop` ends it early. kUnavailable when the host is not known.
Result<LoadResult> RunLoad(const LoadPlan& plan, const std::atomic<bool>& stop);
// Writes every key once, in a closed loop; `duration`, `rate` and `puts` do not matter. It ends at the first failure.
Result<LoadResult> WriteEveryKey(const LoadPlan& plan, const std::atomic<bool>& stop);

}  // namespace holdfast::cli
