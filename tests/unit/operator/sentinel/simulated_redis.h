// A Redis backend of three servers and three sentinels as the API server and the sentinels would show it, moved by
// hand: demo-cache-0 is the master at first. A kubelet, a StatefulSet controller and the servers' handing over are
// played as far as they are needed, each by a call of the test.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/metrics/metrics.h"
#include "operator/local/api_server/api_server.h"
#include "operator/sentinel/reconciler.h"
#include "tests/unit/operator/controllers/cluster_bench.h"

namespace holdfast::sentinel {

class FakeSentinels : public SentinelClient {
 public:
  Result<Report> Ask(const Endpoint& sentinel, const std::string& master_name, Deadline deadline) override;
  Result<ServerReport> AskServer(const Endpoint& server, Deadline deadline) override;
  Status Failover(const Endpoint& sentinel, const std::string& master_name, Deadline deadline) override;
  Status Reset(const Endpoint& sentinel, const std::string& master_name, Deadline deadline) override;
  Status SetPriority(const Endpoint& server, std::int64_t priority, Deadline deadline) override;

  std::map<std::string, Report> reports;        // by pod; absent: no answer
  std::map<std::string, ServerReport> servers;  // likewise
  std::string password = "word";
  std::vector<std::string> told;  // the sentinels, in order
  Status answer;                  // to being told
  std::function<void()> on_told;
  std::vector<std::string> reset;  // the sentinels, in order
};

// What the test last showed to the operator.
class Shown : public kube::Lister {
 public:
  kube::ObjectPtr Get(const kube::ObjectKey& key) const override;
  std::vector<kube::ObjectPtr> List(const std::string&) const override { return {}; }
  std::map<kube::ObjectKey, kube::ObjectPtr> objects;
};

class Events : public kube::EventRecorder {
 public:
  void Record(const kube::Json&, kube::EventType, std::string_view reason, std::string_view) override {
    reasons.emplace_back(reason);
  }
  std::vector<std::string> reasons;
};

class SimulatedRedis {
 public:
  SimulatedRedis();

  // The operator's own: a new one has an empty memory.
  void StartOperator();
  // Shows the copies as an informer would, then one call. Nothing when the "process" was killed in it.
  std::optional<Result<runtime::Outcome>> Reconcile();

  // All sentinels name it, and every other server that is there is in step with it.
  void Serve(const std::string& master);
  // The sentinels have noticed nothing of it.
  void EndContainer(const std::string& pod);
  // Deleted by force, or with its node; likewise.
  void Vanish(const std::string& pod);
  // What kubelet, StatefulSet controller and servers do for pods that are being deleted: a master hands over before it
  // ends, who is made anew is not in step. False: none is being deleted.
  bool KubeletEndsDeletedPods();
  void ChangeTemplate(const std::string& revision);
  // So many servers are wanted. More come at once; fewer go when the objects are made anew.
  void WantServers(std::int64_t servers);
  // What whoever makes the objects does: the StatefulSet as it should be now, and no pods beyond it.
  void MakeObjects();
  // The sentinels hear of priorities, and one that was reset finds again who is there.
  void SentinelsLook();
  void SetReady(const std::string& pod, bool ready);
  void PutSecret(const std::string& name, const std::string& file, const std::string& text);
  void Annotate(const std::string& annotation, const kube::Json& value);
  void ForEachReport(const std::function<void(Report&)>& change);

  kube::Json Get(const std::string& path);
  kube::Json Cluster();
  kube::Json Pod(const std::string& name);
  // Of status.redis.
  kube::Json Said();
  failover::Intent LastIntent();
  std::string RevisionOf(const std::string& pod);
  bool IsLeaving(const std::string& pod) { return kube::IsBeingDeleted(Pod(pod)); }
  const std::string& master() const { return master_; }
  const std::vector<std::string>& servers() const { return servers_; }

  static const std::vector<std::string> kServers;

  local::ApiServer api;
  std::shared_ptr<storagecluster::CrashingClient> client;
  FakeSentinels sentinels;
  Events events;
  ManualClock clock;
  SentinelOptions options;
  metrics::Registry registry;

 private:
  void MakeCluster();
  // The server answers nobody any more.
  void Silence(const std::string& pod);
  void MakePod(const std::string& name, const char* role);
  void SetStatus(const std::string& name, const kube::Json& status);

  std::vector<std::string> servers_ = kServers;
  std::int64_t wanted_ = 3;
  std::string revision_ = "old";
  std::string master_;
  std::int64_t epoch_ = 0;
  int containers_ = 0;
  Shown clusters_;
  Shown pods_;
  Shown sets_;
  std::unique_ptr<failover::PodHistory> history_;
  std::unique_ptr<SentinelReconciler> reconciler_;
};

}  // namespace holdfast::sentinel
