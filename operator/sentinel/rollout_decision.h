// In what order the servers of a Redis backend with sentinels are replaced when their pod template has changed: a pure
// function of the facts. Replicas first and one at a time, each only when all the others are in step; the master last,
// when every replica is updated. Nobody makes another server the master before: a master whose pod is deleted refuses
// writes, waits until the replicas have all that it has acknowledged, and has the sentinels elect one (start.sh in
// operator/resources/redis_server_scripts.cc), while SENTINEL FAILOVER alone would leave it taking writes that are lost
// with it.
//
// Nothing is remembered between two calls: what a pod carries says whether it is updated, so whoever comes after a
// crash goes on where the servers are.
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace holdfast::sentinel {

struct RolloutServer {
  std::string pod;
  bool there = false;    // the pod is there and not being deleted
  bool updated = false;  // it was made from the template of now
  bool running = false;  // its container runs
  bool ready = false;    // so its own probe says: it is the master, or in touch with one
  bool answers = false;  // it answers us
  bool in_step = false;  // it serves as the master, or has what that one has
};

struct RolloutFacts {
  std::vector<RolloutServer> servers;  // all that are to be, by ordinal
  std::string master;                  // the pod that most sentinels name and that serves; empty: nobody
  // Since when the server named by the last wait has been waited for.
  std::chrono::milliseconds waited{};
};

enum class RolloutAct {
  kNothing,   // every server is updated and in step
  kWait,      // for `target`
  kReplace,   // delete the pod of `target`, which is no master that serves
  kHandOver,  // delete the pod of `target`, the master, which hands over before it ends
};

struct RolloutStep {
  RolloutAct act = RolloutAct::kNothing;
  std::string target;
  std::string message;  // "1 of 3 servers are at the new revision; demo-cache-1 is replaced"
};

// `patience`: a replica of the former template that does not get in step for so long is replaced, since the new
// template may be what mends it; where no master serves, only one that is not even ready and does not answer, which
// nobody could elect.
RolloutStep DecideRollout(const RolloutFacts& facts, std::chrono::milliseconds patience);

}  // namespace holdfast::sentinel
