#include "tests/unit/operator/controllers/cluster_bench.h"

#include <algorithm>
#include <cstdlib>

#include "base/config/settings.h"
#include "operator/api/v1/crd.h"
#include "operator/controllers/storagecluster/ownership.h"
#include "operator/kube/rest_client.h"
#include "operator/resources/build.h"
#include "operator/resources/names.h"
#include "tests/unit/operator/controllers/in_process_client.h"

namespace holdfast::storagecluster {
namespace {

constexpr char kNamespace[] = "prod";
constexpr int kMaximumRounds = 60;

Deadline Soon() {
  return Deadline::After(std::chrono::seconds{20});
}

Json Must(Result<Json> result) {
  if (!result.ok()) {
    fprintf(stderr, "bench: %s\n", result.error().ToString().c_str());
    std::abort();
  }
  return std::move(result).value();
}

// For what the bench does beside a running operator, which may be ahead of the view it acts on.
void MustUnlessOvertaken(const Result<Json>& result) {
  if (result.ok()) return;
  const ErrorCode code = result.error().code();
  if (code == ErrorCode::kVersionConflict || code == ErrorCode::kNotFound || code == ErrorCode::kAlreadyExists) return;
  fprintf(stderr, "bench: %s\n", result.error().ToString().c_str());
  std::abort();
}

std::vector<kube::ResourceKind> ObservedKinds() {
  std::vector<kube::ResourceKind> kinds = resources::ChildKinds();
  kinds.push_back(kube::kinds::kStorageCluster);
  kinds.push_back(kube::kinds::kPersistentVolumeClaim);
  kinds.push_back(kube::kinds::kPod);
  return kinds;
}

std::shared_ptr<kube::Client> Connect(std::uint16_t port) {
  kube::RestClientOptions options;
  options.credentials.base_url = "http://127.0.0.1:" + std::to_string(port);
  auto client = kube::MakeRestClient(std::move(options));
  if (!client.ok()) std::abort();
  return std::move(client).value();
}

// What differs between two runs of the same story.
void Normalize(Json& value) {
  if (value.is_object()) {
    for (const char* name : {"uid", "resourceVersion", "creationTimestamp", "managedFields", "generation",
                             "lastTransitionTime", "observedGeneration", "clusterIP", "clusterIPs"}) {
      value.erase(name);
    }
    if (const auto labels = value.find("labels"); labels != value.end() && labels->is_object()) {
      labels->erase(resources::kOwnerUidLabel);
    }
    // Hashes cover the owner's uid.
    if (const auto annotations = value.find("annotations"); annotations != value.end()) {
      annotations->erase(resources::kDesiredHashAnnotation);
      annotations->erase(kGrownAtAnnotation);
    }
  }
  if (value.is_structured()) {
    for (Json& child : value) Normalize(child);
  }
}

// Passwords and keys are others in every run, and checksums cover them.
void HideRandomness(const kube::ResourceKind& kind, Json& object) {
  if (kind == kube::kinds::kSecret) {
    for (Json& value : object["data"]) value = "random";
  }
  if (kind == kube::kinds::kConfigMap && object.value("data", Json::object()).contains(resources::kAuthorityFile)) {
    object["data"][resources::kAuthorityFile] = "random";
  }
  if (kind == kube::kinds::kJob) {
    // By which a Job knows its pods.
    for (const char* labels : {"/spec/selector/matchLabels", "/spec/template/metadata/labels"}) {
      const Json::json_pointer pointer(labels);
      if (!object.contains(pointer)) continue;
      for (const char* label : {"batch.kubernetes.io/controller-uid", "controller-uid"}) object[pointer].erase(label);
    }
  }
  if (kube::LabelOf(object, resources::kBackendLabel).empty()) return;
  static const Json::json_pointer annotations("/spec/template/metadata/annotations");
  if (object.contains(annotations)) object[annotations].erase(resources::kConfigChecksumAnnotation);
}

}  // namespace

class ClusterBench::Lister : public kube::Lister {
 public:
  Lister(kube::ResourceKind kind, std::shared_ptr<kube::Client> client)
      : kind_(std::move(kind)), client_(std::move(client)) {}

  void Refresh() {
    kube::ListOptions options;
    if (kind_ != kube::kinds::kStorageCluster) options.label_selector = resources::kManagedBySelector;
    auto list = client_->List(kind_, kNamespace, options, Soon());
    if (!list.ok()) std::abort();
    objects_.clear();
    for (Json& item : list->items) {
      const kube::ObjectKey key = kube::KeyOf(item);
      objects_[key] = std::make_shared<const Json>(std::move(item));
    }
  }

  kube::ObjectPtr Get(const kube::ObjectKey& key) const override {
    const auto found = objects_.find(key);
    return found == objects_.end() ? nullptr : found->second;
  }
  std::vector<kube::ObjectPtr> List(const std::string&) const override {
    std::vector<kube::ObjectPtr> all;
    for (const auto& [key, object] : objects_) all.push_back(object);
    return all;
  }

  const std::map<kube::ObjectKey, kube::ObjectPtr>& objects() const { return objects_; }
  void Show(const std::map<kube::ObjectKey, kube::ObjectPtr>& objects) { objects_ = objects; }

 private:
  const kube::ResourceKind kind_;
  const std::shared_ptr<kube::Client> client_;
  std::map<kube::ObjectKey, kube::ObjectPtr> objects_;
};

class ClusterBench::Recorder : public kube::EventRecorder {
 public:
  explicit Recorder(std::vector<RecordedEvent>& events) : events_(events) {}
  void Record(const Json&, kube::EventType type, std::string_view reason, std::string_view message) override {
    events_.push_back({type, std::string(reason), std::string(message)});
  }

 private:
  std::vector<RecordedEvent>& events_;
};

// The state service's word on the volume of "demo-0".
class ClusterBench::Disk : public VolumeProbe {
 public:
  explicit Disk(ClusterBench& bench) : bench_(bench) {}
  // A pod's address here is its name.
  std::optional<VolumeUsage> Ask(const std::string& address, std::uint16_t port, const std::string&,
                                 Deadline) override {
    ++bench_.volume_questions;
    std::string name = port == resources::kVolumePort ? "pgdata-" : "data-";
    const Json claim = bench_.Get(kube::kinds::kPersistentVolumeClaim, name.append(address));
    if (claim.is_null() || !bench_.disk_used) return std::nullopt;
    const auto capacity = config::ParseBytes(kube::StringAt(claim, "/status/capacity/storage"));
    if (!capacity.ok()) return std::nullopt;
    const auto own = bench_.disk_used_of.find(name);
    const std::uint64_t used = own == bench_.disk_used_of.end() ? *bench_.disk_used : own->second;
    return VolumeUsage{*capacity, *capacity - std::min(*capacity, used)};
  }

 private:
  ClusterBench& bench_;
};

ClusterBench::ClusterBench(Transport transport, const Wrapper& wrap) : recorder_(std::make_unique<Recorder>(events_)) {
  if (transport == Transport::kHttp && !server_.Listen().ok()) std::abort();
  user_ = std::make_shared<InProcessClient>(server_);
  std::shared_ptr<kube::Client> next = transport == Transport::kHttp ? Connect(server_.port()) : user_;
  if (wrap) next = wrap(std::move(next));
  client_ = std::make_shared<CrashingClient>(std::move(next));
  const auto crd =
      server_.Call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", api::StorageClusterDefinition());
  const auto ns = server_.Call("POST", "/api/v1/namespaces",
                               {{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", {{"name", kNamespace}}}});
  if (!crd.ok() || !ns.ok()) {
    fprintf(stderr, "bench: %s %s\n", crd.body.dump().c_str(), ns.body.dump().c_str());
    std::abort();
  }
  for (const kube::ResourceKind& kind : ObservedKinds()) {
    listers_.push_back(std::make_unique<Lister>(kind, user_));
    const kube::Lister* lister = listers_.back().get();
    if (kind == kube::kinds::kStorageCluster) {
      copies_.clusters = lister;
    } else if (kind == kube::kinds::kPersistentVolumeClaim) {
      copies_.claims = lister;
    } else if (kind == kube::kinds::kPod) {
      copies_.pods = lister;
    } else {
      copies_.children[kind] = lister;
    }
  }
  RestartOperator();
}

ClusterBench::~ClusterBench() = default;

bool ClusterBench::HasEvent(const std::string& reason) const {
  return std::any_of(events_.begin(), events_.end(),
                     [&](const RecordedEvent& event) { return event.reason == reason; });
}

void ClusterBench::CreateCluster(const std::string& name, const Json& spec) {
  Must(user_->Create(kube::kinds::kStorageCluster,
                     {{"apiVersion", api::kApiVersion},
                      {"kind", api::kStorageClusterKind},
                      {"metadata", {{"name", name}, {"namespace", kNamespace}}},
                      {"spec", spec}},
                     Soon()));
}

void ClusterBench::PatchSpec(const std::string& name, const Json& patch) {
  Must(user_->MergePatch(kube::kinds::kStorageCluster, {kNamespace, name}, {{"spec", patch}}, Soon()));
}

void ClusterBench::DeleteCluster(const std::string& name) {
  const Json cluster = Cluster(name);
  const auto reply = server_.Call(
      "DELETE", "/apis/storage.holdfast.dev/v1/namespaces/" + std::string(kNamespace) + "/storageclusters/" + name);
  if (!reply.ok() || cluster.is_null()) std::abort();
}

Json ClusterBench::Get(const kube::ResourceKind& kind, const std::string& name) {
  auto object = user_->Get(kind, {kNamespace, name}, Soon());
  if (object.ok()) return std::move(object).value();
  if (object.error().code() != ErrorCode::kNotFound) std::abort();
  return nullptr;
}

std::string ClusterBench::ConditionOf(const std::string& name, const std::string& type) {
  const Json cluster = Cluster(name);
  if (cluster.is_null() || !cluster.contains("status")) return "";
  for (const Json& condition : cluster.at("status").value("conditions", Json::array())) {
    if (condition.at("type") == type) {
      return condition.at("status").get<std::string>() + " " + condition.at("reason").get<std::string>();
    }
  }
  return "";
}

std::string ClusterBench::MessageOf(const std::string& name, const std::string& type) {
  const Json cluster = Cluster(name);
  for (const Json& condition : cluster.at("status").at("conditions")) {
    if (condition.at("type") == type) return condition.at("message").get<std::string>();
  }
  return "";
}

void ClusterBench::RefreshCopies() {
  if (frozen_) return;
  for (const auto& lister : listers_) lister->Refresh();
}

void ClusterBench::FreezeCopies() {
  RefreshCopies();
  frozen_ = true;
}

void ClusterBench::ThawCopies() {
  frozen_ = false;
}

ClusterBench::View ClusterBench::RememberCopies() {
  View view;
  for (const auto& lister : listers_) view.push_back(lister->objects());
  return view;
}

void ClusterBench::ShowCopies(const View& view) {
  for (std::size_t i = 0; i < view.size(); ++i) listers_[i]->Show(view[i]);
  frozen_ = true;
}

std::unique_ptr<ClusterReconciler> ClusterBench::MakeReconciler(kube::Client& client) {
  ControllerConfig config;
  config.service_image = service_image;
  config.volume_probe = std::make_shared<Disk>(*this);
  config.volumes.interval = std::chrono::milliseconds{0};
  config.failure_patience = failure_patience;
  return std::make_unique<ClusterReconciler>(
      client, *recorder_, [this](const std::string&) -> const Copies& { return copies_; }, config, SystemClock());
}

void ClusterBench::RestartOperator() {
  client_->CrashAt(0, CrashingClient::When::kBefore);
  reconciler_ = MakeReconciler(*client_);
}

Result<runtime::Outcome> ClusterBench::ReconcileAsAnother(const std::string& name, kube::Client& client) {
  const View seen_by_the_first = RememberCopies();
  for (const auto& lister : listers_) lister->Refresh();
  auto outcome = MakeReconciler(client)->Reconcile({kNamespace, name}, {});
  for (std::size_t i = 0; i < seen_by_the_first.size(); ++i) listers_[i]->Show(seen_by_the_first[i]);
  return outcome;
}

Result<runtime::Outcome> ClusterBench::Reconcile(const std::string& name) {
  RefreshCopies();
  return reconciler_->Reconcile({kNamespace, name}, {});
}

bool ClusterBench::Converge(const std::string& name) {
  int quiet = 0;
  for (int round = 0; round < kMaximumRounds; ++round) {
    const std::uint64_t before = server_.revision();
    const auto outcome = Reconcile(name);
    PlayStatefulSets();
    PlayDatabases();
    quiet = outcome.ok() && server_.revision() == before ? quiet + 1 : 0;
    if (quiet == 2) return true;
    if (round + 2 < kMaximumRounds) continue;
    // The last rounds of a bench that does not come to rest tell why.
    fprintf(stderr, "round %d: %s; revision %llu to %llu\n", round,
            outcome.ok() ? "reconciled" : outcome.error().ToString().c_str(), static_cast<unsigned long long>(before),
            static_cast<unsigned long long>(server_.revision()));
  }
  return false;
}

void ClusterBench::PlayPod(const Json& stateful_set, bool wanted) {
  const std::string name = kube::KeyOf(stateful_set).name;
  const Json pod = Get(kube::kinds::kPod, name + "-0");
  if (!wanted) {
    if (pod.is_null() || ControllerUid(pod) != kube::UidOf(stateful_set)) return;
    server_.Call("DELETE", "/api/v1/namespaces/prod/pods/" + name + "-0?gracePeriodSeconds=0");
    return;
  }
  const Json& spec = stateful_set.at("spec");
  for (const Json& claim_template : spec.value("volumeClaimTemplates", Json::array())) {
    const std::string claim = claim_template.at("metadata").at("name").get<std::string>() + "-" + name + "-0";
    if (!Get(kube::kinds::kPersistentVolumeClaim, claim).is_null()) continue;
    Json object = {
        {"apiVersion", "v1"},
        {"kind", "PersistentVolumeClaim"},
        {"metadata",
         {{"name", claim}, {"namespace", kNamespace}, {"labels", claim_template.at("metadata").at("labels")}}},
        {"spec", claim_template.at("spec")}};
    MustUnlessOvertaken(user_->Create(kube::kinds::kPersistentVolumeClaim, object, Soon()));
  }
  if (!pod.is_null()) return;
  Json object = {{"apiVersion", "v1"},
                 {"kind", "Pod"},
                 {"metadata",
                  {{"name", name + "-0"},
                   {"namespace", kNamespace},
                   {"labels", spec.at("template").at("metadata").at("labels")},
                   {"ownerReferences", Json::array({{{"apiVersion", "apps/v1"},
                                                     {"kind", "StatefulSet"},
                                                     {"name", name},
                                                     {"uid", kube::UidOf(stateful_set)},
                                                     {"controller", true}}})}}},
                 {"spec", spec.at("template").at("spec")}};
  MustUnlessOvertaken(user_->Create(kube::kinds::kPod, object, Soon()));
}

void ClusterBench::PlayVolumes() {
  if (!disk_used) return;
  auto claims = user_->List(kube::kinds::kPersistentVolumeClaim, kNamespace, {}, Soon());
  auto pods = user_->List(kube::kinds::kPod, kNamespace, {}, Soon());
  if (!claims.ok() || !pods.ok()) std::abort();
  for (Json& claim : claims->items) {
    const bool bound = claim.value("status", Json::object()).contains("capacity");
    if (bound && !volumes_grow) continue;
    const Json capacity = claim.at("spec").at("resources").at("requests");
    if (bound && claim.at("status").at("capacity") == capacity) continue;
    claim["status"]["capacity"] = capacity;
    MustUnlessOvertaken(user_->UpdateStatus(kube::kinds::kPersistentVolumeClaim, claim, Soon()));
  }
  for (Json& pod : pods->items) {
    if (!kube::StringAt(pod, "/status/podIP").empty()) continue;
    pod["status"]["podIP"] = kube::KeyOf(pod).name;
    MustUnlessOvertaken(user_->UpdateStatus(kube::kinds::kPod, pod, Soon()));
  }
}

void ClusterBench::PlayStatefulSets() {
  auto list = user_->List(kube::kinds::kStatefulSet, kNamespace, {}, Soon());
  auto pods = user_->List(kube::kinds::kPod, kNamespace, {}, Soon());
  auto claims = user_->List(kube::kinds::kPersistentVolumeClaim, kNamespace, {}, Soon());
  if (!list.ok() || !pods.ok() || !claims.ok()) std::abort();
  // What the garbage collector and the kubelet do with the pods of a StatefulSet that is gone.
  for (const Json& pod : pods->items) {
    const std::string role = kube::LabelOf(pod, resources::kRoleLabel);
    if (role == resources::kMigrationRole || role == resources::kPoolerRole) continue;  // a Job's, a Deployment's
    const bool orphan = std::none_of(list->items.begin(), list->items.end(),
                                     [&](const Json& set) { return kube::UidOf(set) == ControllerUid(pod); });
    if (!orphan) continue;
    server_.Call("DELETE", "/api/v1/namespaces/prod/pods/" + kube::KeyOf(pod).name + "?gracePeriodSeconds=0");
  }
  // And the protection of claims, once no pod is left.
  for (const Json& claim : claims->items) {
    if (!kube::IsBeingDeleted(claim) || !pods->items.empty()) continue;
    const kube::ObjectKey key = kube::KeyOf(claim);
    const auto freed =
        user_->MergePatch(kube::kinds::kPersistentVolumeClaim, key, {{"metadata", {{"finalizers", nullptr}}}}, Soon());
    if (!freed.ok() && freed.error().code() != ErrorCode::kNotFound) std::abort();
  }
  for (Json& set : list->items) {
    if (!kube::LabelOf(set, resources::kBackendLabel).empty()) continue;  // PlayDatabases
    const std::int64_t replicas = set.at("spec").at("replicas").get<std::int64_t>();
    PlayPod(set, replicas > 0);
    Json status = {{"observedGeneration", kube::GenerationOf(set)},
                   {"replicas", replicas},
                   {"readyReplicas", replicas},
                   {"updatedReplicas", replicas}};
    set["status"] = std::move(status);
    MustUnlessOvertaken(user_->UpdateStatus(kube::kinds::kStatefulSet, set, Soon()));
  }
  PlayVolumes();
}

std::map<std::string, Json> ClusterBench::Objects() {
  std::map<std::string, Json> objects;
  for (const kube::ResourceKind& kind : ObservedKinds()) {
    auto list = user_->List(kind, kNamespace, {}, Soon());
    if (!list.ok()) std::abort();
    for (Json& item : list->items) {
      Normalize(item);
      HideRandomness(kind, item);
      const std::string name = kind.kind + "/" + kube::KeyOf(item).name;
      objects[name] = std::move(item);
    }
  }
  return objects;
}

Json EmbeddedSpec(const std::string& size) {
  return {{"backends", Json::array({{{"name", "local"}, {"embedded", {{"storage", {{"size", size}}}}}}})},
          {"stores", Json::array({{{"name", "main"}, {"backend", "local"}}})}};
}

Json GrowingSpec(const std::string& maximum) {
  Json spec = EmbeddedSpec();
  spec["backends"][0]["embedded"]["storage"]["autogrow"] = {{"maxSize", maximum}, {"interval", "1ms"}};
  return spec;
}

Json MemorySpec() {
  return {{"backends", Json::array({{{"name", "fast"}, {"memory", Json::object()}}})},
          {"stores", Json::array({{{"name", "main"}, {"backend", "fast"}}})}};
}

}  // namespace holdfast::storagecluster
