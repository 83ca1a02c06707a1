// Load on a running service: what to send, and what came of it.
//
// Closed loop: every connection sends its next request when it has the answer to the last. What is measured is what the
// service can do; a service that stalls is asked less meanwhile, so latencies under a stall are understated.
//
// Open loop: requests are due at a fixed rate, whatever the service does, and a latency runs from when the request was
// due, also when no connection was free to send it: no omission is coordinated with a slow service (Tene, "How NOT to
// Measure Latency", 2015).
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>

#include "base/result/result.h"
#include "service/bench/latency_histogram.h"

namespace holdfast::bench {

struct LoadPlan {
  std::string host;
  std::string port;
  std::string store = "_default";     // percent-encoded
  std::string key_prefix = "bench/";  // percent-encoded
  std::string headers;                // further header lines, each ending in CRLF

  double reads = 1.0;  // share of requests that get, the others put
  std::uint64_t keys = 10'000;
  std::size_t value_bytes = 100;
  bool fill = true;  // put every key once before measuring

  int connections = 64;
  double rate = 0;                     // requests per second of all connections together; 0 = closed loop
  std::chrono::nanoseconds warmup{0};  // before the measurement, with the same load
  std::chrono::nanoseconds duration{0};
  std::chrono::nanoseconds timeout{0};  // of one request
};

struct LoadResult {
  LatencyHistogram gets;
  LatencyHistogram puts;
  // Requests that were not answered as they should be, by what happened: "503", "timeout", "connection", ... They are
  // in no histogram.
  std::map<std::string, std::uint64_t> errors;
  // Open loop: due within the measurement and never answered, errors aside.
  std::uint64_t unanswered = 0;
  std::chrono::nanoseconds elapsed{0};  // until the last answer

  std::uint64_t answered() const { return gets.count() + puts.count(); }
};

inline constexpr int kMaxConnections = 10'000;

// Blocks until it is done. kUnavailable: no connection could be opened. kInvalidArgument: the service refuses such
// requests (its answer is in the message). Uses as many threads as there are cores, at most one for each connection.
Result<LoadResult> RunLoad(const LoadPlan& plan);

}  // namespace holdfast::bench
