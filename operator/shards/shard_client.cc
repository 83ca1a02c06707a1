#include "operator/shards/shard_client.h"

#include <charconv>
#include <chrono>
#include <utility>

#include "base/redis/connection.h"

namespace holdfast::shards {
namespace {

// Of INFO; empty: not there.
std::string_view FieldOf(std::string_view info, const std::string& name) {
  const std::string begin = "\n" + name + ":";
  const std::size_t at = info.find(begin);
  if (at == std::string_view::npos) return {};
  info.remove_prefix(at + begin.size());
  return info.substr(0, info.find('\r'));
}

std::int64_t NumberOf(std::string_view info, const std::string& name, std::int64_t otherwise) {
  const std::string_view text = FieldOf(info, name);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && !text.empty() ? number : otherwise;
}

// "db0:keys=17,expires=0,avg_ttl=0"; a server of a cluster has no other database.
std::int64_t KeysOf(std::string_view info) {
  constexpr std::string_view kKeys = "keys=";
  std::string_view text = FieldOf(info, "db0");
  if (!text.starts_with(kKeys)) return 0;
  text.remove_prefix(kKeys.size());
  std::int64_t keys = 0;
  std::from_chars(text.data(), text.data() + text.size(), keys);
  return keys;
}

Result<std::unique_ptr<redis::Connection>> Open(const Endpoint& server, Deadline deadline,
                                                std::chrono::milliseconds silence = redis::Options{}.read_timeout) {
  const redis::Address address{.host = server.address, .port = server.port, .unix_path = {}};
  redis::Options options;
  options.target.addresses = {address};
  options.target.tls = true;
  options.target.user = server.user;
  options.target.password = server.password;
  options.tls.ca_pem = server.authority;
  options.tls.server_name = server.name;
  options.read_timeout = silence;
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
        const std::string info,
        redis::AsString(connection->Run(redis::Effect::kRead, {"INFO", "replication", "keyspace"}, deadline), "INFO"));
    Report report{.ordinal = server.ordinal, .ip = server.address, .nodes = {}};
    HOLDFAST_ASSIGN_OR_RETURN(report.nodes, ParseNodes(nodes));
    report.in_step = FieldOf(info, "master_link_status") == "up";
    report.copies_from = FieldOf(info, "master_host");
    report.copies = FieldOf(info, "master_sync_in_progress") == "1";
    report.cut_off_for = NumberOf(info, "master_link_down_since_seconds", -1);
    report.offset = NumberOf(info, "slave_repl_offset", 0);
    report.keys = KeysOf(info);
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

  Status Move(const Endpoint& from, const std::string& from_id, const Endpoint& to, const std::string& to_id,
              const std::vector<int>& slots, const TransferLimits& limits) override {
    const std::chrono::milliseconds silence = limits.key_timeout + std::chrono::seconds{1};
    HOLDFAST_ASSIGN_OR_RETURN(const auto giver, Open(from, Deadline::After(limits.round_budget), silence));
    HOLDFAST_ASSIGN_OR_RETURN(const auto taker, Open(to, Deadline::After(limits.round_budget), silence));
    return TransferSlots(*giver, *taker,
                         {.slots = slots,
                          .from_id = from_id,
                          .to_id = to_id,
                          .to_address = to.address,
                          .to_port = to.port,
                          .user = to.user,
                          .password = to.password},
                         limits);
  }
};

}  // namespace

std::shared_ptr<ShardClient> MakeShardClient() {
  return std::make_shared<TlsShardClient>();
}

}  // namespace holdfast::shards
