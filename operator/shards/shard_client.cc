#include "operator/shards/shard_client.h"

#include <utility>

#include "base/redis/connection.h"

namespace holdfast::shards {
namespace {

Result<std::unique_ptr<redis::Connection>> Open(const Endpoint& server, Deadline deadline) {
  const redis::Address address{.host = server.address, .port = server.port, .unix_path = {}};
  redis::Options options;
  options.target.addresses = {address};
  options.target.tls = true;
  options.target.user = server.user;
  options.target.password = server.password;
  options.tls.ca_pem = server.authority;
  options.tls.server_name = server.name;
  return redis::Connection::Open(address, options, redis::Connection::Expect::kNothing, deadline);
}

class TlsShardClient : public ShardClient {
 public:
  Result<Report> Ask(const Endpoint& server, Deadline deadline) override {
    HOLDFAST_ASSIGN_OR_RETURN(const auto connection, Open(server, deadline));
    HOLDFAST_ASSIGN_OR_RETURN(
        const std::string nodes,
        redis::AsString(connection->Run(redis::Effect::kRead, {"CLUSTER", "NODES"}, deadline), "CLUSTER NODES"));
    HOLDFAST_ASSIGN_OR_RETURN(
        const std::string replication,
        redis::AsString(connection->Run(redis::Effect::kRead, {"INFO", "replication"}, deadline), "INFO replication"));
    Report report{.ordinal = server.ordinal, .ip = server.address, .nodes = {}};
    HOLDFAST_ASSIGN_OR_RETURN(report.nodes, ParseNodes(nodes));
    report.in_step = replication.find("\nmaster_link_status:up\r") != std::string::npos;
    constexpr std::string_view kMasterHost = "\nmaster_host:";
    if (const std::size_t at = replication.find(kMasterHost); at != std::string::npos) {
      const std::size_t begin = at + kMasterHost.size();
      report.copies_from = replication.substr(begin, replication.find('\r', begin) - begin);
    }
    return report;
  }

  Status Tell(const Endpoint& server, const std::vector<std::string>& words, Deadline deadline) override {
    HOLDFAST_ASSIGN_OR_RETURN(const auto connection, Open(server, deadline));
    const std::vector<std::string_view> views(words.begin(), words.end());
    redis::Pipeline pipeline;
    pipeline.Add(redis::Effect::kWrite, views);
    redis::Replies replies = connection->Run(pipeline, deadline);
    return redis::AsStatus(std::move(replies[0]), words.front());
  }
};

}  // namespace

std::shared_ptr<ShardClient> MakeShardClient() {
  return std::make_shared<TlsShardClient>();
}

}  // namespace holdfast::shards
