#include "operator/controllers/storagecluster/redis_rotation.h"

#include <utility>

#include "operator/controllers/storagecluster/redis_credentials.h"
#include "operator/controllers/storagecluster/rotation_step.h"
#include "operator/resources/names.h"
#include "operator/resources/redis.h"

namespace holdfast::storagecluster {
namespace {

const Json* CredentialsOf(const api::StorageCluster& cluster, const api::BackendSpec& backend,
                          const Observed& observed) {
  if (backend.redis() == nullptr) return nullptr;
  return observed.Find(kube::kinds::kSecret, resources::CredentialsName(cluster.name, backend.name));
}

// A failover, a rolling change or a change of their number has its turn first.
bool ServersAreRolledOut(const api::StorageCluster& cluster, const api::BackendSpec& backend,
                         const Observed& observed) {
  const auto is_there = [&](const std::string& set) {
    return IsRolledOut(observed.Find(kube::kinds::kStatefulSet, set));
  };
  if (backend.redis()->sentinel && !is_there(resources::SentinelName(cluster.name, backend.name))) return false;
  return is_there(resources::BackendName(cluster.name, backend.name));
}

}  // namespace

std::map<std::string, resources::RedisChange> RedisChangesOf(const api::StorageCluster& cluster,
                                                             const Observed& observed) {
  std::map<std::string, resources::RedisChange> changes;
  for (const api::BackendSpec& backend : cluster.spec.backends) {
    const Json* secret = CredentialsOf(cluster, backend, observed);
    if (secret == nullptr || cluster.hibernated) continue;
    resources::RedisChange change{.wish = AnnotationOf(*secret, kRotationAnnotation),
                                  .step = AnnotationOf(*secret, kRotationStepAnnotation)};
    if (change.step.empty()) continue;
    change.servers = AddressesOf(backend.name, resources::kRedisRole, false, observed);
    change.server_mark = resources::FollowedMark(CredentialFile(*secret, resources::kRedisUsersFile));
    if (backend.redis()->sentinel) {
      change.sentinels = AddressesOf(backend.name, resources::kSentinelRole, false, observed);
      change.sentinel_mark = resources::FollowedMark(CredentialFile(*secret, resources::kSentinelUsersFile));
    }
    changes[backend.name] = std::move(change);
  }
  return changes;
}

std::map<std::string, std::string> RedisWishesOf(const api::StorageCluster& cluster, const Observed& observed) {
  std::map<std::string, std::string> wishes;
  for (const api::BackendSpec& backend : cluster.spec.backends) {
    const Json* secret = CredentialsOf(cluster, backend, observed);
    if (secret == nullptr) continue;
    if (std::string wish = WishInUse(*secret); !wish.empty()) wishes[backend.name] = std::move(wish);
  }
  return wishes;
}

Status PlanRedisRotation(const api::StorageCluster& cluster, const api::BackendSpec& backend, const Json& secret,
                         const std::string& wish, const std::vector<resources::DesiredObject>& desired,
                         const Observed& observed, RotationPlan* plan) {
  const RotationStep step(backend, secret, desired, observed, plan);
  const std::string at = AnnotationOf(secret, kRotationStepAnnotation);
  const bool begins = at.empty();
  if (begins && (wish.empty() || wish == AnnotationOf(secret, kRotatedAnnotation))) return Status::Ok();
  // Only what runs takes part; what sleeps goes on when it wakes up.
  if (cluster.hibernated) {
    step.Wait("waits until the cluster wakes up");
    return Status::Ok();
  }
  if (!begins && !step.JobIsDone("a Job waits until every server and sentinel goes by the passwords of this step")) {
    return Status::Ok();
  }
  // A server that is on its way has not been asked.
  if (!ServersAreRolledOut(cluster, backend, observed)) {
    step.Wait("waits until every server runs and none is to be replaced");
    return Status::Ok();
  }
  if (begins) {
    HOLDFAST_ASSIGN_OR_RETURN(Json data, WithOtherPasswords(backend, secret));
    step.Take({{kRotationAnnotation, wish}, {kRotationStepAnnotation, kAdmitting}}, std::move(data),
              "PasswordRotationStarted", "every user gets a second password");
  } else if (at == kAdmitting) {
    step.Take({{kRotationStepAnnotation, kSwitching}}, WithPasswordsSwitched(backend, secret),
              "PasswordRotationSwitches", "servers, sentinels and the service move over to the new passwords");
  } else if (at == kSwitching) {
    if (!ServiceIsRolledOut(cluster, observed)) {
      step.Wait("the service's pods move over to the new password");
      return Status::Ok();
    }
    step.Take({{kRotationStepAnnotation, kRetiring}}, WithoutOtherPasswords(backend, secret), "PasswordRotationRetires",
              "everybody uses the new passwords; the former ones are retired");
  } else {
    step.Take({{kRotationStepAnnotation, nullptr},
               {kRotationAnnotation, nullptr},
               {kRotatedAnnotation, AnnotationOf(secret, kRotationAnnotation)}},
              nullptr, "PasswordsRotated", "the former passwords are retired; the new ones are in use");
  }
  return Status::Ok();
}

}  // namespace holdfast::storagecluster
