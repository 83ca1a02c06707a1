#include "operator/sentinel/sentinel_client.h"

#include <utility>

#include "base/redis/connection.h"

namespace holdfast::sentinel {
namespace {

class TlsSentinelClient : public SentinelClient {
 public:
  Result<Report> Ask(const Endpoint& sentinel, const std::string& master_name, Deadline deadline) override {
    const redis::Address address{.host = sentinel.address, .port = sentinel.port, .unix_path = {}};
    redis::Options options;
    options.target.addresses = {address};
    options.target.tls = true;
    options.target.user = sentinel.user;
    options.target.password = sentinel.password;
    options.tls.ca_pem = sentinel.authority;
    options.tls.server_name = sentinel.name;
    HOLDFAST_ASSIGN_OR_RETURN(const auto connection,
                              redis::Connection::Open(address, options, redis::Connection::Expect::kNothing, deadline));
    HOLDFAST_ASSIGN_OR_RETURN(const redis::Value master,
                              connection->Run(redis::Effect::kRead, {"SENTINEL", "MASTER", master_name}, deadline));
    HOLDFAST_ASSIGN_OR_RETURN(const redis::Value replicas,
                              connection->Run(redis::Effect::kRead, {"SENTINEL", "REPLICAS", master_name}, deadline));
    return ParseReport(master, replicas);
  }
};

}  // namespace

std::shared_ptr<SentinelClient> MakeSentinelClient() {
  return std::make_shared<TlsSentinelClient>();
}

}  // namespace holdfast::sentinel
