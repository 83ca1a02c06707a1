// A synchronous standby that hangs: commits wait in the server for it, whoever gives up on them.
#include <fmt/format.h>

#include "tests/integration/postgres/fault_bench.h"
#include "tests/waiting/eventually.h"

namespace holdfast {
namespace {

using postgres_servers::Server;
using postgres_servers::Session;

constexpr int kPoolMax = 6;  // of the fixture
// Each connection of the pool may send one more between the question and the answer, and so may the change log's own.
constexpr int kMostSessions = 2 * kPoolMax + 2;

class HungStandby : public PostgresFaultTest {
 protected:
  // The sender that was cut holds up whoever would drop the case's database.
  ~HungStandby() override { server().Kill(); }
  static int Waiting(Session& session) {
    return std::stoi(session.Value("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'").value());
  }
  std::unique_ptr<Server> replica_ = Server::StartReplica(server()).value();
};

TEST_F(HungStandby, postgres_fault_a_hung_standby_leaves_sessions_for_reads) {
  ASSERT_TRUE(server().SetSynchronous({"replica_1"}).ok());
  StartService();
  ASSERT_EQ(Put("read", "1").status, 201);
  Session session = Connect();
  ASSERT_TRUE(server().CutReplication().ok());

  // As many as may wait; then they are refused without being sent.
  int most = 0;
  int refused = 0;
  int sent = 0;
  ASSERT_TRUE(Eventually([&] {
    const http::ClientResponse answer = Put(fmt::format("hung{}", sent++), "1", "200ms");
    most = std::max(most, Waiting(session));
    if (CodeOf(answer) == "unavailable" && answer.body.find("synchronous standby") != std::string::npos) ++refused;
    return refused == 20;
  })) << refused
      << " refused, " << most << " sessions";
  EXPECT_GE(most, kPoolMax);
  EXPECT_LE(most, kMostSessions);
  EXPECT_EQ(Get("read").status, 200);

  ASSERT_TRUE(server().SetSynchronous({}).ok());
  ExpectRecovery();
  EXPECT_EQ(Get("hung0").status, 200);
  ExpectNoConnectionLeft();
}

}  // namespace
}  // namespace holdfast
