#include "operator/controllers/storagemigration/gather.h"

#include <utility>

#include "operator/api/v1/annotations.h"
#include "operator/certificates/random_password.h"
#include "operator/controllers/storagemigration/check.h"
#include "operator/controllers/storagemigration/finalizer.h"
#include "operator/controllers/storagemigration/rollout.h"
#include "operator/kube/base64.h"
#include "operator/kube/finalizers.h"
#include "operator/kube/get_or_null.h"
#include "operator/resources/build.h"
#include "operator/resources/names.h"
#include "operator/service_access/endpoint.h"

namespace holdfast::storagemigration {
namespace {

using kube::GetOrNull;
using kube::Json;
using resources::kTokenFile;

Result<std::string> TokenIn(const Json& secret) {
  HOLDFAST_ASSIGN_OR_RETURN(std::string token,
                            kube::Base64Decode(kube::StringAt(secret, std::string("/data/") + kTokenFile)));
  if (!token.empty()) return token;
  return Error(ErrorCode::kFailedPrecondition,
               "Secret " + kube::KeyOf(secret).name + " holds no token: delete it, and it is made anew");
}

Json CallerSecret(const Json& migration, const std::string& token) {
  const kube::ObjectKey key = kube::KeyOf(migration);
  return {{"apiVersion", "v1"},
          {"kind", "Secret"},
          {"metadata",
           {{"name", CallerSecretName(key.name)},
            {"namespace", key.ns},
            {"labels", {{resources::kManagedByLabel, resources::kFieldManager}}},
            {"ownerReferences", Json::array({{{"apiVersion", api::kApiVersion},
                                              {"kind", api::kStorageMigrationKind},
                                              {"name", key.name},
                                              {"uid", kube::UidOf(migration)}}})}}},
          {"type", "Opaque"},
          {"data", {{kTokenFile, kube::Base64Encode(token)}}}};
}

}  // namespace

std::string CallerSecretName(const std::string& migration) {
  return migration + "-caller";
}

Gatherer::Gatherer(kube::Client& client, ServiceClient& service, std::chrono::milliseconds answer_timeout,
                   std::chrono::microseconds tidying, const Clock& clock)
    : client_(client), service_(service), answer_timeout_(answer_timeout), tidying_(tidying), clock_(clock) {}

Result<std::string> Gatherer::TokenOf(const Json& object, Deadline deadline) const {
  const kube::ObjectKey key = kube::KeyOf(object);
  const kube::ObjectKey secret{key.ns, CallerSecretName(key.name)};
  HOLDFAST_ASSIGN_OR_RETURN(const Json present, GetOrNull(client_, kube::kinds::kSecret, secret, deadline));
  if (!present.is_null()) return TokenIn(present);
  HOLDFAST_ASSIGN_OR_RETURN(const std::string token, certificates::RandomPassword());
  HOLDFAST_ASSIGN_OR_RETURN(const Json made,
                            client_.Create(kube::kinds::kSecret, CallerSecret(object, token), deadline));
  return TokenIn(made);
}

Result<bool> Gatherer::IsThere(const std::string& ns, const api::StoreMove& move, Deadline deadline) const {
  HOLDFAST_ASSIGN_OR_RETURN(const Json object, GetOrNull(client_, kube::kinds::kStorageMigration,
                                                         kube::ObjectKey{ns, move.migration}, deadline));
  return kube::UidOf(object) == move.uid;
}

Status Gatherer::Ask(const api::StorageMigration& migration, const api::StorageCluster& cluster,
                     const std::string& token, Gathered* gathered, Deadline deadline) const {
  Facts& facts = gathered->facts;
  kube::ListOptions options;
  options.label_selector = resources::PodSelectorText(cluster.name);
  HOLDFAST_ASSIGN_OR_RETURN(kube::ObjectList pods, client_.List(kube::kinds::kPod, cluster.ns, options, deadline));
  ServicePods service{.pods = std::move(pods.items)};
  if (!migration.status.former_id) {
    HOLDFAST_ASSIGN_OR_RETURN(
        service.config_map,
        GetOrNull(client_, kube::kinds::kConfigMap, {cluster.ns, resources::ConfigMapName(cluster.name)}, deadline));
    const bool keeps_data = resources::KeepsDataInPods(cluster.spec);
    HOLDFAST_ASSIGN_OR_RETURN(service.workload,
                              GetOrNull(client_, keeps_data ? kube::kinds::kStatefulSet : kube::kinds::kDeployment,
                                        {cluster.ns, cluster.name}, deadline));
    facts.pods = service.wanted();
    facts.rolling = WhatIsMissing(service, migration.spec.store, migration.spec.to);
    facts.silence = facts.rolling.value_or("");
    if (facts.rolling) return {};
  }
  HOLDFAST_ASSIGN_OR_RETURN(service_access::Reached reached,
                            service_access::Reach(client_, cluster, service.pods, token, "", deadline));
  facts.silence = std::move(reached.silence);
  if (!facts.silence.empty()) return {};
  Endpoint endpoint = std::move(reached.endpoint);
  const Deadline patience = Deadline::After(answer_timeout_).Sooner(deadline);
  Result<Report> report = service_.Ask(endpoint, migration.spec.store, patience);
  gathered->service = std::move(endpoint);
  if (report.ok()) {
    facts.report = std::move(report).value();
  } else {
    facts.silence = report.error().message();
  }
  return {};
}

Result<Gathered> Gatherer::Gather(const Json& object, const api::StorageMigration& migration, Deadline deadline) const {
  Gathered gathered;
  Facts& facts = gathered.facts;
  facts.migration = migration;
  facts.held = kube::HasFinalizer(object, kFinalizer);
  facts.now = clock_.Now();
  facts.tidying = tidying_;
  HOLDFAST_ASSIGN_OR_RETURN(gathered.cluster, GetOrNull(client_, kube::kinds::kStorageCluster,
                                                        {migration.ns, migration.spec.cluster}, deadline));
  facts.paused = api::IsPaused(object) || api::IsPaused(gathered.cluster);
  if (gathered.cluster.is_null()) return gathered;
  facts.moves = api::MovesOf(gathered.cluster);
  const api::ParsedStorageCluster parsed = api::ParseStorageCluster(gathered.cluster);
  const api::StoreMove* move = api::FindMove(*facts.moves, migration.spec.store);
  const bool ours = move != nullptr && move->uid == migration.uid;
  if (move != nullptr && move->moving() && !ours) {
    HOLDFAST_ASSIGN_OR_RETURN(const bool there, IsThere(migration.ns, *move, deadline));
    // What nobody looks after may be gone on with by whoever wants the same.
    if (there || move->to != migration.spec.to) facts.other = move->migration;
  }
  if (!parsed.cluster) {
    const std::string why = "the StorageCluster's spec is not valid: " + api::Summarize(parsed.errors);
    facts.unusable = Said{"InvalidReference", why};
    facts.silence = why;
    return gathered;
  }
  const bool moving = ours && move->moving();
  if (!moving) facts.unusable = WhyNot(migration, *parsed.cluster);
  std::string token;
  if (!facts.unusable && parsed.cluster->spec.service.service_account_auth && facts.held) {
    HOLDFAST_ASSIGN_OR_RETURN(token, TokenOf(object, deadline));
  }
  if (!facts.unusable) {
    facts.wanted = WantedMove(migration, *parsed.cluster, token.empty() ? std::string() : resources::Sha256Of(token));
  }
  if (moving) HOLDFAST_RETURN_IF_ERROR(Ask(migration, *parsed.cluster, token, &gathered, deadline));
  return gathered;
}

}  // namespace holdfast::storagemigration
