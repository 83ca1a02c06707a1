// Whether to have the sentinels replace a master that has ended, before they notice it by themselves: a pure function
// of the facts. Only on something that is known to have happened to its pod, never because it does not answer the
// operator; and only when it costs nothing: most sentinels agree and do nothing yet, and whichever replica they could
// choose followed the master to its end. Whatever is not known is left to the sentinels.
//
// One that is told to (SENTINEL FAILOVER) asks no other, and chooses by what it heard of the replicas up to ten seconds
// ago (sentinelSelectSlave in sentinel.c of Redis 7.0): so every one that it reaches is looked at here.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "operator/sentinel/server_report.h"
#include "operator/sentinel/view.h"

namespace holdfast::sentinel {

// What became of the process that was the master, as far as pods and containers tell.
enum class MasterEnd {
  kUnknown,   // nothing says that it has ended
  kEnded,     // its container has terminated
  kVanished,  // its pod went, and nobody has seen its container end
  kNodeGone,  // so Kubernetes says of its pod
};

struct Replica {
  std::string host;
  std::optional<ServerReport> report;  // nothing: no answer, or nobody to ask
};

struct EndFacts {
  MasterEnd end = MasterEnd::kUnknown;
  std::int64_t sentinels = 0;  // that the spec asks for
  std::vector<Report> reports;
  std::vector<Replica> replicas;
  std::chrono::seconds max_lag{};  // of the spec
  // Since a sentinel was last told to replace this same master; nothing: never.
  std::optional<std::chrono::milliseconds> since_told;
};

struct HastenLimits {
  // Of a master that nobody has seen end, no sentinel has heard anything for so long. They ask once a second.
  std::chrono::milliseconds silence{2'500};
  // By how much of the replication stream replicas may differ.
  std::uint64_t close_bytes = std::uint64_t{1} << 20;
  // When a failover came to nothing. Several times what sentinels take for one.
  std::chrono::milliseconds tell_again{60'000};
};

// The reason while one was told already.
inline constexpr char kTold[] = "Told";

struct HastenDecision {
  bool tell = false;
  std::string reason;   // CamelCase
  std::string message;  // one sentence
};

HastenDecision DecideHastening(const EndFacts& facts, const HastenLimits& limits);

}  // namespace holdfast::sentinel
