// The operator is killed at every one of its writes in the life of a cluster, before and after the server has carried
// it out; a new one takes over. The end is that of the undisturbed life.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>

#include "tests/unit/operator/controllers/cluster_bench.h"

namespace holdfast::storagecluster {

// Of the cluster `demo`. Another operator goes on after a crash.
bool ConvergeThroughCrash(ClusterBench& bench);

struct Ending {
  std::map<std::string, Json> objects;
  int writes = 0;
  std::set<std::string> jobs;  // uids of all there ever were
};

// With a crash at write `n`; 0 = none.
using Life = std::function<Ending(int n, CrashingClient::When when)>;

// The writes are dealt out to `parts` cases, so that none takes long. The undisturbed end.
Ending SweepCrashes(const Life& life, int part, int parts);

}  // namespace holdfast::storagecluster
