// What the operator needs to be allowed, as RBAC rules: exactly the verbs it uses, which the end-to-end cases hold
// against the audit log of a kube-apiserver that lets it do nothing else. `holdfast-operator rbac` prints them.
#pragma once

#include <string>
#include <vector>

namespace holdfast::storagecluster {

struct PolicyRule {
  std::string group;  // "" = core
  std::vector<std::string> resources;
  std::vector<std::string> verbs;
};

// In every namespace with StorageClusters.
std::vector<PolicyRule> WatchedNamespaceRules();

// In the namespace of the leader's lease.
std::vector<PolicyRule> LeaseRules();

}  // namespace holdfast::storagecluster
