// Which containers have been seen to end. A pod that is gone says nothing any more, and whether its processes are gone
// depends on how it went: a kubelet reports its containers as terminated before it lets go of the pod, a forced
// deletion takes the object away and leaves the processes. Thread-safe; bounded: the oldest are forgotten, which costs
// a proof and never makes a false one.
#pragma once

#include <deque>
#include <mutex>
#include <string>
#include <unordered_set>

#include "operator/kube/object.h"

namespace holdfast::failover {

// The container that Patroni and PostgreSQL run in; a pod's only one need not be called so.
inline constexpr char kServerContainer[] = "postgres";

// Of that container; empty before it was first started.
std::string ContainerIdOf(const kube::Json& pod);
// It has terminated, and with it every process in it.
bool HasEnded(const kube::Json& pod);
bool IsRunning(const kube::Json& pod);

class PodHistory {
 public:
  static constexpr std::size_t kRemembered = 4096;

  // Called with every state of every pod, also with the last one of a pod that is gone.
  void Observe(const kube::Json& pod);
  bool ContainerEnded(const std::string& container_id) const;

 private:
  void Remember(std::string container_id);  // requires mutex_

  mutable std::mutex mutex_;
  std::deque<std::string> order_;          // guarded by mutex_
  std::unordered_set<std::string> ended_;  // guarded by mutex_; the same ids
};

}  // namespace holdfast::failover
