// Two services that are asked the same, one over PostgreSQL, one over memory as the model of what is right.
#pragma once

#include <gmock/gmock.h>

#include <optional>

#include "tests/integration/service/service_fixture.h"
#include "tests/postgres/shared_server.h"

namespace holdfast {

// An answer without what two stores never have in common: versions, times, leases, tokens, cursors.
std::string Comparable(const http::ClientResponse& response);

class TwinServicesTest : public testing::Test {
 protected:
  // The server logs every statement, and would log what is bound to one that fails.
  TwinServicesTest();

  // Fails the test when the answers differ. The answer of PostgreSQL.
  http::ClientResponse Ask(const std::string& method, const std::string& target, const http::Headers& headers = {},
                           const std::string& body = "");
  http::ClientResponse AskJson(const std::string& method, const std::string& target, const std::string& body);

  postgres_servers::Server& server() { return *server_; }
  postgres_servers::Session Connect() const { return database_->Connect().value(); }
  Service& on_postgres() { return *on_postgres_; }
  Service& on_memory() { return *on_memory_; }
  std::string Url() const { return database_->Url(); }
  // Names and kinds of everything in the schema.
  std::string Schema() const;

 private:
  std::unique_ptr<postgres_servers::Server> server_;
  std::optional<postgres_servers::FreshDatabase> database_;
  TemporaryFolder first_folder_;
  TemporaryFolder second_folder_;
  std::optional<Service> on_postgres_;
  std::optional<Service> on_memory_;
};

}  // namespace holdfast
