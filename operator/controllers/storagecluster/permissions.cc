#include "operator/controllers/storagecluster/permissions.h"

#include "operator/api/v1/storage_cluster.h"
#include "operator/kube/object.h"
#include "operator/resources/build.h"

namespace holdfast::storagecluster {
namespace {

namespace kinds = kube::kinds;

PolicyRule RuleFor(const kube::ResourceKind& kind, std::vector<std::string> verbs) {
  return {kind.group, {kind.plural}, std::move(verbs)};
}

}  // namespace

std::vector<PolicyRule> WatchedNamespaceRules() {
  const kube::ResourceKind& cluster = kinds::kStorageCluster;
  std::vector<PolicyRule> rules{
      RuleFor(cluster, {"get", "list", "watch", "patch"}),  // patch: the finalizer
      {cluster.group, {cluster.plural + "/status"}, {"update"}},
      RuleFor(kinds::kStorageMigration, {"get", "list", "watch", "patch"}),  // likewise
      {cluster.group, {kinds::kStorageMigration.plural + "/status"}, {"update"}},
      RuleFor(kinds::kStorageBackup, {"get", "list", "watch", "create", "delete"}),  // those of schedules
      {cluster.group, {kinds::kStorageBackup.plural + "/status"}, {"update"}},
      RuleFor(kinds::kStorageRestore, {"get", "list", "watch"}),
      {cluster.group, {kinds::kStorageRestore.plural + "/status"}, {"update"}},
      // Asked for by the admission plugin OwnerReferencesPermissionEnforcement, where it is on, of whoever writes
      // owner references that block their owner's deletion.
      {cluster.group, {cluster.plural + "/finalizers"}, {"update"}},
  };
  // An apply is a patch, and beyond that a create where there is nothing yet.
  for (const kube::ResourceKind& kind : resources::ChildKinds()) {
    rules.push_back(RuleFor(kind, {"get", "list", "watch", "create", "patch", "delete"}));
  }
  // Made by the StatefulSet controller; taken over, grown and deleted by us.
  rules.push_back(RuleFor(kinds::kPersistentVolumeClaim, {"get", "list", "watch", "patch", "delete"}));
  // delete: a PostgreSQL primary that is fenced. patch: used by Patroni only, whose Role we make; the API server lets
  // nobody give away what he does not have. The rest of that Role is above.
  rules.push_back(RuleFor(kinds::kPod, {"list", "watch", "patch", "delete"}));
  rules.push_back(RuleFor(kinds::kEvent, {"create", "patch"}));
  // Whether the namespace is going, which terminationPolicy DoNotTerminate cannot hold.
  rules.push_back({"", {"namespaces"}, {"get"}});
  return rules;
}

std::vector<PolicyRule> LeaseRules() {
  return {RuleFor(kinds::kLease, {"get", "create", "update"})};
}

}  // namespace holdfast::storagecluster
