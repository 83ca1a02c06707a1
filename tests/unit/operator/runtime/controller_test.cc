#include "operator/runtime/controller.h"

#include <atomic>
#include <stdexcept>

#include "tests/unit/operator/kube/memory_client.h"
#include "tests/waiting/eventually.h"

namespace holdfast::runtime {
namespace {

using kube::Json;
using kube::MemoryClient;
using std::chrono::milliseconds;

// Does what the test says and counts.
class ScriptedReconciler : public Reconciler {
 public:
  using Script = std::function<Result<Outcome>(const Request& request, std::stop_token stop)>;
  explicit ScriptedReconciler(Script script) : script_(std::move(script)) {}

  Result<Outcome> Reconcile(const Request& request, std::stop_token stop) override {
    {
      const std::lock_guard lock(mutex_);
      ++calls_[request.name];
      at_.push_back(std::chrono::steady_clock::now());
    }
    return script_(request, std::move(stop));
  }
  int Calls(const std::string& name) const {
    const std::lock_guard lock(mutex_);
    const auto found = calls_.find(name);
    return found == calls_.end() ? 0 : found->second;
  }
  std::vector<std::chrono::steady_clock::time_point> Times() const {
    const std::lock_guard lock(mutex_);
    return at_;
  }

 private:
  const Script script_;
  mutable std::mutex mutex_;
  std::map<std::string, int> calls_;                       // guarded by mutex_
  std::vector<std::chrono::steady_clock::time_point> at_;  // guarded by mutex_
};

class ControllerTest : public testing::Test {
 protected:
  ~ControllerTest() override {
    runner_ = {};
    informing_ = {};
  }

  void Make(ScriptedReconciler::Script script, RateLimit limit = {milliseconds{1}, milliseconds{20}}) {
    reconciler_ = std::make_shared<ScriptedReconciler>(std::move(script));
    controller_ = std::make_unique<Controller>(ControllerOptions{"storagecluster", 4, limit}, reconciler_, registry_);
  }
  void Run() {
    runner_ = std::jthread([this](std::stop_token stop) { controller_->Run(std::move(stop)); });
  }
  bool Metric(const std::string& line) const { return registry_.Serialize().find(line) != std::string::npos; }

  metrics::Registry registry_;
  std::shared_ptr<MemoryClient> client_ = std::make_shared<MemoryClient>();
  std::shared_ptr<ScriptedReconciler> reconciler_;
  std::unique_ptr<Controller> controller_;
  std::jthread informing_;
  std::jthread runner_;
};

const Request kMain{"prod", "main"};

TEST_F(ControllerTest, SuccessIsNotRepeated) {
  Make([](const Request&, const std::stop_token&) { return Outcome::Done(); });
  controller_->Enqueue(kMain);
  Run();
  ASSERT_TRUE(Eventually([&] {
    return Metric("controller_runtime_reconcile_total{controller=\"storagecluster\",result=\"success\"} 1\n");
  }));
  EXPECT_EQ(reconciler_->Calls("main"), 1);
  EXPECT_TRUE(Metric("controller_runtime_max_concurrent_reconciles{controller=\"storagecluster\"} 4\n"));
  EXPECT_TRUE(Metric("controller_runtime_reconcile_errors_total{controller=\"storagecluster\"} 0\n"));
  EXPECT_TRUE(
      Eventually([&] { return Metric("controller_runtime_active_workers{controller=\"storagecluster\"} 0\n"); }));
}

TEST_F(ControllerTest, ErrorsAreRetriedWithRisingDelaysAndAPoisonedOneStaysAlone) {
  Make(
      [](const Request& request, const std::stop_token&) -> Result<Outcome> {
        if (request.name == "poisoned") return Error(ErrorCode::kInvalidArgument, "it never works");
        return Outcome::Done();
      },
      {milliseconds{10}, milliseconds{80}});
  controller_->Enqueue({"prod", "poisoned"});
  Run();
  ASSERT_TRUE(Eventually([&] { return reconciler_->Calls("poisoned") >= 5; }));
  const auto times = reconciler_->Times();
  for (std::size_t i = 1; i < 5; ++i) {
    EXPECT_GE(times[i] - times[i - 1], milliseconds{10} * (1 << (i - 1))) << i;
  }
  controller_->Enqueue(kMain);
  EXPECT_TRUE(Eventually([&] { return reconciler_->Calls("main") == 1; }));
  EXPECT_TRUE(Metric("workqueue_retries_total{controller=\"storagecluster\",name=\"storagecluster\"}"));
}

TEST_F(ControllerTest, ASuccessForgetsTheDelays) {
  std::atomic<int> failures_left{6};
  Make(
      [&](const Request&, const std::stop_token&) -> Result<Outcome> {
        if (failures_left-- > 0) return Error(ErrorCode::kUnavailable, "not yet");
        return Outcome::Done();
      },
      {milliseconds{1}, std::chrono::hours{1}});
  controller_->Enqueue(kMain);
  Run();
  ASSERT_TRUE(Eventually([&] { return reconciler_->Calls("main") == 7; }));
  ASSERT_TRUE(Eventually([&] {
    return Metric("controller_runtime_reconcile_total{controller=\"storagecluster\",result=\"success\"} 1\n");
  }));
  EXPECT_TRUE(Metric("controller_runtime_reconcile_total{controller=\"storagecluster\",result=\"error\"} 6\n"));
  EXPECT_TRUE(Metric("controller_runtime_reconcile_errors_total{controller=\"storagecluster\"} 6\n"));
  // Forty failures on end would mean years of delay; each of these follows a success.
  for (int i = 0; i < 20; ++i) {
    const int before = reconciler_->Calls("main");
    failures_left = 1;
    controller_->Enqueue(kMain);
    ASSERT_TRUE(Eventually([&] { return reconciler_->Calls("main") == before + 2; })) << i;
  }
}

TEST_F(ControllerTest, ExceptionsAreCaughtCountedAndRetried) {
  std::atomic<int> turn{0};
  Make([&](const Request&, const std::stop_token&) -> Result<Outcome> {
    switch (turn++) {
      case 0:
        throw std::runtime_error("boom");
      case 1:
        throw 7;  // whatever a library may throw
      default:
        return Outcome::Done();
    }
  });
  controller_->Enqueue(kMain);
  Run();
  ASSERT_TRUE(Eventually([&] { return reconciler_->Calls("main") == 3; }));
  EXPECT_TRUE(Metric("controller_runtime_reconcile_panics_total{controller=\"storagecluster\"} 2\n"));
  EXPECT_TRUE(Metric("controller_runtime_reconcile_errors_total{controller=\"storagecluster\"} 2\n"));
}

TEST_F(ControllerTest, RequeueAfterComesBackByItself) {
  Make([](const Request&, const std::stop_token&) { return Outcome::After(milliseconds{5}); });
  controller_->Enqueue(kMain);
  Run();
  EXPECT_TRUE(Eventually([&] { return reconciler_->Calls("main") >= 4; }));
  EXPECT_TRUE(Metric("controller_runtime_reconcile_total{controller=\"storagecluster\",result=\"requeue_after\"}"));
  EXPECT_TRUE(Metric("controller_runtime_reconcile_total{controller=\"storagecluster\",result=\"error\"} 0\n"));
}

TEST_F(ControllerTest, OneObjectIsNeverReconciledTwiceAtATimeButDifferentOnesAre) {
  std::atomic<int> on_main{0};
  std::atomic<int> overlaps{0};
  std::atomic<int> at_once{0};
  std::atomic<int> most_at_once{0};
  Make([&](const Request& request, const std::stop_token&) {
    const int now = ++at_once;
    for (int most = most_at_once; now > most && !most_at_once.compare_exchange_weak(most, now);) {
    }
    if (request.name == "main" && on_main++ > 0) ++overlaps;
    Eventually([&] { return most_at_once >= 2; });
    if (request.name == "main") --on_main;
    --at_once;
    return Outcome::Done();
  });
  Run();
  for (int i = 0; i < 200; ++i) {
    controller_->Enqueue(kMain);
    controller_->Enqueue({"prod", "other" + std::to_string(i % 8)});
    std::this_thread::sleep_for(std::chrono::microseconds{50});
  }
  ASSERT_TRUE(Eventually([&] { return reconciler_->Calls("main") >= 1 && at_once == 0; }));
  EXPECT_EQ(overlaps, 0);
  EXPECT_GE(most_at_once, 2);
}

TEST_F(ControllerTest, ChangesOfWatchedObjectsBecomeRequests) {
  Make([](const Request&, const std::stop_token&) { return Outcome::Done(); });
  kube::Informer clusters(client_, kube::kinds::kStorageCluster);
  kube::Informer pods(client_, kube::kinds::kPod);
  controller_->Watch(clusters, Controller::Self());
  controller_->Watch(pods, Controller::Owner(kube::kinds::kStorageCluster),
                     [](const kube::ObjectPtr&, const kube::ObjectPtr& current) {
                       return current == nullptr || kube::LabelOf(*current, "skip").empty();
                     });
  client_->Put(Json::parse(R"({"kind": "StorageCluster", "metadata": {"name": "main", "namespace": "prod"}})"));
  std::jthread pod_thread([&](std::stop_token stop) { pods.Run(std::move(stop)); });
  Run();
  // Until every informer has synced nothing is decided.
  std::this_thread::sleep_for(milliseconds{20});
  EXPECT_EQ(reconciler_->Calls("main"), 0);
  std::jthread cluster_thread([&](std::stop_token stop) { clusters.Run(std::move(stop)); });
  ASSERT_TRUE(Eventually([&] { return reconciler_->Calls("main") == 1; }));

  Json pod = Json::parse(
      R"({"kind": "Pod", "metadata": {"name": "main-0", "namespace": "prod", "uid": "p0", "ownerReferences": [
      {"apiVersion": "storage.holdfast.dev/v1alpha9", "kind": "StorageCluster", "name": "main", "controller": true}]}})");
  client_->Put(pod);
  ASSERT_TRUE(Eventually([&] { return reconciler_->Calls("main") == 2; }));
  pod["metadata"]["labels"]["skip"] = "yes";
  client_->Put(pod);
  Json other = pod;
  other["metadata"] = {{"name", "other-0"}, {"namespace", "prod"}, {"uid", "p1"}};
  other["metadata"]["ownerReferences"] = pod["metadata"]["ownerReferences"];
  other["metadata"]["ownerReferences"][0]["name"] = "other";
  client_->Put(other);
  ASSERT_TRUE(Eventually([&] { return reconciler_->Calls("other") == 1; }));
  EXPECT_EQ(reconciler_->Calls("main"), 2);  // the predicate kept the change before it from the queue
  // The pod changes hands: that concerns the old owner and the new one.
  pod["metadata"].erase("labels");
  pod["metadata"]["ownerReferences"][0]["name"] = "second";
  client_->Put(pod);
  ASSERT_TRUE(Eventually([&] { return reconciler_->Calls("second") == 1 && reconciler_->Calls("main") == 3; }));
  runner_.request_stop();
  runner_.join();
}

TEST(ControllerMapper, OwnersAreTheControllingOnesOfTheKind) {
  const auto mapper = Controller::Owner(kube::kinds::kStorageCluster);
  const auto owners = [&](const std::string& reference) {
    return mapper(
        Json::parse(R"({"metadata": {"name": "p", "namespace": "prod", "ownerReferences": [)" + reference + "]}}"));
  };
  EXPECT_EQ(
      owners(R"({"apiVersion": "storage.holdfast.dev/v1", "kind": "StorageCluster", "name": "a", "controller": true})"),
      (std::vector<Request>{{"prod", "a"}}));
  EXPECT_TRUE(owners(R"({"apiVersion": "storage.holdfast.dev/v1", "kind": "StorageCluster", "name": "a"})").empty());
  EXPECT_TRUE(
      owners(R"({"apiVersion": "other.dev/v1", "kind": "StorageCluster", "name": "a", "controller": true})").empty());
  EXPECT_TRUE(owners(R"({"apiVersion": "v1", "kind": "StorageCluster", "name": "a", "controller": true})").empty());
  EXPECT_TRUE(owners(R"({"apiVersion": "storage.holdfast.dev/v1", "kind": "Backup", "name": "a", "controller": true})")
                  .empty());
  EXPECT_TRUE(owners("7").empty());
  EXPECT_TRUE(mapper(Json::object()).empty());
}

TEST_F(ControllerTest, StopLetsTheItemAtHandFinishAndStartsNoOther) {
  std::atomic<bool> inside{false};
  std::atomic<bool> saw_stop{false};
  Make([&](const Request&, const std::stop_token& stop) -> Result<Outcome> {
    inside = true;
    saw_stop = Eventually([&] { return stop.stop_requested(); });
    return Error(ErrorCode::kCancelled, "stopped");
  });
  controller_->Enqueue(kMain);
  Run();
  ASSERT_TRUE(Eventually([&] { return inside.load(); }));
  runner_.request_stop();
  runner_.join();
  EXPECT_TRUE(saw_stop);
  controller_->Enqueue({"prod", "later"});
  EXPECT_EQ(reconciler_->Calls("later"), 0);
  EXPECT_TRUE(Metric("controller_runtime_reconcile_errors_total{controller=\"storagecluster\"} 0\n"));
}

TEST_F(ControllerTest, StopEndsTheWaitForInformersThatNeverSync) {
  Make([](const Request&, const std::stop_token&) { return Outcome::Done(); });
  kube::Informer never(client_, kube::kinds::kPod);
  controller_->Watch(never, Controller::Self());
  controller_->Enqueue(kMain);
  Run();
  runner_.request_stop();
  runner_.join();
  EXPECT_EQ(reconciler_->Calls("main"), 0);
}

}  // namespace
}  // namespace holdfast::runtime
