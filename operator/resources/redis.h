// The objects of one provisioned Redis backend: its server or servers, the ways to them, their configuration. Pure.
//
// Passwords are in no object made here. The server reads its users from a mounted file of the Secret with the
// credentials, which holds hashes only; the service reads the password from another. The user `probe`, who needs no
// password, may ask PING and nothing else: that is what probes do.
//
// With sentinels (redis_sentinel.cc) every server and sentinel has a Service of its own, whose name and address stay
// when its pod goes: a sentinel looks names up while it does nothing else, and does not watch meanwhile. What a
// sentinel knows it keeps on a volume of its own, so that servers that were all down find out who was the master last.
//
// Who may be the master (redis_server_scripts.cc):
// - A server starts as the master only if most sentinels say that it is, and its volume holds data that was a master's
//   or in step with one; with an empty volume only at the beginning of a cluster, while the Secret says
//   `initialized: no` and the sentinels name the first server. No client is told of the backend before it says `yes`.
// - Whoever may not be elected does not listen, so that nothing that a sentinel remembers of it can make it the master.
//   A replica listens once it has been in step since it started, or at once when its volume says that it was in step
//   no longer before the master went down than a sentinel allows a replica that was running all the time
//   (sentinelSelectSlave in sentinel.c of Redis 7.0: 10 * down-after-milliseconds). Those in step come first, of the
//   others the newest. A server that listens does so until it ends.
// - A volume holds data only when the server would read back what it has: after a full copy not before the append-only
//   file was written anew.
// - A sentinel elects only whom it knows, and learns of replicas from the master alone: it is told of every server when
//   it starts, and a replica follows whom most sentinels name, although none of them told it to.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "operator/resources/build.h"

namespace holdfast::resources {

// In the order in which they are applied.
std::vector<DesiredObject> BuildRedis(const api::StorageCluster& cluster, const api::BackendSpec& backend,
                                      const BuildOptions& options);

// Shards (redis_shards.cc) are a Redis Cluster: Redis itself replaces the master of one, and knows by nodes.conf, on
// each server's volume, who has which slots. The operator (operator/shards) puts it together and brings back whom the
// others lost sight of. A server whose volume is empty is a new one, which has no slots and gets none while somebody
// else has their data. All are one StatefulSet; a server is called by its name in the headless Service, its address in
// the cluster is the pod's, and the bus is spoken over TLS with certificates of the cluster's own authority on both
// sides, so that a stranger at an address of before does not get in.

// redis.conf and the scripts of a server by itself, by file name.
kube::Json RedisFiles(const api::RedisBackend& redis);

// Of a user, who is let in by both.
struct RedisPassword {
  RedisPassword(std::string used = {}, std::string beside = {})  // NOLINT(google-explicit-constructor)
      : in_use(std::move(used)), other(std::move(beside)) {}
  std::string in_use;
  std::string other;  // "" but while passwords are changed
};
struct RedisPasswords {
  RedisPassword application;
  RedisPassword replication;  // of the replicas at their master; with sentinels or shards
  RedisPassword sentinel;     // of the sentinels at the servers and at each other
  RedisPassword keeper;       // of the processes beside a server or sentinel, there; of the operator
};
// The file of users (Redis' ACL file) of a server by itself. Of passwords it holds the SHA-256: 256 random bits need no
// slower hash.
std::string RedisUsers(const RedisPasswords& passwords);
std::string RedisUsersWithSentinels(const RedisPasswords& passwords);
std::string SentinelUsers(const RedisPasswords& passwords);

// Of a Redis Cluster: the same without sentinels.
std::string RedisUsersOfShards(const RedisPasswords& passwords);
kube::Json ShardFiles(const api::RedisBackend& redis);
// "demo-cache-pods.prod.svc": what the servers' names end in; and "demo-cache-0.demo-cache-pods.prod.svc".
std::string ShardsDomain(const api::StorageCluster& cluster, std::string_view backend);
std::string ShardServerHost(const api::StorageCluster& cluster, std::string_view backend, std::int64_t ordinal);
// Of the pod of a server by itself.
void MakeShardPod(const api::StorageCluster& cluster, const api::BackendSpec& backend, kube::Json* pod);
// Whom a NetworkPolicy lets in besides the cluster's pods: the servers to each other's bus, and the operator.
kube::Json ShardIngress(const api::StorageCluster& cluster, const api::BackendSpec& backend);

// redis.conf, sentinel.conf, the scripts, and who the sentinels and these many servers are.
kube::Json SentinelFiles(const api::StorageCluster& cluster, const api::BackendSpec& backend, std::int64_t servers);
// follow.sh, which every server and sentinel of a Redis backend has beside it, and followed.sh (redis_follow.cc).
kube::Json FollowScripts();
// A file of users with the mark by which a server or sentinel that goes by it is known; and that mark of such a file.
std::string WithFollowedMark(const std::string& users);
std::string FollowedMark(const std::string& users);
// Of the backend in BuildOptions::redis_changes: ends when all servers and sentinels show their marks.
DesiredObject BuildRedisLoginJob(const api::StorageCluster& cluster, const api::BackendSpec& backend,
                                 const BuildOptions& options);

// All scripts, by file name; and of these those of the servers alone.
kube::Json SentinelScripts();
kube::Json SentinelServerScripts();

// "demo-cache-0.prod.svc", "demo-cache-sentinel-0.prod.svc": in order.
std::vector<std::string> RedisHosts(const api::StorageCluster& cluster, std::string_view backend,
                                    std::int64_t instances);
std::vector<std::string> SentinelHosts(const api::StorageCluster& cluster, std::string_view backend,
                                       std::int64_t sentinels);

// What the certificate of servers with sentinels, or of shards, has to name.
std::vector<std::string> RedisServerNames(const api::StorageCluster& cluster, const api::BackendSpec& backend);

// How the service reaches a backend of Redis, provisioned or external; keys of docs/configuration.md. `durable`: a
// store on it is declared so.
kube::Json RedisServiceSettings(const api::StorageCluster& cluster, const api::BackendSpec& backend, bool durable);

// "demo-cache-primary.prod.svc:6379"; with sentinels any of these, "demo-cache-sentinel.prod.svc:26379"; of shards any
// server, "demo-cache.prod.svc:6379".
std::string RedisEndpoint(const api::StorageCluster& cluster, const api::BackendSpec& backend);

// The parts that servers with and without sentinels have in common.
kube::Json RedisClaimTemplate(const api::StorageCluster& cluster, const api::BackendSpec& backend);
kube::Json RedisResources(const api::RedisBackend& redis);
std::string RedisImage(const api::RedisBackend& redis, const BuildOptions& options);
kube::Json RedisProbe(const char* script, const char* question, int period, int failures);
std::vector<DesiredObject> BuildRedisWithSentinels(const api::StorageCluster& cluster, const api::BackendSpec& backend,
                                                   const BuildOptions& options);

inline constexpr char kRedisPath[] = "/var/lib/redis";
inline constexpr char kRedisConfigPath[] = "/etc/redis";
inline constexpr char kRedisVolume[] = "redisdata";
inline constexpr char kRedisRunPath[] = "/run/redis";
inline constexpr char kSentinelVolume[] = "sentineldata";
inline constexpr char kSentinelStorage[] = "64Mi";  // of a sentinel's volume, which holds one small file
inline constexpr char kProbeFile[] = "probe.sh";
// What the sentinels call the master.
inline constexpr char kRedisMasterName[] = "main";
// A master that ends hands over first, and then writes out what is left.
inline constexpr int kRedisTerminationGraceSeconds = 120;

}  // namespace holdfast::resources
