// The whole of it: a PostgreSQL cluster under Patroni, an operator that looks after its primary, the state service over
// it with clients that write, and a clock that measures how long nobody could.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "operator/local/api_server/api_server.h"
#include "tests/integration/postgres/audited_load.h"
#include "tests/integration/postgres/outage_meter.h"
#include "tests/integration/service/service_fixture.h"
#include "tests/patroni/patroni_cluster.h"

namespace holdfast {

// The failover controller of the operator, alone, over HTTP as in life. Ends as if killed: nothing is put in order.
class OperatorUnderTest {
 public:
  explicit OperatorUnderTest(std::uint16_t api_port);
  ~OperatorUnderTest();

 private:
  class State;
  std::unique_ptr<State> state_;
};

class FailoverBench {
 public:
  FailoverBench(const patroni_cluster::Settings& settings, const patroni_cluster::KubeletSettings& kubelet,
                bool with_operator);
  ~FailoverBench();

  patroni_cluster::PatroniCluster& cluster() { return *cluster_; }
  AuditedLoad& load() { return *load_; }
  OutageMeter& meter() { return *meter_; }
  local::ApiServer& api() { return api_; }
  void StartOperator() { operator_ = std::make_unique<OperatorUnderTest>(api_.port()); }
  void StopOperator() { operator_.reset(); }

  // The StorageCluster, as the API server has it.
  nlohmann::json StorageCluster();
  // Of status.failover, of the one backend.
  nlohmann::json Failover();
  std::vector<std::string> EventReasons();
  void AskForSwitchover(const std::string& to);
  // Waits, at most two minutes.
  // Ends the load and holds what was acknowledged against what is there. Empty: nothing is missing or invented.
  std::vector<std::string> Audit();

 private:
  local::ApiServer api_;
  std::unique_ptr<patroni_cluster::PatroniCluster> cluster_;
  TemporaryFolder folder_;
  std::optional<Service> service_;
  std::unique_ptr<AuditedLoad> load_;
  std::unique_ptr<OutageMeter> meter_;
  std::unique_ptr<OperatorUnderTest> operator_;
};

}  // namespace holdfast
