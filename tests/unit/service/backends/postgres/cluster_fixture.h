// A primary with streaming replicas, and backends whose url names all of them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/unit/service/backends/postgres/fixture.h"

namespace holdfast::storage {

struct ClusterPrimary {
  std::unique_ptr<postgres_servers::Server> primary_ = postgres_servers::Server::Start().value();
};

class PostgresClusterTest : private ClusterPrimary, public PostgresTest {
 protected:
  PostgresClusterTest() : PostgresTest(*primary_) {}

  postgres_servers::Server& primary() { return *primary_; }
  // Behind the schema and whatever was written so far.
  std::unique_ptr<postgres_servers::Server> StartReplica(const std::string& name) {
    auto replica = postgres_servers::Server::StartReplica(*primary_, {.name = name, .parameters = {}});
    EXPECT_TRUE(replica.ok()) << replica.error().ToString();
    const Status caught_up = (*replica)->CatchUp(*primary_);
    EXPECT_TRUE(caught_up.ok()) << caught_up.error().ToString();
    return std::move(*replica);
  }
  // The primary's url with another server behind it.
  std::string UrlOfBoth(const postgres_servers::Server& other) {
    std::string url = database_.Url();
    const std::string port = std::to_string(primary_->port());
    const std::size_t end = url.find(":" + port + "/") + 1 + port.size();
    std::string more = ",127.0.0.1:";
    more.append(std::to_string(other.port()));
    return url.insert(end, more);
  }
  // What a server has under this key, past the product; "" for nothing.
  std::string StoredAt(const postgres_servers::Server& server, const std::string& key) {
    auto session = server.Connect(database_.name());
    if (!session.ok()) return "unreachable";
    const auto answer = session->Query(
        "SELECT convert_from(value, 'UTF8') FROM holdfast.entries WHERE key = convert_to($1, 'UTF8')", {key});
    if (!answer.ok()) return answer.error().message();
    return answer->rows.empty() ? "" : answer->rows[0][0].value_or("");
  }
};

}  // namespace holdfast::storage
