// The status of a cluster: computed by one pure function, written by one function.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/time/clock.h"
#include "operator/controllers/storagecluster/autogrow.h"
#include "operator/controllers/storagecluster/migrations.h"
#include "operator/controllers/storagecluster/observed.h"
#include "operator/controllers/storagecluster/plan.h"

namespace holdfast::storagecluster {

// Whether every store has its entries where the spec says; there while StorageMigrations have moved stores.
inline constexpr char kStoresAsSpecifiedCondition[] = "StoresAsSpecified";

// What a reconcile has found out.
struct Findings {
  // Nothing when the spec is invalid; `invalid` says why then.
  std::optional<api::StorageCluster> cluster;
  std::optional<Problem> invalid;
  Observed observed;
  Migrations migrations = {};
  std::optional<Problem> blocked;
  std::optional<Problem> waiting;
  std::optional<Problem> refused;
  std::vector<Problem> warnings;
  // Of a cluster with volumes that grow by themselves; nothing when they were not looked at.
  std::optional<Growth> growth;
  // Passwords are being changed; nothing else is held up by it.
  std::optional<Problem> rotation;
  // Work was left for the next reconcile.
  bool unfinished = false;
  // Set while the operator may write nothing but the status: why. What is said then is about what runs, and about the
  // generation that was carried out last.
  std::optional<Problem> paused;
  // Set while the cluster is being deleted: what the deletion waits for.
  std::optional<Problem> terminating;
};

// The status of `cluster_object` as it should read, built on its present one (conditions keep their times).
Json ComputeStatus(const Json& cluster_object, const Findings& findings, Timestamp now);

// Writes the status when it differs from what is there. After a conflict reads again and starts over, as long as the
// object is the same and its generation is the one the findings are for; otherwise leaves it to the reconcile that
// follows (ok). Returns the object as written or read last.
Result<Json> WriteStatus(kube::Client& client, Json cluster_object, const Findings& findings, const Clock& clock,
                         Deadline deadline);

}  // namespace holdfast::storagecluster
