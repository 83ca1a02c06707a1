// New passwords for the backends of a cluster, of Redis as redis_rotation.h says; for a PostgreSQL backend, without a
// moment in which anybody is refused. Whatever logs in has two roles, of which one is in use: the application, and as
// resources::kServerRoles the servers themselves (Patroni's superuser, replication, pg_rewind). A rotation prepares the
// other ones with new passwords, moves the consumers over, and retires the former:
//
//   Admitting   the Secret holds the new passwords and the wish they are for; a Job sets them on the primary, and logs
//               in with them there, on each server and through each pod of the pooler, which reads the Secret again
//   Switching   the Secret names the new logins; the service's pods are rolled over to them, while those of before keep
//               logging in as they did, and each Patroni reads its own again (patroni.sh): its standby connects anew
//   Retiring    a Job waits until each server shows that it goes by the new logins (resources::kLoginsParameter), takes
//               the former ones away and ends their sessions
//
// Where a rotation is stands in annotations of the credentials, beside the passwords it is about, and each step is one
// write of that Secret: it is begun and recorded at once, and whoever comes after a crash reads where to go on. Each
// Job may run more than once. It takes a step only while all servers run, of their newest template.
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
// Likewise of the servers: their superuser's name, and with it those of replication and pg_rewind.
inline constexpr char kSuperuserAnnotation[] = "storage.holdfast.dev/superuser";
// The wish that is being carried out, and how far it is.
inline constexpr char kRotationAnnotation[] = "storage.holdfast.dev/rotation";
inline constexpr char kRotationStepAnnotation[] = "storage.holdfast.dev/rotation-step";
// The wish that was carried out last.
inline constexpr char kRotatedAnnotation[] = "storage.holdfast.dev/rotated";

// Of credentials: the logins in use, without what is being done to the others.
resources::Login LoginInUse(const Json& secret);
// The wish whose rotation the servers' logins in use are of; empty when they are those of the beginning.
std::string WishInUse(const Json& secret);

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

// The next step, from what there is once all that is `desired` has been applied. Pure but for new passwords.
Result<RotationPlan> PlanRotation(const api::StorageCluster& cluster, const std::string& wish,
                                  const std::vector<resources::DesiredObject>& desired, const Migrations& migrations,
                                  const Observed& observed);

}  // namespace holdfast::storagecluster
