// The primary stops under load and its one synchronous standby takes over. The service is told both addresses and finds
// the new primary by itself.
#include <fmt/format.h>

#include "tests/integration/postgres/fault_bench.h"

namespace holdfast {
namespace {

using postgres_servers::Server;
using postgres_servers::StopMode;

class FailoverTest : public PostgresFaultTest, public testing::WithParamInterface<std::string> {
 protected:
  // host:port of both, the primary of the beginning first.
  std::string UrlOfBoth() const {
    std::string url = Url();
    url.insert(url.find_last_of('/'), fmt::format(",127.0.0.1:{}", replica_->port()));
    return url;
  }
  std::unique_ptr<Server> replica_ = Server::StartReplica(server()).value();
};

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

}  // namespace
}  // namespace holdfast
