// One server for all cases of a test program that need nothing special, and a fresh database for each: CREATE DATABASE
// takes some hundredths of a second, a server some tenths.
#pragma once

#include <memory>
#include <string>

#include "base/result/result.h"
#include "tests/postgres/server.h"

namespace holdfast::postgres_servers {

// Started at the first call, ended with the program. Aborts with the reason when it cannot be started: no case that
// asks for it could pass. Thread-safe. Cases must not stop it or alter its parameters: make a Server for that.
Server& SharedServer();
// The same with TLS.
Server& SharedTlsServer();

// A fresh database, dropped with the object, also when sessions are still in it.
class FreshDatabase {
 public:
  explicit FreshDatabase(Server& server = SharedServer(), const std::string& copy_of = "template1");
  ~FreshDatabase();
  FreshDatabase(const FreshDatabase&) = delete;
  FreshDatabase& operator=(const FreshDatabase&) = delete;

  Server& server() const { return server_; }
  const std::string& name() const { return name_; }
  std::string Url(const Login& login = {}) const { return server_.Url(name_, login); }
  Result<Session> Connect() const { return server_.Connect(name_); }

 private:
  Server& server_;
  std::string name_;
};

}  // namespace holdfast::postgres_servers
