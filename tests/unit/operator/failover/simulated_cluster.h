// A backend of two members as the API server and Patroni would show it, moved by hand: `a` leads, `b` is its
// synchronous standby. A kubelet, a StatefulSet controller and Patroni's election are played as far as they are needed,
// each by a call of the test.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/metrics/metrics.h"
#include "operator/failover/reconciler.h"
#include "operator/local/api_server/api_server.h"
#include "tests/unit/operator/controllers/cluster_bench.h"

namespace holdfast::failover {

class FakePatroni : public PatroniClient {
 public:
  Result<MemberReport> Report(const PatroniEndpoint& member, Deadline deadline) override;
  Status Switchover(const PatroniEndpoint& member, const std::string& leader, const std::string& candidate,
                    Deadline deadline) override;

  std::map<std::string, MemberReport> reports;  // by address; absent: no answer
  Status switchover_answer;
  std::vector<std::string> switchovers;  // "leader -> candidate"
};

class FakeWritePath : public WritePathProbe {
 public:
  WritePath Probe(const Scope&, Deadline) override { return answer; }
  WritePath answer = WritePath::kUnknown;
};

// Listers over what the test last showed to the operator.
class ShownObjects : public kube::Lister {
 public:
  kube::ObjectPtr Get(const kube::ObjectKey& key) const override;
  std::vector<kube::ObjectPtr> List(const std::string& ns) const override;
  std::map<kube::ObjectKey, kube::ObjectPtr> objects;
};

class NoEvents : public kube::EventRecorder {
 public:
  void Record(const kube::Json&, kube::EventType, std::string_view reason, std::string_view) override {
    reasons.emplace_back(reason);
  }
  std::vector<std::string> reasons;
};

class SimulatedCluster {
 public:
  SimulatedCluster();

  // The operator's own: a new one has an empty memory.
  void StartOperator();
  // Shows the copies as an informer would, then one call. Nothing when the "process" was killed in it.
  std::optional<Result<runtime::Outcome>> Reconcile();

  // The container of the pod ends, and its kubelet says so.
  void EndContainer(const std::string& pod);
  // What a kubelet and a StatefulSet controller do for a pod that is being deleted; false: none is.
  bool KubeletEndsDeletedPods();
  // The StatefulSet's pods are made from another template from now on; its controller has seen it.
  void ChangeTemplate(const std::string& revision);
  // Of a pod: the template it was made from.
  std::string RevisionOf(const std::string& pod);
  // Patroni has come to rest: `primary` leads, the other is its synchronous standby.
  void LetFollow(const std::string& primary);
  // A ConfigMap of Patroni's, such as <scope>-sync.
  void PutMap(const std::string& name, const kube::Json& annotations);
  // The lock is free, or its time is up (`expired`): the synchronous standby takes it, as Patroni would.
  bool Elect(bool expired = false);

  kube::Json Get(const std::string& path);
  kube::Json Pod(const std::string& name) { return Get("/api/v1/namespaces/default/pods/" + name); }
  std::string Holder();
  Intent LastIntent();
  void Annotate(const std::string& annotation, const kube::Json& value);

  static constexpr char kA[] = "demo-db-0";
  static constexpr char kB[] = "demo-db-1";

  local::ApiServer api;
  std::shared_ptr<storagecluster::CrashingClient> client;
  FakePatroni patroni;
  FakeWritePath write_path;
  NoEvents events;
  ManualClock clock{Timestamp{std::chrono::seconds{4'000'000'000}}};
  FailoverOptions options;
  metrics::Registry registry;

 private:
  void MakePod(const std::string& name);
  void SetStatus(const std::string& name, const kube::Json& status);

  std::string revision_ = "demo-db-1";
  ShownObjects servers_;
  ShownObjects pods_;
  ShownObjects clusters_;
  std::unique_ptr<PodHistory> history_;
  std::unique_ptr<FailoverReconciler> reconciler_;
  int containers_ = 0;
};

}  // namespace holdfast::failover
