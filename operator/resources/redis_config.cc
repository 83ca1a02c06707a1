// The configuration files of a Redis backend, and how the service is told of it. Nothing in them is secret.
#include <fmt/format.h>
#include <openssl/evp.h>

#include <cstdlib>

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

std::string RedisConfiguration(const api::RedisBackend& redis) {
  const std::string tls(kTlsPath);
  const std::vector<std::pair<std::string, std::string>> settings = {
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
  std::string text;
  for (const auto& [name, value] : settings) text.append(name).append(" ").append(value).append("\n");
  return text;
}

std::string Sha256(std::string_view text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  // Fails only without memory or without SHA-256 in the library; neither leaves anything sensible to do.
  if (EVP_Digest(text.data(), text.size(), digest, &size, EVP_sha256(), nullptr) != 1) std::abort();
  std::string hash;
  for (unsigned int i = 0; i < size; ++i) hash += fmt::format("{:02x}", digest[i]);
  return hash;
}

std::string BackendPath(const api::BackendSpec& backend, std::string_view part) {
  return PathIn(PathIn(kBackendsPath, backend.name), part);
}

}  // namespace

Json RedisFiles(const api::RedisBackend& redis) {
  return {{"redis.conf", RedisConfiguration(redis)}, {"probe.sh", kProbeScript}};
}

std::string RedisUsers(std::string_view application_password) {
  // Nobody can log in as the default user, but Redis 7.0 reads its append-only file as it: without these rights every
  // transaction of the file, which each script that writes is, would be left out when the server starts.
  // What the service needs is in docs/formats/redis.md.
  return fmt::format(
      "user default off ~* &* +@all\n"
      "user probe on nopass resetkeys resetchannels -@all +ping\n"
      "user {} on #{} resetkeys ~{}* resetchannels &* -@all +@all -@dangerous +info +role +config|get\n",
      kApplicationUser, Sha256(application_password), kKeyPrefix);
}

std::string RedisEndpoint(const api::StorageCluster& cluster, std::string_view backend) {
  return fmt::format("{}:{}", ServiceHost(PrimaryServiceName(cluster.name, backend), cluster.ns), kRedisPort);
}

Json RedisServiceSettings(const api::StorageCluster& cluster, const api::BackendSpec& backend, bool durable) {
  Json settings = {{"type", "redis"}};
  if (durable) settings["durable"] = true;
  if (const api::ExternalRedisBackend* external = backend.external_redis()) {
    settings["url_file"] = BackendPath(backend, kUrlFile);
    if (external->password_key) settings["password_file"] = BackendPath(backend, kPasswordFile);
    if (external->authority_key) settings["tls_ca"] = BackendPath(backend, kAuthorityFile);
    return settings;
  }
  settings["url"] = fmt::format("rediss://{}/0", RedisEndpoint(cluster, backend.name));
  settings["username"] = kApplicationUser;
  settings["password_file"] = PathIn(BackendPath(backend, "credentials"), kApplicationPassword);
  settings["tls_ca"] = PathIn(BackendPath(backend, "tls"), kAuthorityFile);
  settings["key_prefix"] = kKeyPrefix;
  return settings;
}

}  // namespace holdfast::resources
