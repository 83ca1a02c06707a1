#include "operator/backup/reconciler.h"

#include <utility>

#include "operator/api/v1/annotations.h"
#include "operator/kube/base64.h"
#include "operator/resources/names.h"

namespace holdfast::backup {
namespace {

using kube::Json;
using runtime::Outcome;

const api::BackendSpec* Find(const api::StorageCluster& cluster, const std::string& name) {
  for (const api::BackendSpec& backend : cluster.spec.backends) {
    if (backend.name == name && backend.postgres() != nullptr && backend.postgres()->backup) return &backend;
  }
  return nullptr;
}

std::string Part(const Json& secret, const char* file) {
  auto text = kube::Base64Decode(kube::StringAt(secret, std::string("/data/") + file));
  return text.ok() ? std::move(text).value() : std::string();
}

}  // namespace

std::optional<runtime::Request> RequestOfPod(const Json& pod) {
  const std::string role = kube::LabelOf(pod, resources::kRoleLabel);
  if (role != resources::kBackupRole && role != resources::kPostgresRole) return std::nullopt;
  const std::string cluster = kube::LabelOf(pod, resources::kClusterLabel);
  const std::string backend = kube::LabelOf(pod, resources::kBackendLabel);
  if (cluster.empty() || backend.empty()) return std::nullopt;
  return runtime::Request{kube::KeyOf(pod).ns, cluster + "/" + backend};
}

BackupReconciler::BackupReconciler(kube::Client& client, kube::EventRecorder& events,
                                   std::function<Copies(const std::string& ns)> copies_of,
                                   RepositoryClient& repositories, const BackupOptions& options, const Clock& clock)
    : client_(client),
      events_(events),
      copies_of_(std::move(copies_of)),
      repositories_(repositories),
      options_(options),
      clock_(clock) {}

std::shared_ptr<BackupReconciler::Memory> BackupReconciler::MemoryOf(const runtime::Request& request) {
  const std::lock_guard lock(mutex_);
  std::shared_ptr<Memory>& memory = memories_[request];
  if (memory == nullptr) memory = std::make_shared<Memory>();
  return memory;
}

Result<Outcome> BackupReconciler::Reconcile(const runtime::Request& request, std::stop_token /*stop*/) {
  const std::size_t slash = request.name.find('/');
  const kube::ObjectKey key{request.ns, request.name.substr(0, slash)};
  const std::string name = slash == std::string::npos ? std::string() : request.name.substr(slash + 1);
  const kube::ObjectPtr object = copies_of_(request.ns).clusters->Get(key);
  const bool there = object != nullptr && !kube::IsBeingDeleted(*object);
  const api::ParsedStorageCluster parsed = there ? api::ParseStorageCluster(*object) : api::ParsedStorageCluster();
  const Deadline deadline = Deadline::After(options_.reconcile_timeout);
  // What was last said of backups holds while the cluster sleeps.
  if (parsed.cluster && parsed.cluster->hibernated) return Outcome::Done();
  const api::BackendSpec* backend = parsed.cluster ? Find(*parsed.cluster, name) : nullptr;
  if (backend == nullptr) {
    {
      const std::lock_guard lock(mutex_);
      memories_.erase(request);
    }
    if (!parsed.cluster || !ViewOf(*object, name)) return Outcome::Done();
    HOLDFAST_ASSIGN_OR_RETURN(Json live, client_.Get(kube::kinds::kStorageCluster, key, deadline));
    HOLDFAST_RETURN_IF_ERROR(EraseView(client_, std::move(live), name, clock_, deadline));
    return Outcome::Done();
  }
  return Watch({key, *object, backend->name, *backend->postgres()}, MemoryOf(request).get(), deadline);
}

Result<Outcome> BackupReconciler::Watch(const Watched& watched, Memory* memory, Deadline deadline) {
  const api::PostgresBackup& backup = *watched.postgres.backup;
  const std::optional<View> before = ViewOf(watched.object, watched.backend);
  auto plan = ParsePlan(backup);
  if (!plan.ok()) {
    const Health invalid{false, "InvalidSchedule", plan.error().message()};
    HOLDFAST_RETURN_IF_ERROR(Publish(watched, Describe(watched.backend, invalid, {}, before), memory, deadline));
    return Outcome::After(options_.interval);
  }
  HOLDFAST_RETURN_IF_ERROR(ReadTls(watched, memory, deadline));
  Facts facts = Look(watched, memory, deadline);
  const bool silent = !facts.report && facts.silent_looks < options_.limits.patience;
  if (!silent) {
    const Health health = Judge(facts, *plan, backup.timeout, options_.limits);
    HOLDFAST_RETURN_IF_ERROR(Publish(watched, Describe(watched.backend, health, facts, before), memory, deadline));
  }
  const Step step = api::IsPaused(watched.object) ? Step{} : Decide(facts, *plan, options_.limits);
  const std::optional<Endpoint> repository = Repository(watched, *memory);
  if (step.kind != Step::Kind::kNone && repository) {
    const bool stanza = step.kind == Step::Kind::kCreateStanza;
    HOLDFAST_RETURN_IF_ERROR(repositories_.Begin(*repository, step, stanza ? options_.stanza_timeout : backup.timeout,
                                                 Deadline::After(options_.answer_timeout).Sooner(deadline)));
  }
  const bool busy =
      step.kind != Step::Kind::kNone || !facts.report || facts.report->running || facts.report->backups.empty();
  return Outcome::After(busy ? options_.busy_interval : options_.interval);
}

Status BackupReconciler::ReadTls(const Watched& watched, Memory* memory, Deadline deadline) const {
  const MonotonicTime now = clock_.Monotonic();
  if (memory->tls != nullptr && now - memory->tls_read < options_.secrets_lifetime) return {};
  HOLDFAST_ASSIGN_OR_RETURN(
      const Json secret,
      client_.Get(kube::kinds::kSecret,
                  {watched.cluster.ns, resources::ServerTlsName(watched.cluster.name, watched.backend)}, deadline));
  memory->tls =
      std::make_shared<Tls>(Tls{Part(secret, resources::kAuthorityFile), Part(secret, resources::kCertificateFile),
                                Part(secret, resources::kKeyFile)});
  memory->tls_read = now;
  return {};
}

std::optional<Endpoint> BackupReconciler::Repository(const Watched& watched, const Memory& memory) const {
  const std::string set = resources::BackupName(watched.cluster.name, watched.backend);
  const kube::ObjectPtr pod =
      copies_of_(watched.cluster.ns).repositories->Get({watched.cluster.ns, resources::PodName(set, 0)});
  const std::string address = pod == nullptr ? std::string() : kube::StringAt(*pod, "/status/podIP");
  if (address.empty()) return std::nullopt;
  return Endpoint{.address = address, .name = resources::ServiceHost(set, watched.cluster.ns), .tls = memory.tls};
}

std::optional<Endpoint> BackupReconciler::Primary(const Watched& watched, const Memory& memory) const {
  const std::string set = resources::BackendName(watched.cluster.name, watched.backend);
  const std::string pods =
      resources::ServiceHost(resources::PodsServiceName(watched.cluster.name, watched.backend), watched.cluster.ns);
  for (std::int64_t i = 0; i < watched.postgres.instances; ++i) {
    const std::string name = resources::PodName(set, i);
    const kube::ObjectPtr pod = copies_of_(watched.cluster.ns).servers->Get({watched.cluster.ns, name});
    if (pod == nullptr || kube::LabelOf(*pod, resources::kPatroniRoleLabel) != resources::kPatroniPrimary) continue;
    const std::string address = kube::StringAt(*pod, "/status/podIP");
    if (address.empty()) continue;
    return Endpoint{.address = address, .name = name + "." + pods, .tls = memory.tls};
  }
  return std::nullopt;
}

Facts BackupReconciler::Look(const Watched& watched, Memory* memory, Deadline deadline) const {
  const Deadline patience = Deadline::After(options_.answer_timeout).Sooner(deadline);
  Facts facts;
  const std::optional<Endpoint> repository = Repository(watched, *memory);
  const std::optional<Endpoint> primary = Primary(watched, *memory);
  facts.primary = primary.has_value();
  facts.unreachable = "its pod has no address yet";
  if (repository) {
    Result<Report> report = repositories_.Ask(*repository, patience);
    if (report.ok()) {
      facts.report = std::move(report).value();
    } else {
      facts.unreachable = report.error().message();
    }
  }
  memory->silent_looks = facts.report ? 0 : memory->silent_looks + 1;
  facts.silent_looks = memory->silent_looks;
  // The certificate may be another one by now.
  if (!facts.report) memory->tls_read = {};
  if (primary) {
    Result<Archiver> archiver = repositories_.AskServer(*primary, patience);
    if (archiver.ok()) facts.archiver = std::move(archiver).value();
  }
  facts.now = clock_.Now();
  return facts;
}

Status BackupReconciler::Publish(const Watched& watched, const View& view, Memory* memory, Deadline deadline) {
  const std::optional<View> before = ViewOf(watched.object, watched.backend);
  if (before == view) return {};
  const MonotonicTime now = clock_.Monotonic();
  const bool only_segments = before && before->SameStory(view);
  if (only_segments && memory->written && now - *memory->written < options_.archive_interval) return {};
  // The copy is not whole (setup.cc), and may be late.
  HOLDFAST_ASSIGN_OR_RETURN(Json live, client_.Get(kube::kinds::kStorageCluster, watched.cluster, deadline));
  if (kube::UidOf(live) != kube::UidOf(watched.object)) return {};
  HOLDFAST_ASSIGN_OR_RETURN(const Json written, WriteView(client_, std::move(live), view, clock_, deadline));
  memory->written = now;
  Tell(written, before, view);
  return {};
}

void BackupReconciler::Tell(const Json& cluster, const std::optional<View>& before, const View& after) {
  const std::string backend = "backend " + after.backend + ": ";
  const auto is_newer = [&](const std::string View::*last) {
    return !(after.*last).empty() && (!before || (*before).*last != after.*last);
  };
  if (is_newer(&View::last_full) || is_newer(&View::last_differential)) {
    events_.Record(cluster, kube::EventType::kNormal, "BackupCompleted",
                   backend + "there is a new backup, " + std::to_string(after.backups) + " in the repository");
  }
  const bool news = !before || before->reason != after.reason || before->failures < after.failures;
  if (!after.healthy && news && after.reason != "NoBackupYet") {
    events_.Record(cluster, kube::EventType::kWarning, after.reason, backend + after.message);
  }
}

}  // namespace holdfast::backup
