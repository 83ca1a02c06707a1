// What the pods of every role have in common: the restricted Pod Security Standard with a read-only root file system,
// probes, resources.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "operator/kube/object.h"

namespace holdfast::resources {

// spec.securityContext: a user of its own, its group on the volumes, no privilege, the runtime's seccomp profile.
kube::Json PodSecurityContext();
kube::Json ContainerSecurityContext();

// `scheme` is HTTP or HTTPS.
kube::Json HttpProbe(const char* path, const char* port, const char* scheme, int period, int timeout, int failures);

// A container's resources: what the user gives, and `cpu` and `memory` as requests where he gives none of either. A
// limit without a request sets the request as well, so ours would stand above it.
kube::Json ContainerResources(kube::Json requests, const kube::Json& limits, const std::string& cpu,
                              const std::string& memory);

// Validated text to a number; 0 for another text.
std::uint64_t Bytes(const std::string& text);
// In the unit Kubernetes itself would write, so that what is read back compares equal.
std::string BytesText(std::uint64_t bytes);

// What the scheduler is to keep apart where it can: the pods of a label selector, on nodes of their own and spread
// evenly over what the node labels `keys` name.
void KeepApart(const kube::Json& selector, const std::vector<const char*>& keys, kube::Json* pod);
inline constexpr char kNodeKey[] = "kubernetes.io/hostname";
inline constexpr char kZoneKey[] = "topology.kubernetes.io/zone";

// Volumes and their mounts.
kube::Json ConfigMapVolume(const char* name, const std::string& config_map);
// `mode` of the files, which belong to root and the pod's group.
kube::Json SecretVolume(const char* name, const std::string& secret, int mode);
// Kept in memory, so that what is secret in it never reaches a disk of the node.
kube::Json MemoryVolume(const char* name);
kube::Json EmptyVolume(const char* name);
kube::Json Mount(const char* name, const std::string& path, bool read_only);

}  // namespace holdfast::resources
