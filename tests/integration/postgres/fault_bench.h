// The service over a PostgreSQL server of the case's own, which the case may treat as it likes, with a second store in
// memory beside it; and what every case ends with: the audit, and that no connection was left behind.
#pragma once

#include <gmock/gmock.h>

#include <optional>

#include "tests/integration/postgres/audited_load.h"
#include "tests/integration/service/service_fixture.h"
#include "tests/postgres/shared_server.h"

namespace holdfast {

class PostgresFaultTest : public testing::Test {
 protected:
  static constexpr int kPoolMin = 2;

  explicit PostgresFaultTest(const postgres_servers::ServerOptions& options = {});

  // `more` are further settings of the backend, beginning with a comma; `url` of the server itself when empty;
  // `store` a further store, with its name.
  Service& StartService(const std::string& more = "", const std::string& url = "", const std::string& store = "");
  // The same without the second store: without the server there is nothing to serve from.
  Service& StartServiceAlone(const std::string& more = "");
  Service& service() { return *service_; }
  postgres_servers::Server& server() { return *server_; }
  std::string Url() const { return database_->Url(); }
  postgres_servers::Session Connect() const { return database_->Connect().value(); }

  http::ClientResponse Put(const std::string& key, const std::string& value, const std::string& timeout = "10s");
  http::ClientResponse Get(const std::string& key, const std::string& timeout = "10s");
  static std::string CodeOf(const http::ClientResponse& response);
  // All of the store `main`, over HTTP.
  WriteHistory::Entries Everything();
  // "healthy" or "unhealthy", of the backend under test.
  std::string Health(std::string* error = nullptr);
  // What is told apart from the faulty backend is served on.
  void ExpectTheRestServes();

  // Waits until a write is answered well again.
  void ExpectRecovery();
  void ExpectNothingLost(const WriteHistory& history);
  // Waits until the server has as many sessions of the service as one at rest has, and the pool says so too.
  void ExpectNoConnectionLeft(postgres_servers::Server& at);
  void ExpectNoConnectionLeft() { ExpectNoConnectionLeft(*server_); }

 private:
  std::string Backend(const std::string& more, const std::string& url) const;

  std::unique_ptr<postgres_servers::Server> server_;
  std::optional<postgres_servers::FreshDatabase> database_;
  TemporaryFolder folder_;
  std::optional<Service> service_;
};

}  // namespace holdfast
