// New passwords for the application of a PostgreSQL backend, without a moment in which anybody is refused. There are
// two logins, of which one is in use; a rotation prepares the other one with a new password, moves the consumers over,
// and retires the former:
//
//   Admitting   the Secret holds the new password and the wish it is for; a Job sets it on the primary, and logs in
//               with it there and through each pod of the pooler, which reads the Secret again while it runs
//   Switching   the Secret names the new login; the service's pods are rolled over to it, while those of before keep
//               logging in as they did
//   Retiring    a Job takes the former login away and ends its sessions
//
// Where a rotation is stands in annotations of the credentials, beside the passwords it is about, and each step is one
// write of that Secret: it is begun and recorded at once, and whoever comes after a crash reads where to go on. Each
// Job may run more than once. What is rotated is the application's login; those of the superuser, replication and
// pg_rewind, which only the servers themselves use, are not.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "operator/controllers/storagecluster/migrations.h"
#include "operator/controllers/storagecluster/plan.h"

namespace holdfast::storagecluster {

// On the credentials. Which login is in use: the user's name; the first one's when absent.
inline constexpr char kLoginAnnotation[] = "storage.holdfast.dev/login";
// The wish that is being carried out, and how far it is.
inline constexpr char kRotationAnnotation[] = "storage.holdfast.dev/rotation";
inline constexpr char kRotationStepAnnotation[] = "storage.holdfast.dev/rotation-step";
// The wish that was carried out last.
inline constexpr char kRotatedAnnotation[] = "storage.holdfast.dev/rotated";

// What BuildOptions::logins asks for, of the credentials that are there.
std::map<std::string, resources::Login> LoginsOf(const api::StorageCluster& cluster, const Observed& observed);

struct RotationPlan {
  // At most one, of the first backend that has one.
  std::vector<Action> actions;
  // A rotation is under way, or waits to begin: of which backend, and for what.
  std::optional<Problem> under_way;
  // A Job has failed.
  std::optional<Problem> failed;
};

// What the StorageCluster is annotated with; empty: nothing is wished for.
std::string RotationWish(const Json& cluster_object);

// The next step, from what there is once all that is `desired` has been applied. Pure but for a new password.
Result<RotationPlan> PlanRotation(const api::StorageCluster& cluster, const std::string& wish,
                                  const std::vector<resources::DesiredObject>& desired, const Migrations& migrations,
                                  const Observed& observed);

}  // namespace holdfast::storagecluster
