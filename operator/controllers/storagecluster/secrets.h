// The Secrets of a cluster's backends: made before anything mounts them, renewed in time, and never overwritten where a
// database knows their contents. No content of a Secret leaves through a message, an event or a log line.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result/result.h"
#include "base/time/clock.h"
#include "operator/controllers/storagecluster/plan.h"

namespace holdfast::storagecluster {

struct SecretPlan {
  std::vector<Action> actions;
  std::optional<Problem> blocked;
  std::optional<Problem> waiting;

  bool Idle() const { return actions.empty() && !blocked && !waiting; }
};

// Pure but for new keys and passwords, which are made only where an action needs them. The credentials are nobody's
// property but carry the cluster's labels: they stay with the volumes when the cluster goes, since a database whose
// passwords nobody has is lost. For the same reason a volume without credentials blocks instead of getting new ones.
Result<SecretPlan> PlanSecrets(const api::StorageCluster& cluster, const Observed& observed, Timestamp now);

// Of credentials of PostgreSQL, each the data of a patch. New passwords for the roles of `login`, wherever they hold
// them, with their verifiers and the wish that asked for them:
Result<Json> WithNewPasswords(const Json& secret, const resources::Login& login, const std::string& wish);
// The servers take the roles of `login`, with the passwords that are there, for those of the wish:
Json WithServersLogins(const Json& secret, const resources::Login& login, const std::string& wish);

// Whether the newest passwords came from WithNewPasswords.
bool HasVerifiers(const Json& secret);

// Whether a Redis backend with sentinels has ever had a master, as its credentials say. Before that its first server
// may start as one without data, and no client may be told of the backend; afterwards no server without data ever
// becomes the master. A volume that is there before the credentials are says yes.
bool IsInitialized(const api::StorageCluster& cluster, const api::BackendSpec& backend, const Observed& observed);

// What BuildOptions::authorities asks for.
std::string PublishedAuthorities(const api::StorageCluster& cluster, const Observed& observed);

// What BuildOptions::backup_caller asks for.
std::string BackupCaller(const api::StorageCluster& cluster, const Observed& observed);

// What BuildOptions::secret_checksums asks for, of the Secrets that are there.
std::map<std::string, std::string> SecretChecksums(const api::StorageCluster& cluster, const Observed& observed);

}  // namespace holdfast::storagecluster
