// The service over Redis servers of the case's own, which the case may treat as it likes.
#pragma once

#include <gmock/gmock.h>

#include <memory>
#include <string>

#include "tests/integration/postgres/audited_load.h"
#include "tests/integration/service/service_fixture.h"
#include "tests/redis/redis_server.h"

namespace holdfast {

class OverRedis : public testing::Test {
 protected:
  // `more` are further settings of the backend, beginning with a comma.
  static Service StartOver(const std::string& url, const TemporaryFolder& folder, const std::string& more);

  // Of a key in the store `main`; `encoded` as it stands in a path.
  static std::string KeyPath(const std::string& encoded);
  // The `code` of an answer's problem; "ok" when there is none.
  static std::string CodeOf(const http::ClientResponse& response);
  static http::ClientResponse Put(Service& service, const std::string& key, const std::string& value);
  // All of the store `main`, over HTTP.
  static WriteHistory::Entries Everything(Service& service);
  // Within half a minute.

  const TemporaryFolder first_folder_;
  const TemporaryFolder second_folder_;
};

class RedisServiceTest : public OverRedis {
 protected:
  // Durable, unless the case says otherwise.
  explicit RedisServiceTest(const redis_servers::ServerOptions& options = Durable());
  static redis_servers::ServerOptions Durable() {
    redis_servers::ServerOptions options;
    options.append_only = true;
    return options;
  }

  redis_servers::RedisServer& server() { return *server_; }
  Service Start(const TemporaryFolder& folder, const std::string& more = "") {
    return StartOver(server_->Url(), folder, more);
  }

 private:
  const std::unique_ptr<redis_servers::RedisServer> server_;
};

}  // namespace holdfast
