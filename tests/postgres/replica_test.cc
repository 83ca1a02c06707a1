#include <gtest/gtest.h>

#include "tests/postgres/server.h"

namespace holdfast::postgres_servers {
namespace {

TEST(PostgresReplica, postgres_two_replicas_follow_and_one_takes_over) {
  auto primary = Server::Start();
  ASSERT_TRUE(primary.ok()) << primary.error().message();
  ASSERT_TRUE((*primary)->Connect()->Execute("CREATE TABLE kept (n int)").ok());
  auto first = Server::StartReplica(**primary, {.name = "replica_1", .parameters = {}});
  ASSERT_TRUE(first.ok()) << first.error().message();
  auto second = Server::StartReplica(**primary, {.name = "replica_2", .parameters = {}});
  ASSERT_TRUE(second.ok()) << second.error().message();
  const Status synchronous = (*primary)->SetSynchronous({"replica_1"});
  ASSERT_TRUE(synchronous.ok()) << synchronous.error().message();
  ASSERT_TRUE((*primary)->Connect()->Execute("INSERT INTO kept VALUES (1)").ok());
  ASSERT_TRUE((*second)->CatchUp(**primary).ok());
  EXPECT_EQ((*second)->Connect()->Value("SELECT count(*) FROM kept").value(), "1");
  EXPECT_EQ((*second)->Connect()->Value("SELECT pg_is_in_recovery()").value(), "t");

  (*primary)->Kill();
  const Status promoted = (*first)->Promote();
  ASSERT_TRUE(promoted.ok()) << promoted.error().message();
  ASSERT_TRUE((*second)->Follow(**first).ok());
  // Synchronous to nobody: the base backup is older than the primary's setting.
  ASSERT_TRUE((*first)->Connect()->Execute("INSERT INTO kept VALUES (2)").ok());
  const Status caught_up = (*second)->CatchUp(**first);
  ASSERT_TRUE(caught_up.ok()) << caught_up.error().message();
  EXPECT_EQ((*second)->Connect()->Value("SELECT count(*) FROM kept").value(), "2");
}

}  // namespace
}  // namespace holdfast::postgres_servers
