// Where the schemas of a cluster's backends stand, and with that what may be written now. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "operator/controllers/storagecluster/observed.h"
#include "operator/controllers/storagecluster/plan.h"

namespace holdfast::storagecluster {

enum class MigrationPhase { kWaitingForPrimary, kWaitingForApproval, kRunning, kFailed, kApplied };

struct BackendMigration {
  std::string backend;
  std::string job;  // its name, whether it is there or not
  MigrationPhase phase = MigrationPhase::kWaitingForPrimary;
  std::string detail;  // of kFailed: the last lines of the log
};

struct Migrations {
  std::vector<BackendMigration> backends;  // those with a schema
  bool hibernated = false;

  bool AllApplied() const;
  // What the condition MigrationsApplied says; reason AllApplied when there is nothing to wait for.
  Problem Summary(const kube::ObjectKey& cluster) const;
  bool Failed() const;
  // Whether an object of this stage may be created or changed.
  bool Opens(const resources::DesiredObject& object) const;
};

// The pod that takes a PostgreSQL backend's writes, or nullptr: labelled so by Patroni, ready, and not going.
const Json* PrimaryPod(const std::vector<Json>& pods, const std::string& backend);
// The same of a Redis backend: the pod that is ready.
const Json* RedisPrimaryPod(const std::vector<Json>& pods, const std::string& backend);

Migrations JudgeMigrations(const api::StorageCluster& cluster, const std::vector<resources::DesiredObject>& desired,
                           const Observed& observed);

}  // namespace holdfast::storagecluster
