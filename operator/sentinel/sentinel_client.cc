#include "operator/sentinel/sentinel_client.h"

#include <utility>

#include "base/redis/connection.h"

namespace holdfast::sentinel {
namespace {

Result<std::unique_ptr<redis::Connection>> Open(const Endpoint& endpoint, Deadline deadline) {
  const redis::Address address{.host = endpoint.address, .port = endpoint.port, .unix_path = {}};
  redis::Options options;
  options.target.addresses = {address};
  options.target.tls = true;
  options.target.user = endpoint.user;
  options.target.password = endpoint.password;
  options.tls.ca_pem = endpoint.authority;
  options.tls.server_name = endpoint.name;
  return redis::Connection::Open(address, options, redis::Connection::Expect::kNothing, deadline);
}

class TlsSentinelClient : public SentinelClient {
 public:
  Result<Report> Ask(const Endpoint& sentinel, const std::string& master_name, Deadline deadline) override {
    HOLDFAST_ASSIGN_OR_RETURN(const auto connection, Open(sentinel, deadline));
    HOLDFAST_ASSIGN_OR_RETURN(const redis::Value master,
                              connection->Run(redis::Effect::kRead, {"SENTINEL", "MASTER", master_name}, deadline));
    HOLDFAST_ASSIGN_OR_RETURN(const redis::Value replicas,
                              connection->Run(redis::Effect::kRead, {"SENTINEL", "REPLICAS", master_name}, deadline));
    return ParseReport(master, replicas);
  }

  Result<ServerReport> AskServer(const Endpoint& server, Deadline deadline) override {
    HOLDFAST_ASSIGN_OR_RETURN(const auto connection, Open(server, deadline));
    HOLDFAST_ASSIGN_OR_RETURN(const redis::Value info,
                              connection->Run(redis::Effect::kRead, {"INFO", "replication"}, deadline));
    return ParseServerReport(info);
  }

  Status Failover(const Endpoint& sentinel, const std::string& master_name, Deadline deadline) override {
    HOLDFAST_ASSIGN_OR_RETURN(const auto connection, Open(sentinel, deadline));
    const auto begun = connection->Run(redis::Effect::kWrite, {"SENTINEL", "FAILOVER", master_name}, deadline);
    return begun.ok() ? Status() : Status(begun.error());
  }
};

}  // namespace

std::shared_ptr<SentinelClient> MakeSentinelClient() {
  return std::make_shared<TlsSentinelClient>();
}

}  // namespace holdfast::sentinel
