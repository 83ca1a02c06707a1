// In what order the members of a PostgreSQL backend are replaced when their pod template has changed (another image,
// resources, a parameter that servers take at their start): a pure function of the facts. Replicas first and one at a
// time, each waited for until it streams again; then an updated synchronous standby becomes the primary by a planned
// switchover, and the old primary is replaced last. A single member is just replaced.
//
// Nothing is remembered between two calls: what a pod carries says whether it is updated, so whoever comes after a
// crash goes on where the members are.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace holdfast::failover {

struct RolloutMember {
  std::string name;            // of its pod
  bool there = false;          // the pod is there and not being deleted
  bool updated = false;        // the pod was made from the template of now
  bool running = false;        // its container runs
  bool answers = false;        // its Patroni does
  bool in_step = false;        // it serves, or streams from who serves, on the same timeline
  std::uint64_t received = 0;  // bytes of WAL
};

struct RolloutFacts {
  std::vector<RolloutMember> members;  // all that are to be, by ordinal
  std::string primary;                 // who serves; empty: nobody
  bool initialized = false;            // there is a database
  bool synchronous = false;
  std::vector<std::string> sync_set;  // published for `primary`; empty otherwise
  std::size_t sync_wanted = 1;        // how many there are when all is well
  // Since when the member named by the last wait has been waited for.
  std::chrono::milliseconds waited{};
};

enum class RolloutAct {
  kNothing,     // every member is updated and in step
  kWait,        // for `target`, or for nobody in particular
  kReplace,     // delete `target`'s pod
  kSwitchover,  // make `target` the primary
};

struct RolloutStep {
  RolloutAct act = RolloutAct::kNothing;
  std::string target;
  std::string message;  // "1 of 3 members are at the new revision; demo-db-1 is replaced"
};

// `patience`: a member of the former template that answers and does not get in step for so long is replaced, since the
// new template may be what mends it.
RolloutStep DecideRollout(const RolloutFacts& facts, std::chrono::milliseconds patience);

}  // namespace holdfast::failover
