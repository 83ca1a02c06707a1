#include "operator/controllers/storagecluster/rotation.h"

#include <algorithm>
#include <utility>

#include "operator/api/v1/annotations.h"
#include "operator/controllers/storagecluster/secrets.h"
#include "operator/resources/names.h"

namespace holdfast::storagecluster {
namespace {

using resources::Login;
using resources::LoginChange;

constexpr char kAdmitting[] = "Admitting";
constexpr char kSwitching[] = "Switching";
constexpr char kRetiring[] = "Retiring";

// A failover or a rolling change has its turn first.
constexpr char kWaitsForServers[] = "waits until every server runs and none is to be replaced";

std::string Annotation(const Json& object, const char* name) {
  const Json::json_pointer pointer = Json::json_pointer("/metadata/annotations") / name;
  return object.contains(pointer) && object.at(pointer).is_string() ? object.at(pointer).get<std::string>()
                                                                    : std::string();
}

std::vector<std::string> Addresses(const std::string& backend, const char* role, bool only_ready,
                                   const Observed& observed) {
  std::vector<std::string> addresses;
  for (const Json& pod : observed.pods) {
    const bool is_one =
        kube::LabelOf(pod, resources::kRoleLabel) == role && kube::LabelOf(pod, resources::kBackendLabel) == backend;
    std::string address = kube::StringAt(pod, "/status/podIP");
    if (is_one && (kube::IsReady(pod) || !only_ready) && !address.empty()) addresses.push_back(std::move(address));
  }
  std::sort(addresses.begin(), addresses.end());
  return addresses;
}

Login LoginOf(const Json& secret, const std::string& backend, const Observed& observed) {
  Login login = LoginInUse(secret);
  const std::string step = Annotation(secret, kRotationStepAnnotation);
  if (step != kAdmitting && step != kRetiring) return login;
  LoginChange change;
  change.step = step == kAdmitting ? LoginChange::Step::kAdmit : LoginChange::Step::kRetire;
  change.wish = Annotation(secret, kRotationAnnotation);
  // A pooler that takes no connections yet will have read the Secret as it is by now; a server in trouble has not.
  if (step == kAdmitting) change.poolers = Addresses(backend, resources::kPoolerRole, true, observed);
  change.members = Addresses(backend, resources::kPostgresRole, false, observed);
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

std::int64_t Number(const Json& object, const char* pointer) {
  const Json::json_pointer path(pointer);
  return object.contains(path) && object.at(path).is_number_integer() ? object.at(path).get<std::int64_t>() : 0;
}

// Every pod of it is of its newest template and ready, and none of a former one is left.
bool IsRolledOut(const Json* workload) {
  if (workload == nullptr) return false;
  const std::int64_t wanted = Number(*workload, "/spec/replicas");
  return Number(*workload, "/status/observedGeneration") >= kube::GenerationOf(*workload) &&
         Number(*workload, "/status/updatedReplicas") >= wanted &&
         Number(*workload, "/status/readyReplicas") >= wanted && Number(*workload, "/status/replicas") <= wanted;
}

class RotationPlanner {
 public:
  RotationPlanner(const api::StorageCluster& cluster, const std::string& wish,
                  const std::vector<resources::DesiredObject>& desired, const Migrations& migrations,
                  const Observed& observed)
      : cluster_(cluster), wish_(wish), desired_(desired), migrations_(migrations), observed_(observed) {}

  Result<RotationPlan> Make() {
    for (const api::BackendSpec& backend : cluster_.spec.backends) {
      if (backend.postgres() == nullptr || !plan_.actions.empty()) continue;
      const Json* secret =
          observed_.Find(kube::kinds::kSecret, resources::CredentialsName(cluster_.name, backend.name));
      if (secret != nullptr) HOLDFAST_RETURN_IF_ERROR(PlanBackend(backend, *secret));
    }
    return std::move(plan_);
  }

 private:
  Status PlanBackend(const api::BackendSpec& backend, const Json& secret) {
    const std::string step = Annotation(secret, kRotationStepAnnotation);
    const Login login = LoginOf(secret, backend.name, observed_);
    if (step.empty()) {
      if (wish_.empty() || wish_ == Annotation(secret, kRotatedAnnotation)) return Status::Ok();
      return Begin(backend, secret, login, wish_);
    }
    // Only what runs takes part; what sleeps goes on when it wakes up.
    if (cluster_.hibernated) return Wait(backend, "waits until the cluster wakes up");
    // Begun by an operator that knew the application's login only; nobody uses what it has made.
    if (step == kAdmitting && !HasVerifiers(secret)) {
      return Begin(backend, secret, login, Annotation(secret, kRotationAnnotation));
    }
    if (step == kSwitching) {
      // Before the migrations of a new image it is not told of its new settings at all.
      if (!migrations_.AllApplied() || !ServiceIsRolledOut()) {
        return Wait(backend, "the service's pods move over to the new login");
      }
      if (!ServersAreRolledOut(backend)) return Wait(backend, kWaitsForServers);
      Change(secret, {{kRotationStepAnnotation, kRetiring}}, "PasswordRotationRetires",
             Of(backend) + "every pod of the service uses the new login; once the servers do, " + Names(login.other()) +
                 " are retired");
      return Status::Ok();
    }
    const Json* job = JobOf(backend);
    if (job != nullptr && kube::HasCondition(*job, "Failed")) {
      const std::string name = "Job " + kube::KeyOf(*job).ToString();
      if (!plan_.failed) {
        plan_.failed = Problem{"PasswordRotationFailed",
                               Of(backend) + name +
                                   " failed; both passwords that were good still are. Mend what its log says, then "
                                   "delete the Job to have it run again"};
      }
      return Wait(backend, name + " has failed");
    }
    if (job == nullptr || !kube::HasCondition(*job, "Complete")) {
      return Wait(backend, step == kAdmitting
                               ? "a Job sets the new passwords and logs in with them on the servers and each pooler"
                               : "a Job waits until each server uses the new logins and retires the former ones");
    }
    if (step == kRetiring) {
      const std::string wish = Annotation(secret, kRotationAnnotation);
      Change(secret, {{kRotationStepAnnotation, nullptr}, {kRotationAnnotation, nullptr}, {kRotatedAnnotation, wish}},
             "PasswordsRotated", Of(backend) + Names(login.other()) + " are retired; " + Names(login) + " are in use");
      return Status::Ok();
    }
    // A pod that is on its way has not been asked.
    if (!PoolerIsRolledOut(backend)) return Wait(backend, "waits until the poolers have been rolled out");
    // A Job that is at work logs in as those before it did.
    if (!migrations_.AllApplied()) return Wait(backend, "waits until the migrations have been applied");
    if (!ServersAreRolledOut(backend)) return Wait(backend, kWaitsForServers);
    const Login next = login.other();
    Change(secret,
           {{kLoginAnnotation, next.user()},
            {kSuperuserAnnotation, next.user_of(resources::kSuperuser)},
            {kRotationStepAnnotation, kSwitching}},
           "PasswordRotationSwitches", Of(backend) + "the service and the servers move over to " + Names(next));
    plan_.actions.back().body["data"] = WithServersLogins(secret, next, Annotation(secret, kRotationAnnotation));
    return Status::Ok();
  }

  Status Begin(const api::BackendSpec& backend, const Json& secret, const Login& login, const std::string& wish) {
    if (cluster_.hibernated) return Wait(backend, "waits until the cluster wakes up");
    // There is a database by then. The service need not be well: a login that it has lost is mended like this.
    if (!migrations_.AllApplied()) return Wait(backend, "waits until the migrations have been applied");
    if (!ServersAreRolledOut(backend)) return Wait(backend, kWaitsForServers);
    HOLDFAST_ASSIGN_OR_RETURN(Json data, WithNewPasswords(secret, login.other(), wish));
    Change(secret, {{kRotationAnnotation, wish}, {kRotationStepAnnotation, kAdmitting}}, "PasswordRotationStarted",
           Of(backend) + "the logins " + Names(login.other()) + " get new passwords");
    plan_.actions.back().body["data"] = std::move(data);
    return Status::Ok();
  }

  static std::string Of(const api::BackendSpec& backend) { return "backend " + backend.name + ": "; }

  Status Wait(const api::BackendSpec& backend, const std::string& what) {
    if (!plan_.under_way) plan_.under_way = Problem{"RotatingPasswords", Of(backend) + what};
    return Status::Ok();
  }

  void Change(const Json& secret, Json annotations, const char* event, std::string because) {
    Action action{.verb = Verb::kMergePatch, .kind = kube::kinds::kSecret, .key = kube::KeyOf(secret)};
    action.body = {
        {"metadata", {{"resourceVersion", kube::ResourceVersionOf(secret)}, {"annotations", std::move(annotations)}}}};
    action.event_reason = event;
    if (!plan_.under_way) plan_.under_way = Problem{"RotatingPasswords", because};
    action.because = std::move(because);
    plan_.actions.push_back(std::move(action));
  }

  const Json* JobOf(const api::BackendSpec& backend) const {
    for (const resources::DesiredObject& object : desired_) {
      const bool is_it = object.kind == kube::kinds::kJob && object.backend == backend.name &&
                         object.stage == resources::Stage::kAlways;
      if (is_it) return observed_.Find(object.kind, object.key().name);
    }
    return nullptr;
  }

  bool PoolerIsRolledOut(const api::BackendSpec& backend) const {
    return backend.postgres()->pooler_instances == 0 ||
           IsRolledOut(observed_.Find(kube::kinds::kDeployment, resources::PoolerName(cluster_.name, backend.name)));
  }

  // Then each follows its Secret, and has replayed what the primary was told while it was away.
  bool ServersAreRolledOut(const api::BackendSpec& backend) const {
    return IsRolledOut(observed_.Find(kube::kinds::kStatefulSet, resources::BackendName(cluster_.name, backend.name)));
  }

  // Not while a former pod is still ending, either: it may yet log in as it did.
  bool ServiceIsRolledOut() const {
    const bool ending = std::any_of(observed_.pods.begin(), observed_.pods.end(), [](const Json& pod) {
      return kube::LabelOf(pod, resources::kRoleLabel) == resources::kServiceRole && kube::IsBeingDeleted(pod);
    });
    const bool keeps_data = resources::KeepsDataInPods(cluster_.spec);
    const kube::ResourceKind& kind = keeps_data ? kube::kinds::kStatefulSet : kube::kinds::kDeployment;
    return !ending && IsRolledOut(observed_.Find(kind, cluster_.name));
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
  login.second = Annotation(secret, kLoginAnnotation) == resources::kSecondApplicationUser;
  login.second_of_servers = Annotation(secret, kSuperuserAnnotation) == resources::kSuperuser.users[1];
  return login;
}

std::string WishInUse(const Json& secret) {
  const std::string step = Annotation(secret, kRotationStepAnnotation);
  const bool switched = step == kSwitching || step == kRetiring;
  return Annotation(secret, switched ? kRotationAnnotation : kRotatedAnnotation);
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
  return Annotation(cluster_object, api::kRotatePasswordsAnnotation);
}

Result<RotationPlan> PlanRotation(const api::StorageCluster& cluster, const std::string& wish,
                                  const std::vector<resources::DesiredObject>& desired, const Migrations& migrations,
                                  const Observed& observed) {
  return RotationPlanner(cluster, wish, desired, migrations, observed).Make();
}

}  // namespace holdfast::storagecluster
