// The configuration files and the users of a Redis backend, and how the service is told of it. Nothing in them is
// secret.
#include <fmt/format.h>

#include <cstdlib>

#include "operator/api/v1/redis_fields.h"
#include "operator/resources/names.h"
#include "operator/resources/pod_parts.h"
#include "operator/resources/postgres.h"
#include "operator/resources/redis.h"

namespace holdfast::resources {
namespace {

using kube::Json;

// What every key of the service begins with; its user may touch no other.
constexpr char kKeyPrefix[] = "holdfast:";

// Redis' own words for the times at which it takes snapshots, and for never.
constexpr char kSnapshots[] = "3600 1 300 100 60 10000";
constexpr char kNoSnapshots[] = "\"\"";

// A server that reads its data answers, but not with PONG; so does one that runs a long script.
constexpr char kProbeScript[] = R"(#!/bin/sh
# probe.sh ready|alive
export REDISCLI_AUTH=any
said=$(redis-cli -h "$POD_IP" -p "$REDIS_PORT" --tls --cacert "$TLS_DIR/ca.crt" --user probe ping 2>&1)
case $said in
  PONG) exit 0 ;;
  LOADING* | BUSY* | MASTERDOWN*) [ "$1" = alive ] && exit 0 ;;
esac
echo "$said" >&2
exit 1
)";

// Of a server by itself. Nothing else looks after it, so that it becomes the first process.
constexpr char kStartScript[] = R"(#!/bin/sh
# start.sh
sh "$CONFIG_DIR/follow.sh" server $$ keeper users.acl -h "$POD_IP" -p "$REDIS_PORT" --tls --cacert "$TLS_DIR/ca.crt" &
exec redis-server "$CONFIG_DIR/redis.conf" --bind "$POD_IP"
)";

std::string Fsync(api::RedisFsync fsync) {
  switch (fsync) {
    case api::RedisFsync::kAlways:
      return "always";
    case api::RedisFsync::kEverySecond:
      return "everysec";
    case api::RedisFsync::kNever:
      return "no";
  }
  std::abort();
}

using Settings = std::vector<std::pair<std::string, std::string>>;

std::string Lines(const Settings& settings) {
  std::string text;
  for (const auto& [name, value] : settings) text.append(name).append(" ").append(value).append("\n");
  return text;
}

std::string OnePerLine(const std::vector<std::string>& hosts) {
  std::string text;
  for (const std::string& host : hosts) text.append(host).append("\n");
  return text;
}

std::string RedisConfiguration(const api::RedisBackend& redis) {
  const std::string tls(kTlsPath);
  Settings settings = {
      {"port", "0"},
      {"tls-port", std::to_string(kRedisPort)},
      {"tls-cert-file", PathIn(tls, kCertificateFile)},
      {"tls-key-file", PathIn(tls, kKeyFile)},
      {"tls-ca-cert-file", PathIn(tls, kAuthorityFile)},
      {"tls-auth-clients", "no"},
      {"tls-protocols", "\"TLSv1.2 TLSv1.3\""},
      // It would refuse everybody for the sake of the default user, who may do nothing.
      {"protected-mode", "no"},
      {"aclfile", PathIn(kCredentialsPath, kRedisUsersFile)},
      {"daemonize", "no"},
      {"logfile", "\"\""},
      {"dir", kRedisPath},
      {"maxmemory", std::to_string(Bytes(redis.max_memory))},
      {"maxmemory-policy", redis.eviction_policy},
      {"appendonly", redis.append_only ? "yes" : "no"},
      {"appendfsync", Fsync(redis.fsync)},
      {"save", redis.snapshots ? kSnapshots : kNoSnapshots},
  };
  if (const auto& shards = redis.shards) {
    settings.insert(settings.end(), {{"tls-replication", "yes"},
                                     {"tls-cluster", "yes"},
                                     {"cluster-enabled", "yes"},
                                     {"cluster-config-file", "nodes.conf"},
                                     {"cluster-port", std::to_string(kRedisBusPort)},
                                     {"cluster-node-timeout", std::to_string(shards->node_timeout_milliseconds)},
                                     // A lost shard leaves the others served.
                                     {"cluster-require-full-coverage", "no"},
                                     // Replicas stay where the operator knows them to be.
                                     {"cluster-allow-replica-migration", "no"},
                                     // Clients hold the certificate against a name.
                                     {"cluster-preferred-endpoint-type", "hostname"},
                                     {"min-replicas-to-write", std::to_string(shards->min_replicas_to_write)},
                                     {"min-replicas-max-lag", std::to_string(shards->max_lag_seconds)}});
  }
  if (!redis.sentinel) return Lines(settings);
  settings.insert(settings.end(),
                  {{"tls-replication", "yes"},
                   // A replica that has to copy everything begins at once: until one is in step nothing is written.
                   {"repl-diskless-sync-delay", "0"},
                   {"min-replicas-to-write", std::to_string(redis.sentinel->min_replicas_to_write)},
                   {"min-replicas-max-lag", std::to_string(redis.sentinel->max_lag_seconds)}});
  return Lines(settings);
}

std::string SentinelConfiguration(const api::RedisSentinel& sentinel) {
  const std::string tls(kTlsPath);
  const auto of_master = [](const char* what, const std::string& value) {
    return fmt::format("{} {} {}", what, kRedisMasterName, value);
  };
  const Settings settings = {
      {"port", "0"},
      {"tls-port", std::to_string(kSentinelPort)},
      {"tls-cert-file", PathIn(tls, kCertificateFile)},
      {"tls-key-file", PathIn(tls, kKeyFile)},
      {"tls-ca-cert-file", PathIn(tls, kAuthorityFile)},
      {"tls-auth-clients", "no"},
      {"tls-replication", "yes"},
      {"tls-protocols", "\"TLSv1.2 TLSv1.3\""},
      {"protected-mode", "no"},
      {"aclfile", PathIn(kCredentialsPath, kSentinelUsersFile)},
      {"daemonize", "no"},
      {"logfile", "\"\""},
      {"dir", kRedisPath},
      {"sentinel", "resolve-hostnames yes"},
      {"sentinel", "announce-hostnames yes"},
      {"sentinel", "deny-scripts-reconfig yes"},
      {"sentinel", of_master("down-after-milliseconds", std::to_string(sentinel.down_after_milliseconds))},
      {"sentinel", of_master("failover-timeout", std::to_string(sentinel.failover_timeout_milliseconds))},
      {"sentinel", of_master("parallel-syncs", "1")}};
  return Lines(settings);
}

// "#hash", or "#hash #hash".
std::string Hashes(const RedisPassword& password) {
  std::string hashes = "#" + Sha256Of(password.in_use);
  if (!password.other.empty()) hashes.append(" #").append(Sha256Of(password.other));
  return hashes;
}

// `rights`: of the keeper, beside those with which follow.sh tells its server of users.
std::string KeeperUser(const RedisPassword& password, std::string_view rights) {
  return fmt::format("user {} on {} resetkeys {} +ping +acl|setuser +acl|deluser +acl|users\n", kKeeperUser,
                     Hashes(password), rights);
}

// Those that are at every server, and no mark yet.
std::string CommonUsers(const RedisPasswords& passwords) {
  // Nobody can log in as the default user, but Redis 7.0 reads its append-only file as it: without these rights every
  // transaction of the file, which each script that writes is, would be left out when the server starts.
  // What the service needs is in docs/formats/redis.md.
  return fmt::format(
      "user default off ~* &* +@all\n"
      "user probe on nopass resetkeys resetchannels -@all +ping\n"
      "user {} on {} resetkeys ~{}* resetchannels &* -@all +@all -@dangerous +info +role +config|get\n",
      kApplicationUser, Hashes(passwords.application), kKeyPrefix);
}

std::string ReplicationUser(const RedisPassword& password) {
  return fmt::format("user {} on {} resetkeys resetchannels -@all +psync +replconf +ping\n", kReplicationUser,
                     Hashes(password));
}

std::string BackendPath(const api::BackendSpec& backend, std::string_view part) {
  return PathIn(PathIn(kBackendsPath, backend.name), part);
}

}  // namespace

Json RedisFiles(const api::RedisBackend& redis) {
  Json files = FollowScripts();
  files["redis.conf"] = RedisConfiguration(redis);
  files["probe.sh"] = kProbeScript;
  files["start.sh"] = kStartScript;
  return files;
}

Json SentinelFiles(const api::StorageCluster& cluster, const api::BackendSpec& backend, std::int64_t servers) {
  const api::RedisBackend& redis = *backend.redis();
  Json files = RedisFiles(redis);
  files.update(SentinelScripts());
  files["sentinel.conf"] = SentinelConfiguration(*redis.sentinel);
  files["servers"] = OnePerLine(RedisHosts(cluster, backend.name, servers));
  files["sentinels"] = OnePerLine(SentinelHosts(cluster, backend.name, redis.sentinel->sentinels));
  return files;
}

std::string RedisUsers(const RedisPasswords& passwords) {
  return WithFollowedMark(CommonUsers(passwords) + KeeperUser(passwords.keeper, "resetchannels -@all"));
}

std::string RedisUsersWithSentinels(const RedisPasswords& passwords) {
  // What sentinels need is in redis.io/docs/management/sentinel, "Redis Access Control List authentication".
  const std::string sentinel = fmt::format(
      "user {} on {} resetkeys resetchannels &* -@all +multi +slaveof +ping +exec +subscribe +config|rewrite "
      "+role +publish +info +client|setname +client|kill +script|kill\n",
      kSentinelUser, Hashes(passwords.sentinel));
  return WithFollowedMark(CommonUsers(passwords) + ReplicationUser(passwords.replication) + sentinel +
                          KeeperUser(passwords.keeper, "resetchannels -@all +info +config|set +replicaof"));
}

std::string RedisUsersOfShards(const RedisPasswords& passwords) {
  // The keeper is the operator too. What it may do with keys is to move them to another shard.
  return WithFollowedMark(CommonUsers(passwords) + ReplicationUser(passwords.replication) +
                          KeeperUser(passwords.keeper,
                                     "~* resetchannels -@all +info +cluster +config|set +migrate +select "
                                     "+restore-asking +restore"));
}

std::string SentinelUsers(const RedisPasswords& passwords) {
  return WithFollowedMark(fmt::format(
      "user default off -@all\n"
      "user probe on nopass resetchannels -@all +ping\n"
      "user {} on {} resetchannels &* -@all +ping +subscribe +sentinel|master +sentinel|masters +sentinel|replicas "
      "+sentinel|sentinels +sentinel|get-master-addr-by-name\n"
      "user {} on {} resetchannels &* +@all\n"
      "user {} on {} resetchannels -@all +ping +sentinel|master +sentinel|replicas "
      "+sentinel|failover +sentinel|reset +acl|users\n",
      kApplicationUser, Hashes(passwords.application), kSentinelUser, Hashes(passwords.sentinel), kKeeperUser,
      Hashes(passwords.keeper)));
}

std::vector<std::string> RedisHosts(const api::StorageCluster& cluster, std::string_view backend,
                                    std::int64_t instances) {
  std::vector<std::string> hosts;
  for (std::int64_t i = 0; i < instances; ++i) {
    hosts.push_back(ServiceHost(PodName(BackendName(cluster.name, backend), i), cluster.ns));
  }
  return hosts;
}

std::vector<std::string> SentinelHosts(const api::StorageCluster& cluster, std::string_view backend,
                                       std::int64_t sentinels) {
  std::vector<std::string> hosts;
  for (std::int64_t i = 0; i < sentinels; ++i) {
    hosts.push_back(ServiceHost(PodName(SentinelName(cluster.name, backend), i), cluster.ns));
  }
  return hosts;
}

std::string RedisEndpoint(const api::StorageCluster& cluster, const api::BackendSpec& backend) {
  const bool sentinels = backend.redis()->sentinel.has_value();
  const std::string service = sentinels                 ? SentinelName(cluster.name, backend.name)
                              : backend.redis()->shards ? BackendName(cluster.name, backend.name)
                                                        : PrimaryServiceName(cluster.name, backend.name);
  return fmt::format("{}:{}", ServiceHost(service, cluster.ns), sentinels ? kSentinelPort : kRedisPort);
}

Json RedisServiceSettings(const api::StorageCluster& cluster, const api::BackendSpec& backend, bool durable) {
  Json settings = {{"type", "redis"}};
  if (durable) settings["durable"] = true;
  if (backend.compression) settings["compression"] = *backend.compression;
  if (const api::ExternalRedisBackend* external = backend.external_redis()) {
    settings["url_file"] = BackendPath(backend, kUrlFile);
    if (external->password_key) settings["password_file"] = BackendPath(backend, kPasswordFile);
    if (external->authority_key) settings["tls_ca"] = BackendPath(backend, kAuthorityFile);
    return settings;
  }
  settings["username"] = kApplicationUser;
  settings["password_file"] = PathIn(BackendPath(backend, "credentials"), kApplicationPassword);
  if (const auto& sentinel = backend.redis()->sentinel) {
    std::string hosts;
    for (const std::string& host : SentinelHosts(cluster, backend.name, sentinel->sentinels)) {
      hosts.append(hosts.empty() ? "" : ",").append(fmt::format("{}:{}", host, kSentinelPort));
    }
    settings["url"] = fmt::format("rediss+sentinel://{}/{}/0", hosts, kRedisMasterName);
    settings["sentinel_username"] = kApplicationUser;
    settings["sentinel_password_file"] = settings.at("password_file");
  } else if (const auto& shards = backend.redis()->shards) {
    // Any server that is ready; and those that there are always, should the Service's answers be late.
    std::string hosts = RedisEndpoint(cluster, backend);
    for (std::int64_t i = 0; i < api::kMinimumShards; ++i) {
      hosts.append(fmt::format(",{}:{}", ShardServerHost(cluster, backend.name, i), kRedisPort));
    }
    settings["url"] = fmt::format("rediss+cluster://{}/", hosts);
    settings["cluster_partitions"] = shards->partitions;
    settings["cluster_spread"] = shards->by_namespace ? "namespace" : "key";
  } else {
    settings["url"] = fmt::format("rediss://{}/0", RedisEndpoint(cluster, backend));
  }
  settings["tls_ca"] = PathIn(BackendPath(backend, "tls"), kAuthorityFile);
  settings["key_prefix"] = kKeyPrefix;
  return settings;
}

}  // namespace holdfast::resources
