#include "operator/runtime/manager.h"

#include <atomic>

#include "base/http/http_client.h"
#include "tests/unit/operator/kube/memory_client.h"
#include "tests/waiting/eventually.h"

namespace holdfast::runtime {
namespace {

using kube::Json;
using kube::MemoryClient;
using kube::ObjectKey;
using std::chrono::milliseconds;

const ObjectKey kLeaseKey{"prod", "holdfast-operator"};

// Holds its item until told otherwise, and notes what it sees.
class HoldingReconciler : public Reconciler {
 public:
  std::function<void(const std::stop_token& stop)> inside = [](const std::stop_token&) {};
  std::atomic<int> calls{0};

  Result<Outcome> Reconcile(const Request&, std::stop_token stop) override {
    ++calls;
    inside(stop);
    return Outcome::Done();
  }
};

class ManagerTest : public testing::Test {
 protected:
  ManagerTest() {
    client_->Put(Json::parse(R"({"kind": "StorageCluster", "metadata": {"name": "main", "namespace": "prod"}})"));
  }
  ~ManagerTest() override { runner_ = {}; }

  void Make(bool elected) {
    ManagerOptions options;
    options.admin = http::ListenerOptions{};
    if (elected) {
      kube::LeaderElectionOptions election;
      election.ns = kLeaseKey.ns;
      election.identity = "this";
      election.lease_duration = milliseconds{60'000};
      election.renew_deadline = milliseconds{40'000};
      election.retry_period = milliseconds{5};
      options.leader_election = election;
    }
    manager_ = std::make_unique<Manager>(options, client_, registry_);
    informer_ = &manager_->AddInformer(kube::kinds::kStorageCluster);
    auto& controller = manager_->AddController({"storagecluster", 2, {}}, reconciler_);
    controller.Watch(*informer_, Controller::Self());
  }
  void Run() {
    runner_ = std::jthread([this](std::stop_token stop) {
      Status status = manager_->Run(std::move(stop));
      const std::lock_guard lock(mutex_);
      ended_ = std::move(status);
    });
  }
  std::optional<Status> Ended() const {
    const std::lock_guard lock(mutex_);
    return ended_;
  }
  bool HasEnded() const { return Ended().has_value(); }

  // Status and body of a GET on the admin port; 0 when nobody answers.
  std::pair<int, std::string> Admin(const std::string& path) const {
    if (manager_->admin_port() == 0) return {0, ""};
    http::ClientOptions options;
    options.base_url = "http://127.0.0.1:" + std::to_string(manager_->admin_port());
    http::ClientRequest request;
    request.target = path;
    const auto response = http::HttpClient(options).Send(request, Deadline::After(std::chrono::seconds{10}));
    return response.ok() ? std::pair(response->status, response->body) : std::pair(0, response.error().ToString());
  }
  // Somebody else holds the lease.
  void HoldLease(const std::string& holder) {
    client_->Put({{"kind", "Lease"},
                  {"metadata", {{"name", kLeaseKey.name}, {"namespace", kLeaseKey.ns}}},
                  {"spec", {{"holderIdentity", holder}, {"leaseDurationSeconds", 3600}}}});
  }

  metrics::Registry registry_;
  std::shared_ptr<MemoryClient> client_ = std::make_shared<MemoryClient>();
  std::shared_ptr<HoldingReconciler> reconciler_ = std::make_shared<HoldingReconciler>();
  std::unique_ptr<Manager> manager_;
  kube::Informer* informer_ = nullptr;
  mutable std::mutex mutex_;
  std::optional<Status> ended_;
  std::jthread runner_;  // last
};

TEST_F(ManagerTest, ReadyOnlyOnceTheInformersHaveSynced) {
  std::atomic<bool> open{false};
  client_->SetBefore([&](const std::string& verb, const ObjectKey&) -> Status {
    if (verb == "list") Eventually([&] { return open.load(); });
    return {};
  });
  Make(false);
  EXPECT_EQ(manager_->admin_port(), 0);
  Run();
  ASSERT_TRUE(Eventually([&] { return manager_->admin_port() != 0; }));
  EXPECT_EQ(Admin("/livez").first, 200);
  const auto [status, body] = Admin("/readyz");
  EXPECT_EQ(status, 503);
  ASSERT_TRUE(Eventually([&] { return Admin("/readyz").second.find("storageclusters") != std::string::npos; }));
  EXPECT_EQ(reconciler_->calls, 0);
  open = true;
  EXPECT_TRUE(Eventually([&] { return Admin("/readyz").first == 200; }));
  EXPECT_TRUE(Eventually([&] { return reconciler_->calls == 1; }));
  EXPECT_NE(Admin("/healthz").second.find("\"storageclusters\":true"), std::string::npos);
  EXPECT_NE(Admin("/metrics").second.find("controller_runtime_reconcile_total"), std::string::npos);
  runner_.request_stop();
  ASSERT_TRUE(Eventually([&] { return HasEnded(); }));
  EXPECT_TRUE(Ended()->ok());
}

TEST_F(ManagerTest, AStandbyIsReadyAndDoesNothing) {
  HoldLease("another");
  Make(true);
  Run();
  ASSERT_TRUE(Eventually([&] { return Admin("/readyz").first == 200; }));
  EXPECT_NE(Admin("/healthz").second.find("standby"), std::string::npos);
  EXPECT_NE(registry_.Serialize().find("leader_election_master_status{name=\"holdfast-operator\"} 0\n"),
            std::string::npos);
  EXPECT_EQ(client_->Calls("list"), 0);
  EXPECT_EQ(reconciler_->calls, 0);
  runner_.request_stop();
  ASSERT_TRUE(Eventually([&] { return HasEnded(); }));
  EXPECT_TRUE(Ended()->ok());
  EXPECT_EQ(client_->Peek(kLeaseKey)["spec"]["holderIdentity"], "another");
}

TEST_F(ManagerTest, TheLeaderWorksAndReleasesOnStop) {
  Make(true);
  Run();
  ASSERT_TRUE(Eventually([&] { return reconciler_->calls == 1; }));
  EXPECT_EQ(client_->Peek(kLeaseKey)["spec"]["holderIdentity"], "this");
  EXPECT_NE(registry_.Serialize().find("leader_election_master_status{name=\"holdfast-operator\"} 1\n"),
            std::string::npos);
  runner_.request_stop();
  ASSERT_TRUE(Eventually([&] { return HasEnded(); }));
  EXPECT_TRUE(Ended()->ok());
  EXPECT_EQ(client_->Peek(kLeaseKey)["spec"]["holderIdentity"], "");
  EXPECT_NE(registry_.Serialize().find("leader_election_master_status{name=\"holdfast-operator\"} 0\n"),
            std::string::npos);
}

TEST_F(ManagerTest, OnStopControllersFinishFirstThenInformersThenTheLease) {
  std::atomic<bool> inside{false};
  std::atomic<bool> copy_still_fills{false};
  std::atomic<bool> lease_still_held{false};
  reconciler_->inside = [&](const std::stop_token& stop) {
    inside = true;
    if (!Eventually([&] { return stop.stop_requested(); })) return;
    // Stop has been asked for; until this returns, the informers go on and the lease is kept.
    client_->Put(Json::parse(R"({"kind": "StorageCluster", "metadata": {"name": "late", "namespace": "prod"}})"));
    copy_still_fills = Eventually([&] { return informer_->Get({"prod", "late"}) != nullptr; });
    lease_still_held = client_->Peek(kLeaseKey)["spec"]["holderIdentity"] == "this";
  };
  Make(true);
  Run();
  ASSERT_TRUE(Eventually([&] { return inside.load(); }));
  runner_.request_stop();
  ASSERT_TRUE(Eventually([&] { return HasEnded(); }));
  EXPECT_TRUE(copy_still_fills);
  EXPECT_TRUE(lease_still_held);
  EXPECT_EQ(reconciler_->calls, 1);  // "late" is the next leader's
  EXPECT_EQ(client_->Peek(kLeaseKey)["spec"]["holderIdentity"], "");
}

TEST_F(ManagerTest, LosingTheLeaseEndsItWithAnError) {
  Make(true);
  Run();
  ASSERT_TRUE(Eventually([&] { return reconciler_->calls == 1; }));
  HoldLease("another");
  ASSERT_TRUE(Eventually([&] { return HasEnded(); }));
  ASSERT_FALSE(Ended()->ok());
  EXPECT_EQ(Ended()->error().code(), ErrorCode::kFailedPrecondition);
  EXPECT_EQ(client_->Peek(kLeaseKey)["spec"]["holderIdentity"], "another");
}

TEST_F(ManagerTest, ATakenAdminPortIsSaidBeforeAnythingStarts) {
  const auto holder = http::HttpListener::Start(
      {}, [](const http::ServerRequest&, http::ResponseWriter& writer) { writer.Send(200, {}, ""); });
  ASSERT_TRUE(holder.ok());
  ManagerOptions options;
  options.admin = http::ListenerOptions{};
  options.admin->port = (*holder)->port();
  Manager manager(options, client_, registry_);
  manager.AddInformer(kube::kinds::kStorageCluster);
  const Status status = manager.Run({});
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code(), ErrorCode::kUnavailable);
  EXPECT_NE(status.error().message().find(std::to_string((*holder)->port())), std::string::npos);
  EXPECT_EQ(client_->Calls("list"), 0);
}

}  // namespace
}  // namespace holdfast::runtime
