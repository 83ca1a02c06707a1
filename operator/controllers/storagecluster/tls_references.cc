#include "operator/controllers/storagecluster/tls_references.h"

#include <algorithm>
#include <utility>

#include "base/time/duration.h"
#include "operator/certificates/certificate.h"
#include "operator/controllers/storagecluster/execute.h"
#include "operator/kube/base64.h"
#include "operator/resources/names.h"

namespace holdfast::storagecluster {
namespace {

const kube::ResourceKind& KindOf(const api::ClientAuthority& reference) {
  return reference.in_config_map ? kube::kinds::kConfigMap : kube::kinds::kSecret;
}

// Empty when it is not there, or no text.
std::string TextOf(const Json& object, const std::string& key, bool encoded) {
  const auto data = object.find("data");
  if (data == object.end() || !data->is_object() || !data->contains(key) || !data->at(key).is_string()) return {};
  std::string text = data->at(key).get<std::string>();
  if (!encoded) return text;
  auto decoded = kube::Base64Decode(text);
  return decoded.ok() ? std::move(decoded).value() : std::string();
}

// What no pod mounts needs not be there.
bool Mounts(const api::StorageCluster& cluster) {
  const api::ServiceSpec& service = cluster.spec.service;
  if (!service.tls || !service.tls->names_others() || cluster.hibernated) return false;
  return service.replicas > 0 || service.autoscaling.has_value();
}

}  // namespace

std::optional<Problem> JudgeCertificate(const kube::ObjectKey& key, const Json* secret, Timestamp now) {
  const std::string what = "spec.service.tls.secretName: Secret " + key.ToString();
  if (secret == nullptr) {
    return Problem{"TlsSecretMissing",
                   what +
                       " is not there; make it with tls.crt and tls.key, or remove the field to have the operator "
                       "issue a certificate"};
  }
  if (kube::LabelOf(*secret, resources::kManagedByLabel) == resources::kFieldManager) {
    return Problem{"TlsSecretInvalid", what +
                                           " is the operator's own and goes when nothing is to be issued; name one "
                                           "that is yours, or remove the field"};
  }
  const auto invalid = [&](const std::string& why) {
    return Problem{"TlsSecretInvalid",
                   what + ": " + why + "; put a PEM certificate with its chain into tls.crt and its key into tls.key"};
  };
  const certificates::KeyPair pair{TextOf(*secret, resources::kCertificateFile, true),
                                   TextOf(*secret, resources::kKeyFile, true)};
  const auto facts = certificates::ReadFacts(pair.certificate);
  if (!facts.ok() || !certificates::CheckCertificates(pair.certificate).ok())
    return invalid("its tls.crt is missing or no certificate in PEM");
  if (!certificates::Matches(pair)) return invalid("its tls.key is missing, encrypted or not the key of its tls.crt");
  if (facts->validity.not_after <= now) {
    return invalid("its certificate ended at " + FormatTimestamp(facts->validity.not_after));
  }
  return std::nullopt;
}

std::optional<Problem> JudgeClientAuthority(const std::string& ns, const api::ClientAuthority& reference,
                                            const Json* object) {
  const kube::ObjectKey key{ns, reference.name};
  const std::string what = "spec.service.tls.clientCA: " + KindOf(reference).kind + " " + key.ToString();
  const std::string remedy =
      "; put the certificates of the authorities, in PEM, under its key " + reference.key + ", or remove clientCA";
  if (object == nullptr) return Problem{"ClientCaMissing", what + " is not there" + remedy};
  const std::string text = TextOf(*object, reference.key, !reference.in_config_map);
  if (text.empty()) return Problem{"ClientCaInvalid", what + " has nothing under its key" + remedy};
  const Status readable = certificates::CheckCertificates(text);
  if (!readable.ok()) return Problem{"ClientCaInvalid", what + ": what is there is no certificate in PEM" + remedy};
  return std::nullopt;
}

void HoldService(const Problem& unusable, const std::vector<resources::DesiredObject>& desired, Plan* plan) {
  const auto of_service = [&](const Action& action) {
    return std::any_of(desired.begin(), desired.end(), [&](const resources::DesiredObject& object) {
      return object.stage == resources::Stage::kService && object.kind == action.kind && object.key() == action.key;
    });
  };
  if (std::none_of(plan->actions.begin(), plan->actions.end(), of_service)) {
    plan->warnings.push_back(unusable);
    return;
  }
  // What the service replaces goes when its successor is there.
  std::erase_if(plan->actions,
                [&](const Action& action) { return action.verb == Verb::kDelete || of_service(action); });
  plan->blocked = unusable;
}

bool TlsReferences::AreFresh(const api::StorageCluster& cluster) {
  if (!Mounts(cluster)) return true;
  const std::lock_guard lock(mutex_);
  const auto good = good_.find({cluster.ns, cluster.name});
  return good != good_.end() && good->second.uid == cluster.uid && good->second.generation == cluster.generation &&
         clock_.Monotonic() - good->second.found < kReferencesHold;
}

Result<std::optional<Problem>> TlsReferences::Look(kube::Client& client, const api::StorageCluster& cluster,
                                                   Deadline deadline) {
  Forget({cluster.ns, cluster.name});
  if (!Mounts(cluster)) return std::optional<Problem>();
  const MonotonicTime asked = clock_.Monotonic();
  std::optional<Problem> problem;
  const auto look = [&](const kube::ResourceKind& kind, const std::string& name, const auto& judge) -> Status {
    if (problem) return {};
    const kube::ObjectKey key{cluster.ns, name};
    auto object = client.Get(kind, key, deadline);
    if (object.ok()) {
      problem = judge(&*object);
    } else if (object.error().code() == ErrorCode::kNotFound) {
      problem = judge(nullptr);
    } else if (IsRefusal(object.error())) {
      problem = Problem{"AccessRefused", object.error().message()};
    } else {
      return std::move(object).error().WithContext("reading " + kind.kind + " " + key.ToString());
    }
    return {};
  };
  const api::ServiceTls& tls = *cluster.spec.service.tls;
  if (!tls.issued()) {
    HOLDFAST_RETURN_IF_ERROR(look(kube::kinds::kSecret, tls.secret_name, [&](const Json* secret) {
      return JudgeCertificate({cluster.ns, tls.secret_name}, secret, clock_.Now());
    }));
  }
  if (tls.client_authority) {
    HOLDFAST_RETURN_IF_ERROR(look(KindOf(*tls.client_authority), tls.client_authority->name, [&](const Json* object) {
      return JudgeClientAuthority(cluster.ns, *tls.client_authority, object);
    }));
  }
  if (problem) return problem;
  const std::lock_guard lock(mutex_);
  good_[{cluster.ns, cluster.name}] = {cluster.uid, cluster.generation, asked};
  return problem;
}

void TlsReferences::Forget(const kube::ObjectKey& cluster) {
  const std::lock_guard lock(mutex_);
  good_.erase(cluster);
}

}  // namespace holdfast::storagecluster
