#include "operator/failover/rollout_decision.h"

#include <fmt/format.h>

#include <algorithm>

namespace holdfast::failover {
namespace {

bool IsSynchronous(const RolloutFacts& facts, const RolloutMember& member) {
  return std::find(facts.sync_set.begin(), facts.sync_set.end(), member.name) != facts.sync_set.end();
}

// The first member that `holds` is true of.
template <typename Holds>
const RolloutMember* First(const RolloutFacts& facts, Holds holds) {
  const auto found = std::find_if(facts.members.begin(), facts.members.end(), holds);
  return found == facts.members.end() ? nullptr : &*found;
}

// Who is to be primary after the old one: of the synchronous standbys, or of all when there are none by intention, the
// one that has received most.
const RolloutMember* Successor(const RolloutFacts& facts) {
  const RolloutMember* best = nullptr;
  for (const RolloutMember& member : facts.members) {
    if (member.name == facts.primary || (facts.synchronous && !IsSynchronous(facts, member))) continue;
    if (best == nullptr || member.received > best->received) best = &member;
  }
  return best;
}

}  // namespace

RolloutStep DecideRollout(const RolloutFacts& facts, std::chrono::milliseconds patience) {
  const auto updated = std::count_if(facts.members.begin(), facts.members.end(),
                                     [](const RolloutMember& member) { return member.there && member.updated; });
  const auto step = [&](RolloutAct act, const std::string& target, const std::string& what) {
    return RolloutStep{
        act, target, fmt::format("{} of {} members are at the new revision; {}", updated, facts.members.size(), what)};
  };
  const auto replace = [&](const RolloutMember& member) {
    return step(RolloutAct::kReplace, member.name, fmt::format("{} is replaced", member.name));
  };
  if (const RolloutMember* missing = First(facts, [](const RolloutMember& member) { return !member.there; })) {
    return step(RolloutAct::kWait, missing->name, fmt::format("waits until {} is back", missing->name));
  }
  // What does not run serves nobody: perhaps the former template is why, and this one mends it.
  if (const RolloutMember* dead =
          First(facts, [](const RolloutMember& member) { return !member.updated && !member.running; })) {
    return replace(*dead);
  }
  if (const RolloutMember* behind = First(facts, [](const RolloutMember& member) { return !member.in_step; })) {
    const RolloutMember* stuck =
        First(facts, [](const RolloutMember& member) { return !member.updated && !member.in_step && member.answers; });
    if (stuck != nullptr && facts.initialized && facts.waited >= patience) return replace(*stuck);
    return step(RolloutAct::kWait, behind->name,
                facts.primary.empty() ? std::string("waits until a primary serves")
                                      : fmt::format("waits until {} streams", behind->name));
  }
  if (updated == static_cast<std::ptrdiff_t>(facts.members.size())) return {};
  if (facts.members.size() == 1) return replace(facts.members.front());
  if (facts.synchronous && facts.sync_set.size() < std::min(facts.sync_wanted, facts.members.size() - 1)) {
    return step(RolloutAct::kWait, "", "waits until the synchronous standbys hold every acknowledged write");
  }
  // Those first whom no commit waits for: the others may be it meanwhile.
  const auto is_old_replica = [&](const RolloutMember& member) {
    return !member.updated && member.name != facts.primary;
  };
  const RolloutMember* next = First(
      facts, [&](const RolloutMember& member) { return is_old_replica(member) && !IsSynchronous(facts, member); });
  if (next == nullptr) next = First(facts, is_old_replica);
  if (next != nullptr) return replace(*next);
  const RolloutMember* successor = Successor(facts);
  if (successor == nullptr) {
    return step(RolloutAct::kWait, "", fmt::format("nobody could follow {} as the primary", facts.primary));
  }
  return step(RolloutAct::kSwitchover, successor->name,
              fmt::format("{} becomes the primary instead of {}", successor->name, facts.primary));
}

}  // namespace holdfast::failover
