#include "tests/redis/sentinel_group.h"

#include <fmt/format.h>

#include <sstream>
#include <thread>

#include "base/time/deadline.h"

namespace holdfast::redis_servers {
namespace {

constexpr std::chrono::seconds kTimeout{60};
constexpr std::chrono::milliseconds kPoll{20};

// Of `SENTINEL MASTER`, which redis-cli prints as names and values in turn, a line each.
std::string FieldOf(const std::string& lines, const std::string& name) {
  std::istringstream input(lines);
  std::string field;
  std::string value;
  while (std::getline(input, field) && std::getline(input, value)) {
    if (field == name) return value;
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<SentinelGroup>> SentinelGroup::Start(const SentinelGroupOptions& options) {
  std::unique_ptr<SentinelGroup> group(new SentinelGroup(options));
  ServerOptions server;
  server.acl = options.acl;
  server.parameters = options.parameters;
  for (int i = 0; i <= options.replicas; ++i) {
    if (i == 1) server.replica_of = group->servers_[0]->port();
    HOLDFAST_ASSIGN_OR_RETURN(auto started, RedisServer::Start(server));
    group->servers_.push_back(std::move(started));
  }
  for (int i = 1; i <= options.replicas; ++i) {
    HOLDFAST_RETURN_IF_ERROR(group->servers_[static_cast<std::size_t>(i)]->AwaitReplica());
  }
  const std::string name = kMasterName;
  Parameters sentinel = {
      {"sentinel",
       fmt::format("monitor {} 127.0.0.1 {} {}", name, group->servers_[0]->port(), options.sentinels / 2 + 1)},
      {"sentinel", fmt::format("down-after-milliseconds {} {}", name, options.down_after_ms)},
      // Also how long a sentinel waits before it tries again what another has begun: short, for tests.
      {"sentinel", fmt::format("failover-timeout {} 5000", name)}};
  if (options.acl) {
    sentinel.emplace_back("sentinel", fmt::format("auth-user {} {}", name, kUser));
    sentinel.emplace_back("sentinel", fmt::format("auth-pass {} {}", name, kPassword));
  }
  for (int i = 0; i < options.sentinels; ++i) {
    HOLDFAST_ASSIGN_OR_RETURN(auto started, RedisServer::StartSentinel(sentinel));
    group->sentinels_.push_back(std::move(started));
  }
  const Deadline deadline = Deadline::After(kTimeout);
  for (const auto& each : group->sentinels_) {
    while (true) {
      const Result<std::string> known = each->Cli({"SENTINEL", "MASTER", name});
      if (known.ok() && FieldOf(*known, "flags") == "master" &&
          FieldOf(*known, "num-slaves") == std::to_string(options.replicas) &&
          FieldOf(*known, "num-other-sentinels") == std::to_string(options.sentinels - 1)) {
        break;
      }
      if (deadline.Expired()) {
        return Error(ErrorCode::kDeadlineExceeded, "the sentinels do not find each other: " + each->Log());
      }
      std::this_thread::sleep_for(kPoll);
    }
  }
  return group;
}

std::string SentinelGroup::Url(int database) const {
  std::string hosts;
  for (const auto& sentinel : sentinels_) {
    if (!hosts.empty()) hosts += ',';
    hosts += fmt::format("127.0.0.1:{}", sentinel->port());
  }
  const std::string login = options_.acl ? fmt::format("{}:{}@", kUser, kPassword) : std::string();
  return fmt::format("redis+sentinel://{}{}/{}/{}", login, hosts, kMasterName, database);
}

Result<RedisServer*> SentinelGroup::Master() const {
  for (const auto& sentinel : sentinels_) {
    if (!sentinel->Running()) continue;
    const Result<std::string> known = sentinel->Cli({"SENTINEL", "MASTER", kMasterName});
    if (!known.ok()) continue;
    const std::string port = FieldOf(*known, "port");
    for (const auto& server : servers_) {
      if (std::to_string(server->port()) == port) return server.get();
    }
  }
  return Error(ErrorCode::kUnavailable, "no sentinel names a master of this group");
}

Result<RedisServer*> SentinelGroup::AwaitOtherMaster(const RedisServer& before) const {
  const Deadline deadline = Deadline::After(kTimeout);
  while (!deadline.Expired()) {
    const Result<RedisServer*> master = Master();
    if (master.ok() && *master != &before) {
      const Result<std::string> role = (*master)->Cli({"ROLE"});
      if (role.ok() && role->starts_with("master")) return *master;
    }
    std::this_thread::sleep_for(kPoll);
  }
  return Error(ErrorCode::kDeadlineExceeded, "no other master within a minute");
}

}  // namespace holdfast::redis_servers
