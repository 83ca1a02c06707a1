// The objects of one provisioned Redis backend: its server, the ways to it, its configuration. Pure.
//
// Passwords are in no object made here. The server reads its users from a mounted file of the Secret with the
// credentials, which holds hashes only; the service reads the password from another. The user `probe`, who needs no
// password, may ask PING and nothing else: that is what probes do.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "operator/resources/build.h"

namespace holdfast::resources {

// In the order in which they are applied.
std::vector<DesiredObject> BuildRedis(const api::StorageCluster& cluster, const api::BackendSpec& backend,
                                      const BuildOptions& options);

// redis.conf and probe.sh, by file name.
kube::Json RedisFiles(const api::RedisBackend& redis);

// The file of users (Redis' ACL file) in which the application has this password, of which it holds the SHA-256: 256
// random bits need no slower hash.
std::string RedisUsers(std::string_view application_password);

// How the service reaches a backend of Redis, provisioned or external; keys of docs/configuration.md. `durable`: a
// store on it is declared so.
kube::Json RedisServiceSettings(const api::StorageCluster& cluster, const api::BackendSpec& backend, bool durable);

// "demo-cache-primary.prod.svc:6379"
std::string RedisEndpoint(const api::StorageCluster& cluster, std::string_view backend);

inline constexpr char kRedisPath[] = "/var/lib/redis";
inline constexpr char kRedisConfigPath[] = "/etc/redis";
inline constexpr char kRedisVolume[] = "redisdata";

}  // namespace holdfast::resources
