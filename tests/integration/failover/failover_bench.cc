#include "tests/integration/failover/failover_bench.h"

#include <fmt/format.h>

#include "base/metrics/metrics.h"
#include "operator/api/v1/annotations.h"
#include "operator/api/v1/crd.h"
#include "operator/failover/setup.h"
#include "operator/kube/rest_client.h"
#include "operator/runtime/manager.h"
#include "tests/waiting/eventually.h"

namespace holdfast {
namespace {

using nlohmann::json;
using patroni_cluster::KubeletSettings;
using patroni_cluster::PatroniCluster;

constexpr char kClusters[] = "/apis/storage.holdfast.dev/v1/namespaces/default/storageclusters";
constexpr char kCluster[] = "/apis/storage.holdfast.dev/v1/namespaces/default/storageclusters/demo";

}  // namespace

class OperatorUnderTest::State {
 public:
  explicit State(std::uint16_t api_port) {
    kube::RestClientOptions options;
    options.credentials.base_url = fmt::format("http://127.0.0.1:{}", api_port);
    client_ = kube::MakeRestClient(std::move(options), &registry_).value();
    manager_.emplace(runtime::ManagerOptions{}, client_, registry_);
    failover::FailoverConfig config;
    config.namespaces = {"default"};
    failover::AddFailoverController(*manager_, client_, config, registry_);
    thread_ = std::jthread([this](std::stop_token stop) {
      const Status ended = manager_->Run(std::move(stop));
      EXPECT_TRUE(ended.ok()) << ended.error().ToString();
    });
  }

 private:
  metrics::Registry registry_;
  std::shared_ptr<kube::Client> client_;
  std::optional<runtime::Manager> manager_;
  std::jthread thread_;
};

OperatorUnderTest::OperatorUnderTest(std::uint16_t api_port) : state_(std::make_unique<State>(api_port)) {}
OperatorUnderTest::~OperatorUnderTest() = default;

FailoverBench::FailoverBench(const patroni_cluster::Settings& settings, const KubeletSettings& kubelet,
                             bool with_operator) {
  http::HttpClient::SetThreads(16);
  EXPECT_TRUE(api_.Listen().ok());
  const auto defined =
      api_.Call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", api::StorageClusterDefinition());
  EXPECT_TRUE(defined.ok()) << defined.body;
  const json backend = {{"name", settings.backend}, {"postgres", {{"instances", settings.members}}}};
  const auto made = api_.Call("POST", kClusters,
                              {{"apiVersion", "storage.holdfast.dev/v1"},
                               {"kind", "StorageCluster"},
                               {"metadata", {{"name", settings.cluster}}},
                               {"spec",
                                {{"backends", json::array({backend})},
                                 {"stores", json::array({{{"name", "main"}, {"backend", settings.backend}}})}}}});
  EXPECT_TRUE(made.ok()) << made.body;
  auto cluster = PatroniCluster::Start(api_, settings, kubelet);
  if (!cluster.ok()) throw std::runtime_error(cluster.error().ToString());
  cluster_ = std::move(cluster).value();
  Process::Options migrate;
  migrate.words = {"migrate", "up"};
  migrate.environment = {{"HOLDFAST_MIGRATION_URL", cluster_->Url()}};
  const Finished migrated = RunHoldfast(migrate);
  EXPECT_EQ(migrated.exit_code, 0) << migrated.errors;
  service_.emplace(folder_,
                   fmt::format("postgres, url: \"{}\", pool_min: 2, pool_max: 6, acquire_timeout: 1s, "
                               "connect_timeout: 2s, poll_interval: 50ms",
                               cluster_->Url()),
                   "health: {interval: 200ms, timeout: 1s}\n");
  if (with_operator) StartOperator();
  load_ = std::make_unique<AuditedLoad>(service_->port());
  meter_ = std::make_unique<OutageMeter>(load_->history());
  EXPECT_TRUE(load_->AwaitAcknowledged(50));
}

FailoverBench::~FailoverBench() {
  StopOperator();
  meter_.reset();
}

json FailoverBench::StorageCluster() {
  return api_.Call("GET", kCluster).body;
}

json FailoverBench::Failover() {
  const json cluster = StorageCluster();
  static const json::json_pointer pointer("/status/failover/0");
  return cluster.contains(pointer) ? cluster.at(pointer) : json::object();
}

std::vector<std::string> FailoverBench::EventReasons() {
  std::vector<std::string> reasons;
  const json list = api_.Call("GET", "/api/v1/namespaces/default/events").body;
  for (const json& event : list.at("items")) reasons.push_back(event.value("reason", ""));
  return reasons;
}

void FailoverBench::AskForSwitchover(const std::string& to) {
  const json patch = {{"metadata", {{"annotations", {{api::kSwitchoverAnnotation, to}}}}}};
  EXPECT_TRUE(api_.Call("PATCH", kCluster, patch, "application/merge-patch+json").ok());
}

std::vector<std::string> FailoverBench::Audit() {
  load_->Stop();
  WriteHistory::Entries found;
  std::string cursor;
  // In pages: what many rounds wrote is more than one answer carries within its deadline.
  for (bool complete = false; !complete;) {
    const auto page_of = [&] {
      return service_->Send("GET", "/v1/stores/main/keys?values=true&limit=10000&cursor=" + cursor);
    };
    auto answer = page_of();
    // Not in time, on a machine that is busy with other things.
    Eventually([&] { return answer.status < 500 || (answer = page_of()).status < 500; });
    if (answer.status != 200) {
      return {fmt::format("what was written cannot be read back: status {}: {}", answer.status, answer.body)};
    }
    const json page = json::parse(answer.body);
    for (const json& item : page.at("items")) found[item.at("key")] = item.at("value");
    cursor = page.at("cursor");
    complete = page.at("complete");
  }
  return load_->history().Complaints(found);
}

}  // namespace holdfast
