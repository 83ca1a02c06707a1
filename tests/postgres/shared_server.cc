#include "tests/postgres/shared_server.h"

#include <cstdio>
#include <cstdlib>

#include "fmt/format.h"

namespace holdfast::postgres_servers {
namespace {

template <typename T>
T OrAbort(Result<T> result) {
  if (result.ok()) return std::move(result).value();
  fmt::print(stderr, "no PostgreSQL for this test: {}\n", result.error().message());
  std::abort();
}

}  // namespace

Server& SharedServer() {
  static const std::unique_ptr<Server> server = OrAbort(Server::Start());
  return *server;
}

Server& SharedTlsServer() {
  static const std::unique_ptr<Server> server = OrAbort(Server::Start({.tls = true, .parameters = {}}));
  return *server;
}

FreshDatabase::FreshDatabase(Server& server, const std::string& copy_of)
    : server_(server), name_(OrAbort(server.CreateDatabase(copy_of))) {}

FreshDatabase::~FreshDatabase() {
  // A server that is down takes its databases with it at the end.
  if (auto session = server_.Connect(); session.ok()) {
    static_cast<void>(session->Execute(fmt::format("DROP DATABASE IF EXISTS {} WITH (FORCE)", name_)));
  }
}

}  // namespace holdfast::postgres_servers
