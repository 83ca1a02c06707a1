// What Patroni keeps in Kubernetes: annotations of its ConfigMaps (<scope>-leader, -sync, -config) and of its pods.
// Pure.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "operator/failover/patroni_client.h"
#include "operator/kube/object.h"

namespace holdfast::failover {

// On every pod of a cluster: its name. As resources::kClusterLabel, of a room that is not ours to know.
inline constexpr char kClusterLabel[] = "storage.holdfast.dev/cluster";

// Where the state of one backend is.
struct Scope {
  std::string ns;
  std::string cluster;
  std::string backend;

  std::string name() const { return cluster + "-" + backend; }
  kube::ObjectKey leader() const { return {ns, name() + "-leader"}; }
  kube::ObjectKey sync() const { return {ns, name() + "-sync"}; }
  kube::ObjectKey config() const { return {ns, name() + "-config"}; }
  // The Secret with the members' certificate, where they speak TLS.
  kube::ObjectKey tls() const { return {ns, name() + "-tls"}; }
  // The name in that certificate, by which the cluster's DNS knows a member.
  std::string HostOf(const std::string& pod) const { return pod + "." + name() + "-pods." + ns + ".svc"; }
};

struct SyncState {
  std::string leader;  // whose commits wait; empty: nobody's ever did
  std::vector<std::string> standbys;
};

struct PatroniConfig {
  bool initialized = false;  // the database has a system identifier
  bool synchronous = false;
  std::size_t synchronous_nodes = 1;  // standbys that a commit waits for, as long as there are so many
  bool paused = false;
  std::chrono::milliseconds loop_wait{10'000};
  std::chrono::milliseconds ttl{30'000};
};

// An object that is missing (null) or damaged reads as the empty state, which proves nothing.
std::string HolderOf(const kube::Json& leader_map);
SyncState ParseSync(const kube::Json& sync_map);
PatroniConfig ParseConfig(const kube::Json& config_map);
// Of the member's own word in its pod's annotation `status`.
bool IsTaggedNoFailover(const kube::Json& pod);

// Of the Secret with the members' certificate; nullptr when one of its three parts is missing.
std::shared_ptr<const PatroniTls> ParseTls(const kube::Json& secret);

// The merge patch that clears the lock, if it is still what was read.
kube::Json ClearLockPatch(const kube::Json& leader_map);

}  // namespace holdfast::failover
