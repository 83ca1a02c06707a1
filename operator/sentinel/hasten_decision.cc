#include "operator/sentinel/hasten_decision.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace holdfast::sentinel {
namespace {

HastenDecision Leave(const char* reason, std::string message) {
  return {false, reason, std::move(message)};
}

const char* WhatHappened(MasterEnd end) {
  switch (end) {
    case MasterEnd::kEnded:
      return "the container of the master {} has ended";
    case MasterEnd::kVanished:
      return "the pod of the master {} is gone";
    case MasterEnd::kNodeGone:
      return "the node of the master {} is gone";
    case MasterEnd::kUnknown:
      break;
  }
  return "nothing says that the master {} has ended";
}

// Those that any sentinel could choose.
std::set<std::string> Eligible(const std::vector<Report>& reports) {
  std::set<std::string> hosts;
  for (const Report& report : reports) {
    for (const Report::Replica& replica : report.replicas) {
      if (!replica.away && replica.priority != kNeverMaster) hosts.insert(replica.host);
    }
  }
  return hosts;
}

const ServerReport* Find(const EndFacts& facts, const std::string& host) {
  const auto found = std::find_if(facts.replicas.begin(), facts.replicas.end(),
                                  [&](const Replica& replica) { return replica.host == host; });
  return found == facts.replicas.end() || !found->report ? nullptr : &*found->report;
}

// Whichever of them becomes the master, it has all that can be had.
HastenDecision JudgeReplicas(const EndFacts& facts, const std::string& master, const HastenLimits& limits) {
  const std::set<std::string> hosts = Eligible(facts.reports);
  if (hosts.empty()) return Leave("NoReplica", "the sentinels reach no replica");
  std::uint64_t least = UINT64_MAX;
  std::uint64_t most = 0;
  for (const std::string& host : hosts) {
    const ServerReport* report = Find(facts, host);
    if (report == nullptr) return Leave("ReplicaUnknown", fmt::format("{} does not answer us", PodOf(host)));
    if (!FollowedToTheEnd(*report, master, facts.max_lag)) {
      return Leave("ReplicaBehind", fmt::format("{} did not follow the master to its end", PodOf(host)));
    }
    least = std::min(least, report->offset);
    most = std::max(most, report->offset);
  }
  if (most - least > limits.close_bytes) {
    return Leave("ReplicaBehind", fmt::format("the replicas differ by {} bytes", most - least));
  }
  return {true, "", fmt::format("{} replicas followed it to its end", hosts.size())};
}

}  // namespace

HastenDecision DecideHastening(const EndFacts& facts, const HastenLimits& limits) {
  if (facts.end == MasterEnd::kUnknown) return Leave("Unknown", "nothing says that the master has ended");
  if (static_cast<std::int64_t>(facts.reports.size()) * 2 <= facts.sentinels) {
    return Leave("SentinelsSilent", "most sentinels do not answer");
  }
  const std::string& master = facts.reports.front().master;
  for (const Report& report : facts.reports) {
    if (report.failover) return Leave("FailingOver", "the sentinels replace the master already");
    if (report.master != master || report.epoch != facts.reports.front().epoch) {
      return Leave("SentinelsDisagree", "the sentinels do not name the same master");
    }
    if (facts.end != MasterEnd::kEnded && !report.down && report.silent < limits.silence) {
      return Leave("StillAnswers", "a sentinel heard of the master a moment ago, and nobody has seen it end");
    }
  }
  if (facts.since_told && *facts.since_told < limits.tell_again) {
    return Leave(kTold, "a sentinel was told already");
  }
  HastenDecision decision = JudgeReplicas(facts, master, limits);
  if (!decision.tell) return decision;
  decision.reason = facts.end == MasterEnd::kEnded      ? "MasterEnded"
                    : facts.end == MasterEnd::kVanished ? "MasterVanished"
                                                        : "NodeGone";
  decision.message = fmt::format(fmt::runtime(WhatHappened(facts.end)), PodOf(master)) + "; " + decision.message;
  return decision;
}

}  // namespace holdfast::sentinel
