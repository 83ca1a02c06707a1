// A StorageCluster with a PostgreSQL backend, from its manifest to an answered request, by nothing but the operator.
#include "tests/integration/local/local_command_fixture.h"
#include "tests/waiting/eventually.h"

namespace holdfast::local {
namespace {

// Patroni takes its time, and the machine may be busy.
constexpr std::chrono::seconds kPatience{320};

class LocalPostgresClusterTest : public LocalCommandTest {
 protected:
  json Pods(const std::string& selector) const {
    return Kubernetes("/api/v1/namespaces/default/pods?labelSelector=" + selector).value("items", json::array());
  }
};

TEST_F(LocalPostgresClusterTest, postgres_IsProvisionedMigratedServedAndSurvivesItsPrimary) {
  Start(Manifest("postgres: {instances: 3, storage: {size: 1Gi}, synchronous: {standbys: 1}, "
                 "parameters: {shared_buffers: 32MB}}"),
        {"--ready-timeout", "300"});
  ASSERT_TRUE(Eventually([&] { return !Event("running").is_null() || program_->Poll(); }, kPatience));
  ASSERT_FALSE(Event("running").is_null()) << FileText(output());
  EXPECT_EQ(Store("PUT", "hello").status, 201);
  EXPECT_EQ(Store("GET").body, "hello");
  EXPECT_EQ(Kubernetes("/apis/apps/v1/namespaces/default/deployments/demo")["status"]["availableReplicas"], 1);

  json primary = Pods("role%3Dmaster");
  ASSERT_EQ(primary.size(), 1u);
  std::string id = primary[0].at("/status/containerStatuses/0/containerID"_json_pointer);
  kill(std::stoi(id.substr(std::string("process://").size())), SIGKILL);
  EXPECT_TRUE(Eventually([&] { return Store("PUT", "again").status / 100 == 2; }, kPatience));
  EXPECT_EQ(Store("GET").body, "again");

  program_->Signal(SIGTERM);
  EXPECT_EQ(ExitStatus(), 0);
}

}  // namespace
}  // namespace holdfast::local
