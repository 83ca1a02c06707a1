#include "operator/failover/decision.h"

#include <fmt/format.h>

#include <algorithm>

namespace holdfast::failover {
namespace {

const Member* Find(const Facts& facts, const std::string& name) {
  const auto found = std::find_if(facts.members.begin(), facts.members.end(),
                                  [&](const Member& member) { return member.name == name; });
  return found == facts.members.end() ? nullptr : &*found;
}

bool Serves(const Member* member) {
  return member != nullptr && member->report && member->report->Serves();
}

// Somebody who takes writes without holding the lock.
const Member* Rogue(const Facts& facts) {
  const auto found = std::find_if(facts.members.begin(), facts.members.end(),
                                  [&](const Member& member) { return member.name != facts.holder && Serves(&member); });
  return found == facts.members.end() ? nullptr : &*found;
}

bool SomebodyElseAnswers(const Facts& facts) {
  return std::any_of(facts.members.begin(), facts.members.end(),
                     [&](const Member& member) { return member.name != facts.holder && member.report; });
}

bool InSyncSet(const Facts& facts, const std::string& name) {
  return std::find(facts.sync_set.begin(), facts.sync_set.end(), name) != facts.sync_set.end();
}

// The standby that provably holds every acknowledged write, or why there is none.
Decision Candidate(const Facts& facts) {
  const auto refuse = [](const char* reason, std::string message) {
    return Decision{Act::kRefuse, "", reason, std::move(message), true};
  };
  if (!facts.synchronous) {
    return refuse("Asynchronous",
                  "replication is asynchronous, so no standby provably holds every acknowledged write; Patroni decides "
                  "when its lock runs out");
  }
  if (facts.sync_leader != facts.holder) {
    return refuse(
        "SyncSetOfAnother",
        fmt::format("the synchronous standbys are published for \"{}\", not for {}, so they say nothing about "
                    "its writes",
                    facts.sync_leader, facts.holder));
  }
  if (facts.sync_set.empty()) {
    return refuse(
        "NoSynchronousStandby",
        fmt::format("{} had no synchronous standby, so nobody else provably holds every acknowledged write; it "
                    "has to come back",
                    facts.holder));
  }
  std::size_t reporting = 0;
  const Member* best = nullptr;
  for (const Member& member : facts.members) {
    if (!InSyncSet(facts, member.name) || !member.report) continue;
    const MemberReport& report = *member.report;
    if (report.primary || report.state != "running") continue;
    ++reporting;
    if (member.no_failover) continue;
    const auto position = [](const Member& each) { return std::pair(each.report->timeline, each.report->received); };
    if (best == nullptr || position(member) > position(*best)) best = &member;
  }
  if (reporting + facts.acks_required <= facts.sync_set.size()) {
    return refuse("NotProvable",
                  fmt::format("{} of {} synchronous standbys answer and a commit waited for {}: whoever holds the last "
                              "acknowledged write may be missing",
                              reporting, facts.sync_set.size(), facts.acks_required));
  }
  if (best == nullptr) {
    return refuse("NoCandidate", "every synchronous standby that answers is tagged nofailover");
  }
  return {Act::kPromote, best->name, "PrimaryEnded",
          fmt::format("the container of {} has ended; {} holds every acknowledged write", facts.holder, best->name)};
}

Decision Wait(const char* reason, std::string message, bool lasting = false) {
  return {Act::kWait, "", reason, std::move(message), lasting};
}

// The holder has ended for certain.
Decision AfterTheEnd(const Facts& facts) {
  if (const Member* rogue = Rogue(facts); rogue != nullptr) {
    return {Act::kFence, rogue->name, "TwoPrimaries",
            fmt::format("{} takes writes without holding the lock of {}", rogue->name, facts.holder), true};
  }
  return Candidate(facts);
}

// The holder does not serve, and nothing proves that it has ended.
Decision WithoutProof(const Facts& facts, const Patience& patience, const Member* holder) {
  const bool answers = holder != nullptr && holder->report;
  if (answers && holder->report->state == "restarting") {
    return Wait("Restarting", fmt::format("Patroni restarts {} in place", facts.holder));
  }
  if (facts.silent < patience.silent) {
    return Wait("Unresponsive", fmt::format("{} does not serve for the moment", facts.holder));
  }
  if (facts.node_gone.value_or(false)) {
    return Wait(
        "NodeGone",
        fmt::format("the node of {} does not answer, so nobody can end its container: waits until Patroni's lock "
                    "runs out",
                    facts.holder),
        true);
  }
  // Its own word, or that of at least two others: of a member we do reach, and of the lock or of those who write.
  const bool overdue = facts.lock_unchanged && *facts.lock_unchanged > facts.loop_wait + patience.lock_margin;
  const bool believed = answers || (SomebodyElseAnswers(facts) && (overdue || facts.write_path == WritePath::kStuck));
  if (!believed) {
    return Wait("Uncorroborated",
                fmt::format("{} does not answer us, but nothing else says that it is in trouble", facts.holder), true);
  }
  // Ending the only server that holds everything would help nobody.
  Decision candidate = Candidate(facts);
  if (candidate.act != Act::kPromote) return candidate;
  return {
      Act::kFence, facts.holder, "PrimaryUnresponsive",
      fmt::format("{} does not serve; its container is ended before {} may take over", facts.holder, candidate.target),
      true};
}

}  // namespace

Decision Decide(const Facts& facts, const Patience& patience) {
  if (!facts.initialized) return {Act::kNothing, "", "Bootstrapping", "the cluster is being made"};
  if (facts.paused) return {Act::kNothing, "", "Paused", "Patroni is in maintenance mode"};
  if (facts.holder.empty()) return Wait("Electing", "Patroni's members elect a primary");
  const Member* holder = Find(facts, facts.holder);
  if (Serves(holder)) {
    const Member* rogue = Rogue(facts);
    if (rogue == nullptr) {
      if (facts.write_path != WritePath::kStuck) return {Act::kNothing, "", "Serving", facts.holder + " serves"};
      // A full disk, a standby that is gone, wrong credentials: another primary would be no better off.
      return {Act::kNothing, "", "WritePathStuck",
              fmt::format("{} answers, but writes through it do not end", facts.holder), true};
    }
    if (facts.rogue < patience.rogue) {
      return Wait("TwoPrimaries", fmt::format("{} still takes writes beside {}", rogue->name, facts.holder));
    }
    return {Act::kFence, rogue->name, "TwoPrimaries",
            fmt::format("{} takes writes, but {} holds the lock", rogue->name, facts.holder), true};
  }
  switch (facts.holder_end) {
    case HolderEnd::kEnded:
      return AfterTheEnd(facts);
    case HolderEnd::kVanished:
      return Wait(
          "UnprovenDeath",
          fmt::format("the pod of {} went and nobody has seen its container end: waits until Patroni's lock runs "
                      "out",
                      facts.holder),
          true);
    case HolderEnd::kUnknown:
      break;
  }
  if (facts.holder_terminating && facts.silent < patience.silent) {
    return Wait("Stopping", fmt::format("{} is being stopped and hands over by itself", facts.holder));
  }
  return WithoutProof(facts, patience, holder);
}

}  // namespace holdfast::failover
