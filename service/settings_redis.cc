#include "service/settings_redis.h"

#include <fmt/format.h>

#include <array>

#include "base/redis/url.h"
#include "service/setting_rows.h"
#include "service/settings_compression.h"
#include "service/settings_postgres.h"

namespace holdfast::service {
namespace {

constexpr std::array<std::string_view, 31> kRows = {"url",
                                                    "compression",
                                                    "compression_level",
                                                    "compression_threshold",
                                                    "url_file",
                                                    "password_file",
                                                    "username",
                                                    "sentinel_username",
                                                    "sentinel_password_file",
                                                    "replica_reads",
                                                    "max_replication_lag",
                                                    "replica_timeout",
                                                    "key_prefix",
                                                    "durable",
                                                    "change_stream_length",
                                                    "tls_ca",
                                                    "tls_certificate",
                                                    "tls_key",
                                                    "tls_server_name",
                                                    "pool_min",
                                                    "pool_max",
                                                    "acquire_timeout",
                                                    "connect_timeout",
                                                    "idle_timeout",
                                                    "max_lifetime",
                                                    "command_timeout",
                                                    "silence_timeout",
                                                    "poll_interval",
                                                    "instance_timeout",
                                                    "cluster_partitions",
                                                    "cluster_spread"};

}  // namespace

std::span<const std::string_view> RedisRows() {
  return kRows;
}

void AddRedis(std::vector<config::Setting>* rows) {
  rows->insert(
      rows->end(),
      {
          Text("backends.*.username", "", "redis: ACL user, in the place of the url's; needs a password."),
          Text("backends.*.sentinel_username", "",
               "redis: ACL user of the sentinels themselves; empty = the default user."),
          Text("backends.*.sentinel_password_file", "",
               "redis: file whose first line is the password of the sentinels themselves; empty = they ask for none."),
          Flag("backends.*.replica_reads", "false",
               "redis: reads with consistency=eventual go to replicas, which only redis+sentinel:// knows."),
          Text("backends.*.key_prefix",
               "holdfast:", "redis: what every key begins with; backends that share a database need different ones."),
          Integer(
              "backends.*.cluster_partitions", "16", 1, storage::kMaxClusterPartitions,
              "redis: with redis+cluster://, into how many parts the keys are cut, which the masters share; some for "
              "each master that there may ever be. Each costs an instance a connection and a thread. The data keep "
              "the number they were begun with, and another is refused."),
          Choice(
              "backends.*.cluster_spread", "key", {"key", "namespace"},
              "redis: with redis+cluster://, what of a key says in which part it lies. key: the key, or the {tag} in "
              "it; only keys and locks of one part change together. namespace: store and namespace; all that one "
              "namespace has changes together, and lies on one master. Kept in the data as well."),
          Flag("backends.*.durable", "false",
               "redis: refuse every write unless the server has appendonly yes and appendfsync always, so that an "
               "acknowledged write survives loss of power."),
          Integer("backends.*.change_stream_length", "10000", 100, 10'000'000,
                  "redis: changes kept for instances that have not read them yet; they hold the entries before and "
                  "after. An instance that is further behind is told that it has missed some."),
          Text("backends.*.tls_ca", "", "redis: PEM file, whom to trust with rediss://; empty = the system's."),
          Text("backends.*.tls_certificate", "", "redis: PEM file, our certificate, if the server asks for one."),
          Text("backends.*.tls_key", "", "redis: PEM file, its key."),
          Text("backends.*.tls_server_name", "",
               "redis: what the server's certificate has to name; empty = the host of the url."),
          Duration("backends.*.command_timeout", "30s", 100 * kMillisecond, kHour, "redis: longest call."),
          Duration("backends.*.silence_timeout", "5s", kSecond, kHour,
                   "redis: a connection is given up when the server neither takes nor sends a byte for so long."),
      });
}

storage::RedisOptions RedisOf(const config::Settings& settings, const std::string& name, const storage::Limits& limits,
                              std::vector<config::Problem>* problems) {
  const auto row = [&](std::string_view of) { return fmt::format("backends.{}.{}", name, of); };
  const auto time = [&](std::string_view of) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(settings.Duration(row(of)));
  };
  const auto add = [&](std::string_view of, std::string message) {
    problems->push_back({fmt::format("setting {}", row(of)), std::move(message)});
  };
  storage::RedisOptions options;
  options.limits = limits;
  std::string url = settings.String(row("url"));
  bool url_given = true;
  bool sentinels = true;  // unless the url says otherwise
  bool cluster = false;
  if (const std::string file = settings.String(row("url_file")); !file.empty()) {
    if (!url.empty()) {
      add("url_file", "stands beside url; leave one of them out");
    } else if (auto line = FirstLine(file); line.ok()) {
      url = std::move(line).value();
    } else {
      add("url_file", line.error().message());
      url_given = false;  // what is wrong has been said
    }
  }
  if (url_given) {
    auto target = redis::ParseUrl(url, "it");
    if (target.ok()) {
      options.client.target = std::move(target).value();
      sentinels = options.client.target.topology == redis::Target::Topology::kSentinel;
      cluster = options.client.target.topology == redis::Target::Topology::kCluster;
    } else {
      add("url", fmt::format("{}; give redis://HOST:PORT/DATABASE, redis+sentinel://HOST,HOST,HOST/MASTER or "
                             "redis+cluster://HOST:PORT,HOST:PORT",
                             target.error().message()));
    }
  }
  if (const std::string user = settings.String(row("username")); !user.empty()) options.client.target.user = user;
  options.client.password_file = settings.String(row("password_file"));
  options.client.tls.ca = settings.String(row("tls_ca"));
  options.client.tls.certificate = settings.String(row("tls_certificate"));
  options.client.tls.key = settings.String(row("tls_key"));
  options.client.tls.server_name = settings.String(row("tls_server_name"));
  options.client.min_connections = static_cast<int>(settings.Integer(row("pool_min")));
  options.client.max_connections = static_cast<int>(settings.Integer(row("pool_max")));
  options.client.acquire_timeout = time("acquire_timeout");
  options.client.connect_timeout = time("connect_timeout");
  options.client.idle_timeout = time("idle_timeout");
  options.client.max_lifetime = time("max_lifetime");
  options.client.read_timeout = time("silence_timeout");
  options.client.write_timeout = time("silence_timeout");
  options.key_prefix = settings.String(row("key_prefix"));
  options.durable = settings.Bool(row("durable"));
  options.change_stream_length = static_cast<std::uint64_t>(settings.Integer(row("change_stream_length")));
  options.compression = CompressionOf(settings, name, compression::Codec::kLz4, problems);
  options.client.sentinel_user = settings.String(row("sentinel_username"));
  options.client.sentinel_password_file = settings.String(row("sentinel_password_file"));
  options.replica_reads = settings.Bool(row("replica_reads"));
  options.max_replication_lag = time("max_replication_lag");
  options.replica_timeout = time("replica_timeout");
  options.command_timeout = time("command_timeout");
  options.poll_interval = time("poll_interval");
  options.instance_timeout = time("instance_timeout");
  options.cluster_partitions = static_cast<int>(settings.Integer(row("cluster_partitions")));
  options.cluster_spread = settings.String(row("cluster_spread")) == "namespace" ? storage::ClusterSpread::kNamespace
                                                                                 : storage::ClusterSpread::kKey;

  if (options.replica_reads && !sentinels) {
    add("replica_reads",
        "needs sentinels, which know the replicas; give redis+sentinel://HOST,HOST,HOST/MASTER as url");
  }
  // A replica is judged by what this instance writes at least so often.
  if (options.replica_reads && options.poll_interval * 4 > options.max_replication_lag) {
    add("max_replication_lag", "is below four times poll_interval; raise it or lower poll_interval");
  }
  if (options.key_prefix.empty()) add("key_prefix", "is empty; give the prefix of the backend's keys");
  if (cluster && options.key_prefix.find('{') != std::string::npos) {
    add("key_prefix", "holds a '{', which in a Redis Cluster begins the tag of a slot; leave it out");
  }
  if (options.client.min_connections > options.client.max_connections) {
    add("pool_min", "is above pool_max; lower it or raise pool_max");
  }
  if (options.client.tls.certificate.empty() != options.client.tls.key.empty()) {
    add(options.client.tls.key.empty() ? "tls_key" : "tls_certificate",
        "is missing; a certificate and its key belong together");
  }
  // The server says nothing while it waits for a change.
  if (options.poll_interval * 2 > options.client.read_timeout) {
    add("poll_interval", "is above half of silence_timeout; lower it or raise silence_timeout");
  }
  if (limits.max_value_bytes > storage::kMaxRedisValueBytes) {
    problems->push_back(
        {"setting limits.value", fmt::format("is {}, Redis (backend {}) takes {}; lower it", limits.max_value_bytes,
                                             name, storage::kMaxRedisValueBytes)});
  }
  return options;
}

}  // namespace holdfast::service
