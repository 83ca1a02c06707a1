// A PgBouncer of the test's own in front of one server. Control from one thread; Url from any.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result/result.h"
#include "tests/loopback/reservation.h"
#include "tests/postgres/server.h"

namespace holdfast::postgres_servers {

struct PgBouncerOptions {
  std::string mode = "transaction";  // or session, statement
  int pool_size = 20;                // server connections per database and user
  std::vector<Login> logins;         // beside the superuser
  Parameters parameters;             // [pgbouncer], after our own
};

class PgBouncer {
 public:
  // Ready to serve at return. `server` outlives it. With a TLS server the way behind the pooler is TLS too; clients
  // speak plain TCP.
  static Result<std::unique_ptr<PgBouncer>> Start(const Server& server, const PgBouncerOptions& options = {});
  ~PgBouncer();

  std::uint16_t port() const { return port_.number(); }
  std::string Url(const std::string& database = "postgres", const Login& login = {}) const;
  // Its admin console: SHOW POOLS and the like.
  Result<Session> Console() const;
  Status Restart();
  void Kill();
  void Freeze();
  void Thaw();
  std::string Log() const;

 private:
  explicit PgBouncer(std::unique_ptr<Sandbox> sandbox) : sandbox_(std::move(sandbox)) {}
  Status StartProcess();

  std::unique_ptr<Sandbox> sandbox_;
  const loopback::ReservedPort port_;
  std::unique_ptr<ServerProcess> process_;
};

}  // namespace holdfast::postgres_servers
