#include "tests/redis/redis_cluster.h"

#include <fmt/format.h>

#include <sstream>
#include <thread>

#include "base/redis/connection.h"
#include "base/redis/slot.h"
#include "base/time/deadline.h"

namespace holdfast::redis_servers {
namespace {

constexpr std::chrono::seconds kTimeout{60};
constexpr std::chrono::milliseconds kPoll{20};
constexpr const char* kKeysAtOnce = "10";
constexpr const char* kMigrateTimeout = "5000";  // milliseconds

Status Done(const Result<std::string>& answer) {
  return answer.ok() ? Status() : Status(answer.error());
}

std::string FirstOf(const std::string& text) {
  return text.substr(0, text.find_first_of("\r\n"));
}

Result<std::string> IdOf(const RedisServer& server) {
  HOLDFAST_ASSIGN_OR_RETURN(const std::string id, server.Cli({"CLUSTER", "MYID"}));
  return FirstOf(id);
}

// Lines "id address flags ... slots" of CLUSTER NODES: the port of the master that serves the slot; 0: none.
int PortOfMaster(const std::string& nodes, std::uint16_t slot) {
  std::istringstream lines(nodes);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string id;
    std::string address;
    std::string flags;
    std::string word;
    words >> id >> address >> flags;
    if (flags.find("master") == std::string::npos || flags.find("fail") != std::string::npos) continue;
    for (int skipped = 0; skipped < 5; ++skipped) words >> word;  // master, ping, pong, epoch, link
    while (words >> word) {
      if (word.front() == '[') continue;  // being moved
      const std::size_t dash = word.find('-');
      const int first = std::stoi(word.substr(0, dash));
      const int last = dash == std::string::npos ? first : std::stoi(word.substr(dash + 1));
      if (slot < first || slot > last) continue;
      const std::size_t colon = address.find(':');
      return std::stoi(address.substr(colon + 1));
    }
  }
  return 0;
}

}  // namespace

Result<std::unique_ptr<RedisCluster>> RedisCluster::Start(const RedisClusterOptions& options) {
  std::unique_ptr<RedisCluster> cluster(new RedisCluster(options));
  ServerOptions server;
  server.tls = options.tls;
  server.acl = options.acl;
  server.append_only = options.append_only;
  server.parameters = {{"cluster-enabled", "yes"},
                       {"cluster-config-file", "nodes.conf"},
                       {"cluster-node-timeout", std::to_string(options.node_timeout_ms)},
                       {"cluster-require-full-coverage", "no"},
                       {"cluster-allow-replica-migration", "no"},
                       {"cluster-replica-validity-factor", "0"}};
  if (options.tls) {
    server.parameters.insert(server.parameters.end(), {{"tls-cluster", "yes"}, {"tls-replication", "yes"}});
  }
  server.parameters.insert(server.parameters.end(), options.parameters.begin(), options.parameters.end());
  for (int i = 0; i < options.masters * (1 + options.replicas); ++i) {
    HOLDFAST_ASSIGN_OR_RETURN(auto started, RedisServer::Start(server));
    cluster->servers_.push_back(std::move(started));
    if (options.tls) server.certificates_of = cluster->servers_.front()->folder();
  }
  HOLDFAST_RETURN_IF_ERROR(cluster->Form());
  return cluster;
}

Status RedisCluster::AwaitAll(const std::function<bool(const RedisServer& server)>& condition,
                              const std::string& what) const {
  const Deadline deadline = Deadline::After(kTimeout);
  for (const auto& server : servers_) {
    while (server->Running() && !condition(*server)) {
      if (deadline.Expired()) return Error(ErrorCode::kDeadlineExceeded, what + "; its log: " + server->Log());
      std::this_thread::sleep_for(kPoll);
    }
  }
  return {};
}

Status RedisCluster::Form() {
  const auto masters = static_cast<std::size_t>(options_.masters);
  for (std::size_t i = 0; i < masters; ++i) {
    // Each has an epoch of its own from the start, or they would have to settle that first.
    HOLDFAST_RETURN_IF_ERROR(Done(servers_[i]->Cli({"CLUSTER", "SET-CONFIG-EPOCH", std::to_string(i + 1)})));
    const std::size_t first = i * redis::kSlots / masters;
    const std::size_t last = (i + 1) * redis::kSlots / masters - 1;
    HOLDFAST_RETURN_IF_ERROR(
        Done(servers_[i]->Cli({"CLUSTER", "ADDSLOTSRANGE", std::to_string(first), std::to_string(last)})));
  }
  for (std::size_t i = 1; i < servers_.size(); ++i) {
    HOLDFAST_RETURN_IF_ERROR(Done(servers_[0]->Cli({"CLUSTER", "MEET", "127.0.0.1", std::to_string(servers_[i]->port()),
                                                    std::to_string(servers_[i]->cluster_port())})));
  }
  const std::string known = fmt::format("cluster_known_nodes:{}\r", servers_.size());
  const auto serves = [&](const RedisServer& server) {
    const Result<std::string> info = server.Cli({"CLUSTER", "INFO"});
    return info.ok() && info->find("cluster_state:ok") != std::string::npos && info->find(known) != std::string::npos &&
           info->find("cluster_slots_assigned:16384") != std::string::npos;
  };
  HOLDFAST_RETURN_IF_ERROR(AwaitAll(serves, "a node does not find the others"));
  for (std::size_t i = masters; i < servers_.size(); ++i) {
    HOLDFAST_ASSIGN_OR_RETURN(const std::string master, IdOf(*servers_[i % masters]));
    HOLDFAST_RETURN_IF_ERROR(Done(servers_[i]->Cli({"CLUSTER", "REPLICATE", master})));
  }
  for (std::size_t i = masters; i < servers_.size(); ++i) HOLDFAST_RETURN_IF_ERROR(servers_[i]->AwaitReplica());
  const auto knows_replicas = [&](const RedisServer& server) {
    const Result<std::string> nodes = server.Cli({"CLUSTER", "NODES"});
    std::size_t replicas = 0;
    for (std::size_t at = 0; nodes.ok() && (at = nodes->find("slave ", at)) != std::string::npos; ++at) ++replicas;
    return replicas == servers_.size() - masters;
  };
  return AwaitAll(knows_replicas, "a node does not hear of the replicas");
}

std::string RedisCluster::Url() const {
  std::string hosts;
  for (const auto& server : servers_) {
    if (!hosts.empty()) hosts += ',';
    hosts += fmt::format("127.0.0.1:{}", server->port());
  }
  const std::string login = options_.acl ? fmt::format("{}:{}@", kUser, kPassword) : std::string();
  return fmt::format("{}+cluster://{}{}/", options_.tls ? "rediss" : "redis", login, hosts);
}

Result<RedisServer*> RedisCluster::MasterOf(std::uint16_t slot) const {
  for (const auto& server : servers_) {
    if (!server->Running()) continue;
    const Result<std::string> info = server->Cli({"CLUSTER", "INFO"});
    if (!info.ok() || info->find("cluster_state:ok") == std::string::npos) continue;
    const Result<std::string> nodes = server->Cli({"CLUSTER", "NODES"});
    if (!nodes.ok()) continue;
    const int port = PortOfMaster(*nodes, slot);
    for (const auto& master : servers_) {
      if (master->port() == port) return master.get();
    }
  }
  return Error(ErrorCode::kUnavailable, fmt::format("no node names a master of the slot {}", slot));
}

Result<RedisServer*> RedisCluster::AwaitOtherMaster(std::uint16_t slot, const RedisServer& before) const {
  const Deadline deadline = Deadline::After(kTimeout);
  while (!deadline.Expired()) {
    const Result<RedisServer*> master = MasterOf(slot);
    if (master.ok() && *master != &before) {
      const Result<std::string> role = (*master)->Cli({"ROLE"});
      if (role.ok() && role->starts_with("master")) return *master;
    }
    std::this_thread::sleep_for(kPoll);
  }
  return Error(ErrorCode::kDeadlineExceeded, "no other master within a minute");
}

Status RedisCluster::MoveSlot(std::uint16_t slot, const RedisServer& from, const RedisServer& to,
                              const std::function<void()>& midway) const {
  HOLDFAST_ASSIGN_OR_RETURN(const std::string source, IdOf(from));
  HOLDFAST_ASSIGN_OR_RETURN(const std::string target, IdOf(to));
  const std::string number = std::to_string(slot);
  HOLDFAST_RETURN_IF_ERROR(Done(to.Cli({"CLUSTER", "SETSLOT", number, "IMPORTING", source})));
  HOLDFAST_RETURN_IF_ERROR(Done(from.Cli({"CLUSTER", "SETSLOT", number, "MIGRATING", target})));
  // Keys are bytes, which no command line takes.
  redis::Options options;
  HOLDFAST_ASSIGN_OR_RETURN(options.target, redis::ParseUrl(from.SocketUrl()));
  HOLDFAST_ASSIGN_OR_RETURN(const auto connection,
                            redis::Connection::Open(options.target.addresses.front(), options,
                                                    redis::Connection::Expect::kNothing, Deadline::After(kTimeout)));
  bool moved = false;
  while (true) {
    HOLDFAST_ASSIGN_OR_RETURN(
        const std::vector<redis::Value> keys,
        redis::AsArray(connection->Run(redis::Effect::kRead, {"CLUSTER", "GETKEYSINSLOT", number, kKeysAtOnce},
                                       Deadline::After(kTimeout)),
                       "GETKEYSINSLOT"));
    if (keys.empty()) break;
    if (moved && midway) midway();
    const std::string port = std::to_string(to.port());
    std::vector<std::string_view> words{"MIGRATE", "127.0.0.1", port, "", "0", kMigrateTimeout};
    if (options_.acl) words.insert(words.end(), {"AUTH2", kUser, kPassword});
    words.emplace_back("KEYS");
    for (const redis::Value& key : keys) words.emplace_back(key.text());
    redis::Pipeline migrate;
    migrate.Add(redis::Effect::kWrite, words);
    redis::Replies replies = connection->Run(migrate, Deadline::After(kTimeout));
    if (!replies[0].ok()) return std::move(replies[0]).error();
    moved = true;
  }
  for (const RedisServer* server : {&to, &from}) {
    HOLDFAST_RETURN_IF_ERROR(Done(server->Cli({"CLUSTER", "SETSLOT", number, "NODE", target})));
  }
  return {};
}

}  // namespace holdfast::redis_servers
