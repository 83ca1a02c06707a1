// A StorageCluster controller before an in-memory API server, moved by hand: every Reconcile is a call of the test, the
// copies it sees are what the test says they are, and a StatefulSet controller is played as far as it is needed.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "operator/controllers/storagecluster/controller.h"
#include "operator/kube/client.h"
#include "operator/local/api_server/api_server.h"

namespace holdfast::storagecluster {

// What a crash of the operator looks like from inside: the call does not come back.
struct Crash {};

// Counts writes, and "kills the process" at the one chosen, before or after the server has carried it out.
class CrashingClient : public kube::Client {
 public:
  explicit CrashingClient(std::shared_ptr<kube::Client> next) : next_(std::move(next)) {}

  enum class When { kBefore, kAfter };
  // The `n`-th write from now (1 = the next); 0 = never.
  void CrashAt(int n, When when);
  bool crashed() const { return crashed_; }
  int writes() const { return writes_; }
  // Called before each write with its verb and target.
  std::function<void(const std::string& verb, const std::string& target)> on_write;

  Result<Json> Get(const kube::ResourceKind& kind, const kube::ObjectKey& key, Deadline deadline) override;
  Result<kube::ObjectList> List(const kube::ResourceKind& kind, const std::string& ns, const kube::ListOptions& options,
                                Deadline deadline) override;
  Status Watch(const kube::ResourceKind& kind, const std::string& ns, const kube::WatchOptions& options,
               std::stop_token stop, const std::function<bool(kube::WatchEvent)>& on_event) override;
  Result<Json> Create(const kube::ResourceKind& kind, const Json& object, Deadline deadline) override;
  Result<Json> Update(const kube::ResourceKind& kind, const Json& object, Deadline deadline) override;
  Result<Json> UpdateStatus(const kube::ResourceKind& kind, const Json& object, Deadline deadline) override;
  Result<Json> Apply(const kube::ResourceKind& kind, const Json& object, const kube::ApplyOptions& options,
                     Deadline deadline) override;
  Result<Json> MergePatch(const kube::ResourceKind& kind, const kube::ObjectKey& key, const Json& patch,
                          Deadline deadline) override;
  Status Delete(const kube::ResourceKind& kind, const kube::ObjectKey& key,
                const kube::DeletePreconditions& preconditions, Deadline deadline) override;

 private:
  template <typename Call>
  auto Write(const char* verb, const std::string& target, Call call) -> decltype(call());

  const std::shared_ptr<kube::Client> next_;
  std::atomic<int> writes_ = 0;  // the manager's workers and recorder write side by side
  int crash_at_ = 0;
  When when_ = When::kBefore;
  bool crashed_ = false;
};

struct RecordedEvent {
  kube::EventType type;
  std::string reason;
  std::string message;
};

class ClusterBench {
 public:
  enum class Transport { kInProcess, kHttp };  // of the operator
  // What the operator's requests go through on their way to the server.
  using Wrapper = std::function<std::shared_ptr<kube::Client>(std::shared_ptr<kube::Client>)>;
  explicit ClusterBench(Transport transport = Transport::kInProcess, const Wrapper& wrap = {});
  ~ClusterBench();

  // kHttp only.
  std::string url() const { return "http://127.0.0.1:" + std::to_string(server_.port()); }
  kube::Client& user() { return *user_; }  // kubectl, so to speak
  CrashingClient& client() { return *client_; }
  const std::vector<RecordedEvent>& events() const { return events_; }
  bool HasEvent(const std::string& reason) const;

  // Namespace "prod".
  void CreateCluster(const std::string& name, const Json& spec);
  void PatchSpec(const std::string& name, const Json& patch);
  void DeleteCluster(const std::string& name);
  // Null when it is not there.
  Json Get(const kube::ResourceKind& kind, const std::string& name);
  Json Cluster(const std::string& name) { return Get(kube::kinds::kStorageCluster, name); }
  // "True", "False", "Unknown" and its reason: "False InvalidSpec".
  std::string ConditionOf(const std::string& name, const std::string& type);
  std::string MessageOf(const std::string& name, const std::string& type);

  // From now on the reconciler sees the copies as they are now, or always the newest.
  void FreezeCopies();
  void ThawCopies();
  // The copies as they are now, to be shown again later, until ThawCopies.
  using View = std::vector<std::map<kube::ObjectKey, kube::ObjectPtr>>;
  View RememberCopies();
  void ShowCopies(const View& view);

  // One Reconcile. A Crash comes through; a new operator takes over then.
  Result<runtime::Outcome> Reconcile(const std::string& name);
  void RestartOperator();
  // One Reconcile of another operator, which sees the newest copies and writes through `client`.
  Result<runtime::Outcome> ReconcileAsAnother(const std::string& name, kube::Client& client);
  // Moves when anything is written.
  std::uint64_t revision() const { return server_.revision(); }
  // Reconciles, and plays the StatefulSet controller, until two rounds in a row have written nothing. False when that
  // does not come about. Crash comes through.
  bool Converge(const std::string& name);
  // What the StatefulSet controller does: claims, pods, status.
  void PlayStatefulSets();
  // And of what a postgres backend needs beside it: Patroni, which makes the first server the primary, Deployments and
  // Jobs. What is played is chosen below.
  void PlayDatabases();
  // With a figure, volumes are bound and grow as soon as they are asked to, and their pods tell how full they are: so
  // full, or as it stands below by the claim's name.
  std::optional<std::uint64_t> disk_used = {};
  std::map<std::string, std::uint64_t> disk_used_of;
  bool volumes_grow = true;
  std::atomic<int> volume_questions = 0;  // that pods were asked
  bool servers_get_ready = true;
  std::string service_image = "holdfast:test";  // of the operator that is started next, as is the next
  std::chrono::milliseconds failure_patience{60'000};
  std::string jobs_end_with = "Complete";  // or "Failed", or "" for jobs that go on
  int jobs_take = 0;                       // how often databases are played until a Job has ended

  // Everything in the namespace but Events, without what differs between two runs (uids, versions, times).
  std::map<std::string, Json> Objects();

 private:
  class Lister;
  class Recorder;
  void RefreshCopies();
  std::unique_ptr<ClusterReconciler> MakeReconciler(kube::Client& client);
  class Disk;
  void PlayVolumes();
  void PlayPod(const Json& stateful_set, bool wanted);
  void PlayServers(const Json& stateful_set);
  void PlayPatroniStore(const Json& stateful_set);

  local::ApiServer server_;
  std::shared_ptr<kube::Client> user_;
  std::shared_ptr<CrashingClient> client_;
  std::vector<std::unique_ptr<Lister>> listers_;
  Copies copies_;
  bool frozen_ = false;
  std::map<std::string, int> jobs_played_;  // by uid
  std::vector<RecordedEvent> events_;
  std::unique_ptr<kube::EventRecorder> recorder_;
  std::unique_ptr<ClusterReconciler> reconciler_;
};

Json EmbeddedSpec(const std::string& size = "1Gi");
// With storage.autogrow up to `maximum`, and no time to wait between two growths.
Json GrowingSpec(const std::string& maximum);
Json GrowingPostgresSpec(const std::string& maximum);
Json MemorySpec();
Json PostgresSpec(const std::string& size = "1Gi");
Json RedisSpec(const std::string& size = "1Gi");
Json SentinelSpec(const std::string& size = "1Gi", int instances = 2);
Json ShardedSpec(int shards = 3);

}  // namespace holdfast::storagecluster
