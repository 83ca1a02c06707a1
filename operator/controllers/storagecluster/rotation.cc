#include "operator/controllers/storagecluster/rotation.h"

#include <utility>

#include "operator/api/v1/annotations.h"
#include "operator/controllers/storagecluster/redis_rotation.h"
#include "operator/controllers/storagecluster/rotation_step.h"
#include "operator/controllers/storagecluster/secrets.h"
#include "operator/resources/names.h"

namespace holdfast::storagecluster {
namespace {

using resources::Login;
using resources::LoginChange;

// A failover or a rolling change has its turn first.
constexpr char kWaitsForServers[] = "waits until every server runs and none is to be replaced";
constexpr char kWaitsForMigrations[] = "waits until the migrations have been applied";
constexpr char kWaitsForWaking[] = "waits until the cluster wakes up";

Login LoginOf(const Json& secret, const std::string& backend, const Observed& observed) {
  Login login = LoginInUse(secret);
  const std::string step = AnnotationOf(secret, kRotationStepAnnotation);
  if (step != kAdmitting && step != kRetiring) return login;
  LoginChange change;
  change.step = step == kAdmitting ? LoginChange::Step::kAdmit : LoginChange::Step::kRetire;
  change.wish = AnnotationOf(secret, kRotationAnnotation);
  // A pooler that takes no connections yet will have read the Secret as it is by now; a server in trouble has not.
  if (step == kAdmitting) change.poolers = AddressesOf(backend, resources::kPoolerRole, true, observed);
  change.members = AddressesOf(backend, resources::kPostgresRole, false, observed);
  login.change = std::move(change);
  return login;
}

// "holdfast, postgres, replicator and rewinder"
std::string Names(const Login& login) {
  std::string names = login.user();
  for (const resources::ServerRole& role : resources::kServerRoles) {
    names.append(&role == &resources::kRewind ? " and " : ", ").append(login.user_of(role));
  }
  return names;
}

class RotationPlanner {
 public:
  RotationPlanner(const api::StorageCluster& cluster, const std::string& wish,
                  const std::vector<resources::DesiredObject>& desired, const Migrations& migrations,
                  const Observed& observed)
      : cluster_(cluster), wish_(wish), desired_(desired), migrations_(migrations), observed_(observed) {}

  Result<RotationPlan> Make() {
    for (const api::BackendSpec& backend : cluster_.spec.backends) {
      if (!backend.has_servers() || !plan_.actions.empty()) continue;
      const Json* secret =
          observed_.Find(kube::kinds::kSecret, resources::CredentialsName(cluster_.name, backend.name));
      if (secret == nullptr) continue;
      if (backend.redis() != nullptr) {
        HOLDFAST_RETURN_IF_ERROR(PlanRedisRotation(cluster_, backend, *secret, wish_, desired_, observed_, &plan_));
      } else {
        HOLDFAST_RETURN_IF_ERROR(PlanBackend(backend, *secret));
      }
    }
    return std::move(plan_);
  }

 private:
  Status PlanBackend(const api::BackendSpec& backend, const Json& secret) {
    const RotationStep step(backend, secret, desired_, observed_, &plan_);
    const std::string at = AnnotationOf(secret, kRotationStepAnnotation);
    const Login login = LoginOf(secret, backend.name, observed_);
    if (at.empty()) {
      if (wish_.empty() || wish_ == AnnotationOf(secret, kRotatedAnnotation)) return Status::Ok();
      return Begin(backend, step, secret, login, wish_);
    }
    // Only what runs takes part; what sleeps goes on when it wakes up.
    if (cluster_.hibernated) return Wait(step, kWaitsForWaking);
    // Begun by an operator that knew the application's login only; nobody uses what it has made.
    if (at == kAdmitting && !HasVerifiers(secret)) {
      return Begin(backend, step, secret, login, AnnotationOf(secret, kRotationAnnotation));
    }
    if (at == kSwitching) {
      // Before the migrations of a new image it is not told of its new settings at all.
      if (!migrations_.AllApplied() || !ServiceIsRolledOut(cluster_, observed_)) {
        return Wait(step, "the service's pods move over to the new login");
      }
      if (!ServersAreRolledOut(backend)) return Wait(step, kWaitsForServers);
      step.Take(
          {{kRotationStepAnnotation, kRetiring}}, nullptr, "PasswordRotationRetires",
          "every pod of the service uses the new login; once the servers do, " + Names(login.other()) + " are retired");
      return Status::Ok();
    }
    const bool done = step.JobIsDone(
        at == kAdmitting ? "a Job sets the new passwords and logs in with them on the servers and each pooler"
                         : "a Job waits until each server uses the new logins and retires the former ones");
    if (!done) return Status::Ok();
    if (at == kRetiring) {
      const std::string wish = AnnotationOf(secret, kRotationAnnotation);
      step.Take({{kRotationStepAnnotation, nullptr}, {kRotationAnnotation, nullptr}, {kRotatedAnnotation, wish}},
                nullptr, "PasswordsRotated", Names(login.other()) + " are retired; " + Names(login) + " are in use");
      return Status::Ok();
    }
    // A pod that is on its way has not been asked.
    if (!PoolerIsRolledOut(backend)) return Wait(step, "waits until the poolers have been rolled out");
    // A Job that is at work logs in as those before it did.
    if (!migrations_.AllApplied()) return Wait(step, kWaitsForMigrations);
    if (!ServersAreRolledOut(backend)) return Wait(step, kWaitsForServers);
    const Login next = login.other();
    step.Take({{kLoginAnnotation, next.user()},
               {kSuperuserAnnotation, next.user_of(resources::kSuperuser)},
               {kRotationStepAnnotation, kSwitching}},
              WithServersLogins(secret, next, AnnotationOf(secret, kRotationAnnotation)), "PasswordRotationSwitches",
              "the service and the servers move over to " + Names(next));
    return Status::Ok();
  }

  Status Begin(const api::BackendSpec& backend, const RotationStep& step, const Json& secret, const Login& login,
               const std::string& wish) {
    if (cluster_.hibernated) return Wait(step, kWaitsForWaking);
    // There is a database by then. The service need not be well: a login that it has lost is mended like this.
    if (!migrations_.AllApplied()) return Wait(step, kWaitsForMigrations);
    if (!ServersAreRolledOut(backend)) return Wait(step, kWaitsForServers);
    HOLDFAST_ASSIGN_OR_RETURN(Json data, WithNewPasswords(secret, login.other(), wish));
    step.Take({{kRotationAnnotation, wish}, {kRotationStepAnnotation, kAdmitting}}, std::move(data),
              "PasswordRotationStarted", "the logins " + Names(login.other()) + " get new passwords");
    return Status::Ok();
  }

  static Status Wait(const RotationStep& step, const char* what) {
    step.Wait(what);
    return Status::Ok();
  }

  bool PoolerIsRolledOut(const api::BackendSpec& backend) const {
    return backend.postgres()->pooler_instances == 0 ||
           IsRolledOut(observed_.Find(kube::kinds::kDeployment, resources::PoolerName(cluster_.name, backend.name)));
  }

  // Then each follows its Secret, and has replayed what the primary was told while it was away.
  bool ServersAreRolledOut(const api::BackendSpec& backend) const {
    return IsRolledOut(observed_.Find(kube::kinds::kStatefulSet, resources::BackendName(cluster_.name, backend.name)));
  }

  const api::StorageCluster& cluster_;
  const std::string& wish_;
  const std::vector<resources::DesiredObject>& desired_;
  const Migrations& migrations_;
  const Observed& observed_;
  RotationPlan plan_;
};

}  // namespace

Login LoginInUse(const Json& secret) {
  Login login;
  login.second = AnnotationOf(secret, kLoginAnnotation) == resources::kSecondApplicationUser;
  login.second_of_servers = AnnotationOf(secret, kSuperuserAnnotation) == resources::kSuperuser.users[1];
  return login;
}

std::string WishInUse(const Json& secret) {
  const std::string step = AnnotationOf(secret, kRotationStepAnnotation);
  const bool switched = step == kSwitching || step == kRetiring;
  return AnnotationOf(secret, switched ? kRotationAnnotation : kRotatedAnnotation);
}

std::map<std::string, Login> LoginsOf(const api::StorageCluster& cluster, const Observed& observed) {
  std::map<std::string, Login> logins;
  for (const api::BackendSpec& backend : cluster.spec.backends) {
    if (backend.postgres() == nullptr) continue;
    const Json* secret = observed.Find(kube::kinds::kSecret, resources::CredentialsName(cluster.name, backend.name));
    if (secret != nullptr) logins[backend.name] = LoginOf(*secret, backend.name, observed);
  }
  return logins;
}

std::string RotationWish(const Json& cluster_object) {
  return AnnotationOf(cluster_object, api::kRotatePasswordsAnnotation);
}

Result<RotationPlan> PlanRotation(const api::StorageCluster& cluster, const std::string& wish,
                                  const std::vector<resources::DesiredObject>& desired, const Migrations& migrations,
                                  const Observed& observed) {
  return RotationPlanner(cluster, wish, desired, migrations, observed).Make();
}

}  // namespace holdfast::storagecluster
