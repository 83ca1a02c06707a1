#include "tests/patroni/patroni_cluster.h"

#include <gtest/gtest.h>

namespace holdfast::patroni_cluster {
namespace {

constexpr KubeletSettings kQuickKubelet{std::chrono::milliseconds{20}};

class PatroniClusterTest : public testing::Test {
 protected:
  PatroniClusterTest() { EXPECT_TRUE(api_.Listen().ok()); }
  local::ApiServer api_;
};

TEST_F(PatroniClusterTest, patroni_standby_takes_over_once_the_leader_key_is_cleared) {
  auto cluster = PatroniCluster::Start(api_, {.members = 2, .loop_wait = 2}, kQuickKubelet).value();
  const std::string former = cluster->Leader();
  ASSERT_TRUE(cluster->Connect(former)->Execute("CREATE TABLE t (n int); INSERT INTO t VALUES (1)").ok());
  cluster->Kill(former);
  const auto cleared =
      api_.Call("PATCH", "/api/v1/namespaces/default/configmaps/demo-db-leader",
                {{"metadata", {{"annotations", {{"leader", nullptr}}}}}}, "application/merge-patch+json");
  ASSERT_TRUE(cleared.ok()) << cleared.body;
  const auto began = std::chrono::steady_clock::now();
  const std::string primary = cluster->AwaitPrimary(former).value();
  RecordProperty(
      "takeover_ms",
      std::to_string(
          std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began).count()));
  EXPECT_EQ(cluster->Connect(primary)->Value("SELECT n FROM t").value(), "1");
  const Status settled = cluster->AwaitSettled();
  EXPECT_TRUE(settled.ok()) << settled.error().ToString();
}

}  // namespace
}  // namespace holdfast::patroni_cluster
