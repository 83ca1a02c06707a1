// The operator as it runs: manager, informers, queue and workers, on the client of a bench.
#pragma once

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/metrics/metrics.h"
#include "gtest/gtest.h"
#include "operator/controllers/storagecluster/setup.h"
#include "tests/unit/operator/controllers/cluster_bench.h"

namespace holdfast::storagecluster {

class ManagedOperator {
 public:
  explicit ManagedOperator(ClusterBench& bench, std::vector<std::string> namespaces = {})
      : client_(&bench.client(), [](kube::Client*) {}), manager_({}, client_, registry_) {
    ControllerConfig config;
    config.service_image = "holdfast:test";
    config.namespaces = std::move(namespaces);
    AddStorageClusterController(manager_, client_, config);
    thread_ = std::jthread([this](std::stop_token stop) { status_ = manager_.Run(std::move(stop)); });
  }
  ~ManagedOperator() {
    thread_.request_stop();
    thread_.join();
    EXPECT_TRUE(status_.ok());
  }

 private:
  metrics::Registry registry_;
  std::shared_ptr<kube::Client> client_;
  runtime::Manager manager_;
  Status status_;
  std::jthread thread_;
};

}  // namespace holdfast::storagecluster
