#include "operator/controllers/storagecluster/controller.h"

#include <algorithm>

#include "base/log/log.h"
#include "operator/controllers/storagecluster/execute.h"
#include "operator/controllers/storagecluster/finalize.h"
#include "operator/controllers/storagecluster/migrations.h"
#include "operator/controllers/storagecluster/pause.h"
#include "operator/controllers/storagecluster/plan.h"
#include "operator/controllers/storagecluster/redis_rotation.h"
#include "operator/controllers/storagecluster/rotation.h"
#include "operator/controllers/storagecluster/secrets.h"
#include "operator/resources/build.h"
#include "operator/resources/names.h"

namespace holdfast::storagecluster {
namespace {

using runtime::Outcome;

// What we do not watch (objects without our labels) is looked at again after this long.
constexpr std::chrono::seconds kLookAgain{30};
// What goes by itself usually announces it through a watch; this is for when it does not.
constexpr std::chrono::seconds kWaitABit{2};
// Steps of a deletion that can follow each other at once.
constexpr int kMaximumFinalizationSteps = 4;

// Certificates end without an event. Looking costs no request.
constexpr std::chrono::hours kLookAtCertificates{6};

// What is told of a failure has to get through soon, or is told by the next one.
constexpr std::chrono::seconds kTellTimeout{5};

const kube::ResourceKind kNamespace{"", "v1", "Namespace", "namespaces", false};

bool HasForegroundDeletion(const Json& cluster) {
  static const Json::json_pointer pointer("/metadata/finalizers");
  if (!cluster.contains(pointer)) return false;
  const Json& finalizers = cluster.at(pointer);
  return std::find(finalizers.begin(), finalizers.end(), "foregroundDeletion") != finalizers.end();
}

// Enough of the cluster to find what it owns when its spec cannot be read.
api::StorageCluster Identity(const Json& object) {
  api::StorageCluster cluster;
  const kube::ObjectKey key = kube::KeyOf(object);
  cluster.ns = key.ns;
  cluster.name = key.name;
  cluster.uid = kube::UidOf(object);
  cluster.generation = kube::GenerationOf(object);
  return cluster;
}

std::string Joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

const api::Condition* Find(const std::vector<api::Condition>& conditions, const char* type) {
  return api::FindCondition(conditions, type);
}

std::vector<api::Condition> ConditionsOf(const Json& cluster) {
  static const Json::json_pointer pointer("/status/conditions");
  return cluster.contains(pointer) ? api::ConditionsFromJson(cluster.at(pointer)) : std::vector<api::Condition>();
}

}  // namespace

ClusterReconciler::ClusterReconciler(kube::Client& client, kube::EventRecorder& events,
                                     std::function<const Copies&(const std::string& ns)> copies_of,
                                     const ControllerConfig& config, const Clock& clock)
    : client_(client),
      events_(events),
      copies_of_(std::move(copies_of)),
      config_(config),
      clock_(clock),
      volumes_(config.volume_probe, config.volumes, clock),
      references_(clock) {}

Outcome ClusterReconciler::AtRest(const Json& cluster_object) const {
  static const Json::json_pointer pointer("/spec/backends");
  static const Json::json_pointer embedded("/embedded/storage/autogrow");
  static const Json::json_pointer postgres("/postgres/storage/autogrow");
  static const Json::json_pointer tls("/spec/service/tls");
  if (!cluster_object.contains(pointer) || !cluster_object.at(pointer).is_array()) return Outcome::Done();
  const bool has_tls = cluster_object.contains(tls);
  Outcome outcome = has_tls ? Outcome::After(kReferencesHold) : Outcome::Done();
  for (const Json& backend : cluster_object.at(pointer)) {
    if (backend.contains(embedded) || backend.contains(postgres)) return Outcome::After(volumes_.interval());
    const bool has_servers = backend.is_object() && (backend.contains("postgres") || backend.contains("redis"));
    if (!has_tls && has_servers) outcome = Outcome::After(kLookAtCertificates);
  }
  return outcome;
}

Result<Outcome> ClusterReconciler::Reconcile(const runtime::Request& request, std::stop_token) {
  const kube::ObjectPtr copy = copies_of_(request.ns).clusters->Get(request);
  // Gone: its children went with it, or go by their owner references.
  if (copy == nullptr) {
    volumes_.Forget(request);
    references_.Forget(request);
    NoteSuccess(request);
    return Outcome::Done();
  }
  if (CopiesAreSettled(*copy)) {
    NoteSuccess(request);
    return AtRest(*copy);
  }

  const Deadline deadline = Deadline::After(config_.reconcile_timeout);
  auto cluster = client_.Get(kube::kinds::kStorageCluster, request, deadline);
  if (!cluster.ok() && cluster.error().code() == ErrorCode::kNotFound) return Outcome::Done();
  if (!cluster.ok()) return std::move(cluster).error().WithContext("reading StorageCluster " + request.ToString());
  auto outcome = ReconcileLive(*cluster, deadline);
  if (outcome.ok()) {
    NoteSuccess(request);
  } else {
    NoteFailure(*cluster, outcome.error());
  }
  return std::move(outcome).WithContext("StorageCluster " + request.ToString());
}

std::vector<resources::DesiredObject> ClusterReconciler::Desired(const api::StorageCluster& cluster,
                                                                 const Observed& observed) const {
  resources::BuildOptions options;
  options.service_image = config_.service_image;
  options.postgres_image = config_.postgres_image;
  options.redis_image = config_.redis_image;
  options.secret_checksums = SecretChecksums(cluster, observed);
  options.authorities = PublishedAuthorities(cluster, observed);
  options.backup_caller = BackupCaller(cluster, observed);
  options.logins = LoginsOf(cluster, observed);
  options.redis_servers = RedisServersOf(cluster, observed);
  options.redis_changes = RedisChangesOf(cluster, observed);
  options.redis_wishes = RedisWishesOf(cluster, observed);
  return resources::BuildObjects(cluster, options);
}

bool ClusterReconciler::CopiesAreSettled(const Json& cluster_object) {
  if (api::IsPaused(cluster_object)) {
    return cluster_object.value("status", Json()) ==
           ComputeStatus(cluster_object, FindWhilePaused(cluster_object), clock_.Now());
  }
  if (kube::IsBeingDeleted(cluster_object)) return !HasFinalizer(cluster_object);
  if (!HasFinalizer(cluster_object)) return false;
  const Copies& copies = copies_of_(kube::KeyOf(cluster_object).ns);
  api::ParsedStorageCluster parsed = api::ParseStorageCluster(cluster_object);
  Findings findings;
  if (parsed.cluster && !references_.AreFresh(*parsed.cluster)) return false;
  if (parsed.cluster) {
    // The names of the objects are what is needed to look; checksums come from what is found.
    findings.observed = ObserveCopies(copies, *parsed.cluster, Desired(*parsed.cluster, {}));
    const auto secrets = PlanSecrets(*parsed.cluster, findings.observed, clock_.Now());
    if (!secrets.ok() || !secrets->Idle()) return false;
    const auto desired = Desired(*parsed.cluster, findings.observed);
    findings.migrations = JudgeMigrations(*parsed.cluster, desired, findings.observed);
    Plan plan = MakePlan(*parsed.cluster, desired, findings.observed);
    // A problem is looked into on the server, which alone knows whether it is still there.
    if (!plan.Idle() || plan.blocked || plan.waiting || plan.unfinished) return false;
    const auto rotation =
        PlanRotation(*parsed.cluster, RotationWish(cluster_object), desired, findings.migrations, findings.observed);
    if (!rotation.ok() || !rotation->actions.empty()) return false;
    findings.rotation = rotation->under_way;
    findings.warnings = std::move(plan.warnings);
    findings.growth = LookAtVolumes(*parsed.cluster, findings.observed, false);
    if (findings.growth && !findings.growth->due.empty()) return false;
    if (rotation->failed) findings.warnings.push_back(*rotation->failed);
    findings.cluster = std::move(parsed.cluster);
  } else {
    findings.observed = ObserveCopies(copies, Identity(cluster_object), {});
    findings.invalid = Problem{"InvalidSpec", api::Summarize(parsed.errors)};
  }
  return cluster_object.value("status", Json()) == ComputeStatus(cluster_object, findings, clock_.Now());
}

std::optional<Growth> ClusterReconciler::LookAtVolumes(const api::StorageCluster& cluster, const Observed& observed,
                                                       bool anew) {
  if (config_.volume_probe == nullptr) return std::nullopt;
  return JudgeGrowth(cluster, observed, volumes_.Look(cluster, observed, anew), clock_.Now());
}

Status ClusterReconciler::GrowVolumes(const Json& cluster_object, bool may_act, Findings* findings, Deadline deadline) {
  const api::StorageCluster& cluster = *findings->cluster;
  findings->growth = LookAtVolumes(cluster, findings->observed, false);
  if (!may_act || !findings->growth || findings->growth->due.empty()) return {};
  // Behind the read of the claims, so that an answer from before a volume grew does not make it grow again.
  findings->growth = LookAtVolumes(cluster, findings->observed, true);
  if (!findings->growth) return {};
  for (const Growth::Due& due : findings->growth->due) {
    Execution execution = Execute(client_, events_, cluster_object, {due.action}, &findings->observed, deadline);
    if (execution.transient) return *std::move(execution.transient);
    if (execution.refused) {
      volumes_.Refused(kube::KeyOf(cluster_object), due.action.key.name, *std::move(execution.refused), due.interval);
    }
  }
  if (!findings->growth->due.empty()) findings->growth = LookAtVolumes(cluster, findings->observed, false);
  return {};
}

Result<Outcome> ClusterReconciler::ReconcileLive(const Json& live, Deadline deadline) {
  if (api::IsPaused(live)) return ReconcilePaused(live, deadline);
  Json cluster_object = live;
  std::vector<Problem> warnings;
  if (kube::IsBeingDeleted(cluster_object)) {
    if (!HasFinalizer(cluster_object)) return Outcome::Done();
    HOLDFAST_ASSIGN_OR_RETURN(const bool blocked, DeletionIsBlocked(cluster_object, deadline));
    if (!blocked) return FinalizeCluster(cluster_object, deadline);
    warnings.push_back({"DeletionBlocked",
                        "deletion waits because spec.terminationPolicy is DoNotTerminate; set it to Retain (volumes "
                        "stay) or Delete (volumes go) to let the deletion go on"});
  }

  api::ParsedStorageCluster parsed = api::ParseStorageCluster(cluster_object);
  if (!parsed.cluster) return ReconcileInvalid(cluster_object, parsed.errors, deadline);
  const api::StorageCluster& cluster = *parsed.cluster;
  if (!HasFinalizer(cluster_object)) {
    HOLDFAST_ASSIGN_OR_RETURN(cluster_object,
                              client_.MergePatch(kube::kinds::kStorageCluster, kube::KeyOf(cluster_object),
                                                 AddFinalizerPatch(cluster_object), deadline));
  }

  Findings findings;
  auto observed = ObserveServer(client_, copies_of_(cluster.ns), cluster, Desired(cluster, {}), deadline);
  if (!observed.ok() && IsRefusal(observed.error())) {
    return ReportTrouble(cluster_object, cluster, {"AccessRefused", observed.error().message()}, deadline);
  }
  if (!observed.ok()) return std::move(observed).error();
  findings.observed = std::move(observed).value();
  HOLDFAST_ASSIGN_OR_RETURN(SecretPlan secrets, PlanSecrets(cluster, findings.observed, clock_.Now()));
  // Before anything mounts them. The rest is built upon what is there then.
  if (HasForegroundDeletion(cluster_object)) secrets.actions.clear();
  Execution made = Execute(client_, events_, cluster_object, secrets.actions, &findings.observed, deadline);
  if (made.transient) return *std::move(made.transient);
  const auto desired = Desired(cluster, findings.observed);
  Plan plan = MakePlan(cluster, desired, findings.observed);
  if (secrets.blocked) plan.blocked = std::move(secrets.blocked);
  if (secrets.waiting && !plan.waiting) plan.waiting = std::move(secrets.waiting);
  if (made.refused || plan.blocked || plan.waiting) plan.actions.clear();
  // The garbage collector is taking the children of a foreground deletion away; making them anew would be a fight.
  if (HasForegroundDeletion(cluster_object)) plan.actions.clear();
  HOLDFAST_ASSIGN_OR_RETURN(const auto unusable, references_.Look(client_, cluster, deadline));
  if (unusable) HoldService(*unusable, desired, &plan);
  Execution execution = Execute(client_, events_, cluster_object, plan.actions, &findings.observed, deadline);
  // Told by the next try: whatever was written before the interruption is not reported as the whole.
  if (execution.transient) return *std::move(execution.transient);

  bool rotates = false;
  findings.cluster = cluster;
  findings.migrations = JudgeMigrations(cluster, desired, findings.observed);
  findings.blocked = std::move(plan.blocked);
  findings.waiting = std::move(plan.waiting);
  findings.refused = made.refused ? std::move(made.refused) : std::move(execution.refused);
  findings.warnings = std::move(warnings);
  for (Problem& warning : plan.warnings) findings.warnings.push_back(std::move(warning));
  const bool applied = !findings.blocked && !findings.waiting && !findings.refused && !plan.unfinished;
  if (applied && !HasForegroundDeletion(cluster_object)) {
    // Of what has just been written the controllers of Kubernetes have not seen anything yet, and it says so.
    HOLDFAST_ASSIGN_OR_RETURN(RotationPlan rotation, PlanRotation(cluster, RotationWish(cluster_object), desired,
                                                                  findings.migrations, findings.observed));
    Execution rotated = Execute(client_, events_, cluster_object, rotation.actions, &findings.observed, deadline);
    if (rotated.transient) return *std::move(rotated.transient);
    findings.refused = std::move(rotated.refused);
    findings.rotation = std::move(rotation.under_way);
    if (rotation.failed) findings.warnings.push_back(*std::move(rotation.failed));
    rotates = !rotation.actions.empty();
  }
  findings.unfinished =
      plan.unfinished || std::any_of(plan.actions.begin(), plan.actions.end(),
                                     [](const Action& action) { return action.verb == Verb::kDelete; });
  const bool may_grow =
      !findings.blocked && !findings.waiting && !findings.refused && !kube::IsBeingDeleted(cluster_object);
  HOLDFAST_RETURN_IF_ERROR(GrowVolumes(cluster_object, may_grow, &findings, deadline));
  HOLDFAST_ASSIGN_OR_RETURN(const Json written, WriteStatus(client_, cluster_object, findings, clock_, deadline));
  RecordTransitions(cluster_object, written);
  if (findings.blocked || findings.refused || unusable) return Outcome::After(kLookAgain);
  if (findings.waiting || findings.unfinished || rotates) return Outcome::After(kWaitABit);
  return AtRest(cluster_object);
}

Result<Outcome> ClusterReconciler::ReconcileInvalid(const Json& cluster_object,
                                                    const std::vector<api::FieldError>& errors, Deadline deadline) {
  Findings findings;
  findings.invalid = Problem{"InvalidSpec", api::Summarize(errors)};
  findings.observed = ObserveCopies(copies_of_(kube::KeyOf(cluster_object).ns), Identity(cluster_object), {});
  HOLDFAST_ASSIGN_OR_RETURN(const Json written, WriteStatus(client_, cluster_object, findings, clock_, deadline));
  RecordTransitions(cluster_object, written);
  return Outcome::Done();
}

Findings ClusterReconciler::FindWhilePaused(const Json& cluster_object) const {
  const Copies& copies = copies_of_(kube::KeyOf(cluster_object).ns);
  api::ParsedStorageCluster parsed = api::ParseStorageCluster(cluster_object);
  Findings findings;
  std::vector<Action> waiting;
  if (parsed.cluster) {
    findings.observed = ObserveCopies(copies, *parsed.cluster, Desired(*parsed.cluster, {}));
    const auto desired = Desired(*parsed.cluster, findings.observed);
    waiting = MakePlan(*parsed.cluster, desired, findings.observed).actions;
    findings.migrations = JudgeMigrations(*parsed.cluster, desired, findings.observed);
    findings.cluster = std::move(parsed.cluster);
  } else {
    findings.cluster = Identity(cluster_object);
    findings.observed = ObserveCopies(copies, *findings.cluster, {});
  }
  findings.paused = DescribePause(cluster_object, waiting, parsed.errors);
  return findings;
}

Result<Outcome> ClusterReconciler::ReconcilePaused(const Json& cluster_object, Deadline deadline) {
  HOLDFAST_ASSIGN_OR_RETURN(const Json written,
                            WriteStatus(client_, cluster_object, FindWhilePaused(cluster_object), clock_, deadline));
  RecordTransitions(cluster_object, written);
  return Outcome::Done();
}

Result<Outcome> ClusterReconciler::ReportTrouble(const Json& cluster_object, const api::StorageCluster& cluster,
                                                 Problem trouble, Deadline deadline) {
  Findings findings;
  findings.cluster = cluster;
  findings.refused = std::move(trouble);
  findings.observed = ObserveCopies(copies_of_(cluster.ns), cluster, {});
  HOLDFAST_ASSIGN_OR_RETURN(const Json written, WriteStatus(client_, cluster_object, findings, clock_, deadline));
  RecordTransitions(cluster_object, written);
  return Outcome::After(kLookAgain);
}

void ClusterReconciler::NoteSuccess(const runtime::Request& request) {
  const std::lock_guard lock(mutex_);
  failing_since_.erase(request);
}

void ClusterReconciler::NoteFailure(const Json& cluster_object, const Error& error) {
  // Somebody else wrote first, which says nothing about the server.
  if (error.code() == ErrorCode::kVersionConflict) return;
  const MonotonicTime now = clock_.Monotonic();
  {
    const std::lock_guard lock(mutex_);
    const auto [since, first] = failing_since_.try_emplace(kube::KeyOf(cluster_object), now);
    if (first || now - since->second < config_.failure_patience) return;
  }
  const api::ParsedStorageCluster parsed = api::ParseStorageCluster(cluster_object);
  if (!parsed.cluster || kube::IsBeingDeleted(cluster_object)) return;
  // Its own outcome is that of the reconcile. A server that is away takes no status either.
  static_cast<void>(ReportTrouble(cluster_object, *parsed.cluster, {"ApiServerFailing", error.message()},
                                  Deadline::After(kTellTimeout)));
}

Result<bool> ClusterReconciler::DeletionIsBlocked(const Json& cluster_object, Deadline deadline) {
  if (api::TerminationPolicyOf(cluster_object) != api::TerminationPolicy::kDoNotTerminate) return false;
  // A namespace that is going takes the children along whatever we hold; holding on would only keep it from ending.
  auto ns = client_.Get(kNamespace, {"", kube::KeyOf(cluster_object).ns}, deadline);
  if (ns.ok()) {
    if (!kube::IsBeingDeleted(*ns)) return true;
    events_.Record(cluster_object, kube::EventType::kWarning, "DeletionNotBlocked",
                   "terminationPolicy DoNotTerminate cannot hold a namespace that is being deleted");
    return false;
  }
  // Without the right to read namespaces the policy is obeyed.
  const ErrorCode code = ns.error().code();
  if (code == ErrorCode::kNotFound || IsRefusal(ns.error())) return true;
  return std::move(ns).error().WithContext("reading the namespace");
}

Result<Outcome> ClusterReconciler::FinalizeCluster(const Json& cluster_object, Deadline deadline) {
  const kube::ObjectKey key = kube::KeyOf(cluster_object);
  const std::string uid = kube::UidOf(cluster_object);
  const api::TerminationPolicy policy = api::TerminationPolicyOf(cluster_object);
  Findings findings;
  for (int step = 0; step < kMaximumFinalizationSteps; ++step) {
    HOLDFAST_ASSIGN_OR_RETURN(findings.observed, ObserveForDeletion(client_, key, uid, deadline));
    const Finalization finalization = PlanFinalization(uid, policy, findings.observed);
    if (finalization.Finished()) return ReleaseCluster(cluster_object, finalization.retained_claims, deadline);
    Execution execution = Execute(client_, events_, cluster_object, finalization.actions, &findings.observed, deadline);
    if (execution.transient) return *std::move(execution.transient);
    findings.refused = std::move(execution.refused);
    findings.terminating =
        Problem{"Terminating", finalization.waiting_for.empty() ? "the cluster's objects are being deleted"
                                                                : "waits for " + finalization.waiting_for};
    if (findings.refused || !finalization.waiting_for.empty()) break;
  }
  HOLDFAST_ASSIGN_OR_RETURN(const Json written, WriteStatus(client_, cluster_object, findings, clock_, deadline));
  RecordTransitions(cluster_object, written);
  return Outcome::After(findings.refused ? kLookAgain : kWaitABit);
}

Result<Outcome> ClusterReconciler::ReleaseCluster(const Json& cluster_object,
                                                  const std::vector<std::string>& retained_claims, Deadline deadline) {
  const kube::ObjectKey key = kube::KeyOf(cluster_object);
  if (!retained_claims.empty()) {
    events_.Record(cluster_object, kube::EventType::kNormal, "VolumesRetained",
                   "kept with their data: PersistentVolumeClaims " + Joined(retained_claims) +
                       "; a StorageCluster of the same name takes them over, kubectl delete pvc removes them");
  }
  auto released = client_.MergePatch(kube::kinds::kStorageCluster, key, RemoveFinalizerPatch(cluster_object), deadline);
  if (!released.ok() && released.error().code() != ErrorCode::kNotFound) {
    return std::move(released).error().WithContext("taking the finalizer off");
  }
  log::Info("cluster released", {{"cluster", key.ToString()}, {"retained", Joined(retained_claims)}});
  return Outcome::Done();
}

void ClusterReconciler::RecordTransitions(const Json& before, const Json& after) {
  const std::vector<api::Condition> old_conditions = ConditionsOf(before);
  const std::vector<api::Condition> new_conditions = ConditionsOf(after);
  const api::Condition* pause = Find(new_conditions, kPausedCondition);
  const bool was_paused = Find(old_conditions, kPausedCondition) != nullptr;
  if (pause != nullptr && !was_paused) {
    events_.Record(after, kube::EventType::kNormal, "Paused", pause->message);
  } else if (pause == nullptr && was_paused) {
    events_.Record(after, kube::EventType::kNormal, "Resumed", "the operator goes on");
  }
  RecordPrimaries(before, after);
  for (const char* type :
       {"Ready", "Degraded", "MigrationsApplied", kStorageHasRoomCondition, kStoresAsSpecifiedCondition}) {
    const api::Condition* was = Find(old_conditions, type);
    const api::Condition* is = Find(new_conditions, type);
    if (is == nullptr || (was != nullptr && was->status == is->status && was->reason == is->reason)) continue;
    const bool of_room = std::string_view(type) == kStorageHasRoomCondition;
    const bool of_trouble = std::string_view(type) == "Degraded";
    const bool good_news = !of_trouble && !of_room && is->status == api::ConditionStatus::kTrue;
    // A volume at its maximum is told of once, by the condition that is always about it.
    const bool at_maximum = is->reason == "MaximumReached";
    const bool bad_news = (of_trouble && is->status == api::ConditionStatus::kTrue && !at_maximum) ||
                          (of_room && at_maximum) || is->reason == "WaitingForApproval";
    if (good_news) events_.Record(after, kube::EventType::kNormal, is->reason, is->message);
    if (bad_news) events_.Record(after, kube::EventType::kWarning, is->reason, is->message);
  }
}

void ClusterReconciler::RecordPrimaries(const Json& before, const Json& after) {
  static const Json::json_pointer pointer("/status/backends");
  if (!after.contains(pointer)) return;
  const Json old = before.contains(pointer) ? before.at(pointer) : Json::array();
  for (const Json& backend : after.at(pointer)) {
    const std::string primary = kube::StringAt(backend, "/primary");
    const std::string name = kube::StringAt(backend, "/name");
    const auto former =
        std::find_if(old.begin(), old.end(), [&](const Json& each) { return kube::StringAt(each, "/name") == name; });
    const std::string was = former == old.end() ? std::string() : kube::StringAt(*former, "/primary");
    if (primary.empty() || primary == was) continue;
    events_.Record(after, kube::EventType::kNormal, "PrimaryChanged",
                   "backend " + name + ": " + primary + " takes the writes" + (was.empty() ? "" : ", before " + was));
  }
}

}  // namespace holdfast::storagecluster
