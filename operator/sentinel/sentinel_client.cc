#include "operator/sentinel/sentinel_client.h"

#include <initializer_list>
#include <string_view>
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
    return Order(sentinel, {"SENTINEL", "FAILOVER", master_name}, deadline);
  }

  Status Reset(const Endpoint& sentinel, const std::string& master_name, Deadline deadline) override {
    return Order(sentinel, {"SENTINEL", "RESET", master_name}, deadline);
  }

  Status SetPriority(const Endpoint& server, std::int64_t priority, Deadline deadline) override {
    return Order(server, {"CONFIG", "SET", "replica-priority", std::to_string(priority)}, deadline);
  }

 private:
  static Status Order(const Endpoint& whom, std::initializer_list<std::string_view> order, Deadline deadline) {
    HOLDFAST_ASSIGN_OR_RETURN(const auto connection, Open(whom, deadline));
    const auto answer = connection->Run(redis::Effect::kWrite, order, deadline);
    return answer.ok() ? Status() : Status(answer.error());
  }
};

}  // namespace

std::shared_ptr<SentinelClient> MakeSentinelClient() {
  return std::make_shared<TlsSentinelClient>();
}

}  // namespace holdfast::sentinel
