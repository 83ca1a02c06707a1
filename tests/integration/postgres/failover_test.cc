// The primary stops under load and its one synchronous standby takes over. The service is told both addresses and finds
// the new primary by itself.
#include <fmt/format.h>

#include "tests/integration/postgres/fault_bench.h"

namespace holdfast {
namespace {

using postgres_servers::Server;
using postgres_servers::StopMode;

class ReplicaTakesOver : public PostgresFaultTest {
 protected:
  // host:port of both, the primary of the beginning first.
  std::string UrlOfBoth() const {
    std::string url = Url();
    url.insert(url.find_last_of('/'), fmt::format(",127.0.0.1:{}", replica_->port()));
    return url;
  }
  std::unique_ptr<Server> replica_ = Server::StartReplica(server()).value();
};

class FailoverTest : public ReplicaTakesOver, public testing::WithParamInterface<std::string> {};

TEST_P(FailoverTest, postgres_fault_promoted_replica_has_what_was_acknowledged) {
  ASSERT_TRUE(server().SetSynchronous({"replica_1"}).ok());
  StartService("", UrlOfBoth());
  AuditedLoad load(service().port());
  ASSERT_TRUE(load.AwaitAcknowledged(100));
  if (GetParam() == "killed") {
    server().Kill();
  } else {
    ASSERT_TRUE(server().Stop(StopMode::kFast).ok());
  }
  ASSERT_TRUE(replica_->Promote().ok());
  ASSERT_TRUE(replica_->SetSynchronous({}).ok());
  ASSERT_TRUE(load.AwaitAcknowledged(100));
  load.Stop();
  ExpectRecovery();
  ExpectNothingLost(load.history());
  ExpectNoConnectionLeft(*replica_);
}

INSTANTIATE_TEST_SUITE_P(Primary, FailoverTest, testing::Values("killed", "stopped"),
                         [](const auto& name) { return name.param; });

// The control: a standby that nobody waits for is cut off for a while, and takes over then. What was acknowledged
// meanwhile is gone, and the audit says so; versions are not given again all the same.
TEST_F(ReplicaTakesOver, postgres_fault_the_audit_finds_what_an_asynchronous_replica_has_lost) {
  StartService("", UrlOfBoth());
  const auto version = [&] {
    const std::string tag = Put("versioned", "1").headers.at("ETag");
    return std::stoull(tag.substr(1));
  };
  AuditedLoad load(service().port());
  ASSERT_TRUE(load.AwaitAcknowledged(50));
  ASSERT_TRUE(replica_->CatchUp(server()).ok());
  ASSERT_TRUE(server().CutReplication().ok());
  ASSERT_TRUE(load.AwaitAcknowledged(200));
  const auto lost = version();
  server().Kill();
  ASSERT_TRUE(replica_->Promote().ok());
  ASSERT_TRUE(load.AwaitAcknowledged(50));
  load.Stop();
  ExpectRecovery();
  EXPECT_GT(version(), lost);
  EXPECT_EQ(CodeOf(service().Send("DELETE", "/v1/stores/main/keys/versioned")), "ok");
  const std::vector<std::string> complaints = load.history().Complaints(Everything());
  EXPECT_THAT(complaints, testing::Contains(testing::EndsWith(" is lost")));
  EXPECT_THAT(complaints, testing::Each(testing::AnyOf(testing::EndsWith(" is lost"), testing::StartsWith("n is "))));
  ExpectNoConnectionLeft(*replica_);
}

}  // namespace
}  // namespace holdfast
