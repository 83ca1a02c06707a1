#include "operator/sentinel/rollout_decision.h"

#include <fmt/format.h>

#include <algorithm>

namespace holdfast::sentinel {
namespace {

template <typename Holds>
const RolloutServer* First(const RolloutFacts& facts, Holds holds) {
  const auto found = std::find_if(facts.servers.begin(), facts.servers.end(), holds);
  return found == facts.servers.end() ? nullptr : &*found;
}

// Of the former template, and of no use as it is.
const RolloutServer* Stuck(const RolloutFacts& facts) {
  return First(facts, [&](const RolloutServer& server) {
    if (server.updated || server.in_step || server.pod == facts.master) return false;
    return !facts.master.empty() || (!server.answers && !server.ready);
  });
}

}  // namespace

RolloutStep DecideRollout(const RolloutFacts& facts, std::chrono::milliseconds patience) {
  const auto updated = std::count_if(facts.servers.begin(), facts.servers.end(),
                                     [](const RolloutServer& server) { return server.there && server.updated; });
  const auto step = [&](RolloutAct act, const RolloutServer& server, const std::string& what) {
    return RolloutStep{
        act, server.pod,
        fmt::format("{} of {} servers are at the new revision; {}", updated, facts.servers.size(), what)};
  };
  const auto replace = [&](const RolloutServer& server) {
    return step(RolloutAct::kReplace, server, fmt::format("{} is replaced", server.pod));
  };
  if (const RolloutServer* missing = First(facts, [](const RolloutServer& server) { return !server.there; })) {
    return step(RolloutAct::kWait, *missing, fmt::format("waits until {} is back", missing->pod));
  }
  // What does not run serves nobody: perhaps the former template is why, and this one mends it.
  if (const RolloutServer* dead =
          First(facts, [](const RolloutServer& server) { return !server.updated && !server.running; })) {
    return replace(*dead);
  }
  if (const RolloutServer* behind = First(facts, [](const RolloutServer& server) { return !server.in_step; })) {
    if (const RolloutServer* stuck = Stuck(facts); stuck != nullptr && facts.waited >= patience) {
      return replace(*stuck);
    }
    return step(RolloutAct::kWait, *behind,
                facts.master.empty() ? std::string("waits until a master serves")
                                     : fmt::format("waits until {} is in step", behind->pod));
  }
  if (const RolloutServer* replica =
          First(facts, [&](const RolloutServer& server) { return !server.updated && server.pod != facts.master; })) {
    return replace(*replica);
  }
  const RolloutServer* last = First(facts, [](const RolloutServer& server) { return !server.updated; });
  if (last == nullptr) return {};
  return step(RolloutAct::kHandOver, *last, fmt::format("the master {} hands over and is replaced", last->pod));
}

}  // namespace holdfast::sentinel
