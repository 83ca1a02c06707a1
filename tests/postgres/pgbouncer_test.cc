#include "tests/postgres/pgbouncer.h"

#include <gtest/gtest.h>

#include "tests/postgres/shared_server.h"

namespace holdfast::postgres_servers {
namespace {

void ExpectTransactionPooling(Server& server) {
  const FreshDatabase database(server);
  auto pooler = PgBouncer::Start(server, {.pool_size = 1, .logins = {}, .parameters = {}});
  ASSERT_TRUE(pooler.ok()) << pooler.error().message();
  auto one = Session::Open((*pooler)->Url(database.name()));
  auto two = Session::Open((*pooler)->Url(database.name()));
  ASSERT_TRUE(one.ok()) << one.error().message();
  ASSERT_TRUE(two.ok()) << two.error().message();
  // Two clients, one server process.
  EXPECT_EQ(one->Value("SELECT pg_backend_pid()").value(), two->Value("SELECT pg_backend_pid()").value());
  ASSERT_TRUE((*pooler)->Restart().ok());
  EXPECT_TRUE(Session::Open((*pooler)->Url(database.name())).ok());
}

TEST(PgBouncerServer, postgres_pools_transactions) {
  ExpectTransactionPooling(SharedServer());
}

TEST(PgBouncerServer, postgres_pools_transactions_over_tls) {
  ExpectTransactionPooling(SharedTlsServer());
}

}  // namespace
}  // namespace holdfast::postgres_servers
