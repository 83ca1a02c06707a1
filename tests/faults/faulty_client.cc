#include "tests/faults/faulty_client.h"

#include <algorithm>

#include "operator/api/v1/storage_cluster.h"
#include "operator/resources/names.h"
#include "tests/unit/operator/controllers/cluster_bench.h"

namespace holdfast::faults {
namespace {

using storagecluster::Crash;

Deadline Soon() {
  return Deadline::After(std::chrono::seconds{10});
}

std::string Describe(const kube::ResourceKind& kind, const kube::ObjectKey& key) {
  return kind.kind + " " + key.ToString();
}

Error Unanswered() {
  return {ErrorCode::kUnavailable, "the API server does not answer (injected)"};
}

Error Doubtful() {
  return {ErrorCode::kOutcomeUnknown, "the connection broke before the answer came (injected)"};
}

}  // namespace

bool HasCompleted(const Json& job) {
  static const Json::json_pointer conditions("/status/conditions");
  if (!job.contains(conditions)) return false;
  const Json& all = job.at(conditions);
  return std::any_of(all.begin(), all.end(), [](const Json& each) {
    return each.value("type", Json()) == "Complete" && each.value("status", Json()) == "True";
  });
}

std::string ImageOf(const Json& workload) {
  return kube::StringAt(workload, "/spec/template/spec/containers/0/image");
}

bool FaultyClient::IsOut() {
  // The process is dead: nothing of it reaches the server any more.
  if (crashed_) throw Crash();
  ++requests_;
  return plan_.outage && requests_ >= plan_.outage->from && requests_ < plan_.outage->from + plan_.outage->requests;
}

const WriteFault* FaultyClient::FaultOfThisWrite() const {
  for (const WriteFault& fault : plan_.writes) {
    const int beyond = writes_ - fault.at;
    if (beyond == 0 || (beyond > 0 && fault.every > 0 && beyond % fault.every == 0)) return &fault;
  }
  return nullptr;
}

template <typename Call>
auto FaultyClient::Write(Call call) -> decltype(call()) {
  if (IsOut()) return Unanswered();
  ++writes_;
  const WriteFault* fault = FaultOfThisWrite();
  if (fault == nullptr) return call();
  switch (fault->effect) {
    case Effect::kCrashBefore:
      crashed_ = true;
      throw Crash();
    case Effect::kRequestLost:
      return Doubtful();
    case Effect::kRefused:
      return Error(fault->code, "refused (injected)");
    case Effect::kOtherLeaderFirst:
      if (other_leader) other_leader();
      return call();
    case Effect::kCrashAfter:
    case Effect::kReplyLost:
      break;
  }
  static_cast<void>(call());  // whatever the server has said, the operator does not hear it
  if (fault->effect == Effect::kReplyLost) return Doubtful();
  crashed_ = true;
  throw Crash();
}

void FaultyClient::Remember(const kube::ResourceKind& kind, const Json& object) {
  reads_[{kind, kube::KeyOf(object)}] = {kube::UidOf(object), kube::ResourceVersionOf(object)};
}

Result<Json> FaultyClient::Get(const kube::ResourceKind& kind, const kube::ObjectKey& key, Deadline deadline) {
  if (IsOut()) return Unanswered();
  auto object = next().Get(kind, key, deadline);
  if (object.ok()) Remember(kind, *object);
  return object;
}

Result<kube::ObjectList> FaultyClient::List(const kube::ResourceKind& kind, const std::string& ns,
                                            const kube::ListOptions& options, Deadline deadline) {
  if (IsOut()) return Unanswered();
  auto list = next().List(kind, ns, options, deadline);
  if (list.ok()) {
    for (const Json& object : list->items) Remember(kind, object);
  }
  return list;
}

void FaultyClient::CheckSecrets(const Target& target, const Json& body) {
  const auto& [kind, key] = target;
  if (kind == kube::kinds::kSecret) return;
  const std::string text = body.dump();
  for (const std::string& secret : secrets) {
    if (text.find(secret) == std::string::npos) continue;
    violations_.push_back("I8: a secret stands in " + Describe(kind, key));
  }
}

bool FaultyClient::HasSchema(const std::string& ns) {
  const auto clusters = next().List(kube::kinds::kStorageCluster, ns, {}, Soon());
  if (!clusters.ok()) return false;
  return std::any_of(clusters->items.begin(), clusters->items.end(), [](const Json& cluster) {
    const Json& backends = cluster.at("spec").at("backends");
    return std::any_of(backends.begin(), backends.end(),
                       [](const Json& backend) { return backend.contains("postgres"); });
  });
}

// A service over servers is a Deployment.
void FaultyClient::CheckRollout(const Target& target, const Json& body) {
  const auto& [kind, key] = target;
  if (kind != kube::kinds::kDeployment || !kube::LabelOf(body, resources::kBackendLabel).empty()) return;
  if (!HasSchema(key.ns)) return;
  const auto jobs = next().List(kube::kinds::kJob, key.ns, {}, Soon());
  if (!jobs.ok()) return;
  const std::string image = ImageOf(body);
  for (const Json& job : jobs->items) {
    if (HasCompleted(job) && ImageOf(job) == image) return;
  }
  violations_.push_back("I7: " + Describe(kind, key) + " gets " + image + ", by which nothing was migrated");
}

void FaultyClient::CheckWrite(const Target& target, const Json& body) {
  const auto& [kind, key] = target;
  CheckSecrets(target, body);
  if (!kube::ResourceVersionOf(body).empty() || !next().Get(kind, key, Soon()).ok()) return;
  violations_.push_back("I2: a write to " + Describe(kind, key) + ", which is there, names no resourceVersion");
}

void FaultyClient::CheckDelete(const Target& target, const kube::DeletePreconditions& preconditions) {
  const std::string what = "I2: the deletion of " + Describe(target.first, target.second);
  if (preconditions.uid.empty() || preconditions.resource_version.empty()) {
    violations_.push_back(what + " has no preconditions");
    return;
  }
  const auto read = reads_.find(target);
  if (read == reads_.end() || read->second.uid != preconditions.uid ||
      read->second.resource_version != preconditions.resource_version) {
    violations_.push_back(what + " does not follow from what was read");
  }
}

void FaultyClient::CheckStatus(const Json& written) {
  const Json status = written.value("status", Json::object());
  if (status.value("observedGeneration", Json()) != kube::GenerationOf(written)) return;
  for (const Json& condition : status.value("conditions", Json::array())) {
    if (condition.at("type") != "Ready" || condition.at("status") != "True") continue;
    static const Json::json_pointer ready("/status/readyReplicas");
    const auto has_pod = [&](const kube::ResourceKind& kind) {
      const auto workload = next().Get(kind, kube::KeyOf(written), Soon());
      return workload.ok() && workload->contains(ready) && workload->at(ready) >= 1;
    };
    if (has_pod(kube::kinds::kStatefulSet) || has_pod(kube::kinds::kDeployment)) continue;
    violations_.push_back("I11: the status says Ready, and no pod is");
  }
}

Result<Json> FaultyClient::Create(const kube::ResourceKind& kind, const Json& object, Deadline deadline) {
  return Write([&]() -> Result<Json> {
    // One that is there already is refused, and stays as it is.
    CheckSecrets({kind, kube::KeyOf(object)}, object);
    auto created = next().Create(kind, object, deadline);
    if (created.ok()) Remember(kind, *created);
    return created;
  });
}

Result<Json> FaultyClient::Update(const kube::ResourceKind& kind, const Json& object, Deadline deadline) {
  return Write([&]() -> Result<Json> {
    CheckWrite({kind, kube::KeyOf(object)}, object);
    auto updated = next().Update(kind, object, deadline);
    if (updated.ok()) Remember(kind, *updated);
    return updated;
  });
}

Result<Json> FaultyClient::UpdateStatus(const kube::ResourceKind& kind, const Json& object, Deadline deadline) {
  return Write([&]() -> Result<Json> {
    CheckWrite({kind, kube::KeyOf(object)}, object);
    auto updated = next().UpdateStatus(kind, object, deadline);
    if (updated.ok()) Remember(kind, *updated);
    if (updated.ok() && kind == kube::kinds::kStorageCluster) CheckStatus(*updated);
    return updated;
  });
}

Result<Json> FaultyClient::Apply(const kube::ResourceKind& kind, const Json& object, const kube::ApplyOptions& options,
                                 Deadline deadline) {
  return Write([&]() -> Result<Json> {
    // Without force an apply cannot take anything over: the server refuses what others hold.
    if (options.force) CheckWrite({kind, kube::KeyOf(object)}, object);
    CheckRollout({kind, kube::KeyOf(object)}, object);
    auto applied = next().Apply(kind, object, options, deadline);
    if (applied.ok()) Remember(kind, *applied);
    return applied;
  });
}

Result<Json> FaultyClient::MergePatch(const kube::ResourceKind& kind, const kube::ObjectKey& key, const Json& patch,
                                      Deadline deadline) {
  return Write([&]() -> Result<Json> {
    CheckWrite({kind, key}, patch);
    auto patched = next().MergePatch(kind, key, patch, deadline);
    if (patched.ok()) Remember(kind, *patched);
    return patched;
  });
}

Status FaultyClient::Delete(const kube::ResourceKind& kind, const kube::ObjectKey& key,
                            const kube::DeletePreconditions& preconditions, Deadline deadline) {
  return Write([&]() -> Status {
    CheckDelete({kind, key}, preconditions);
    return next().Delete(kind, key, preconditions, deadline);
  });
}

}  // namespace holdfast::faults
