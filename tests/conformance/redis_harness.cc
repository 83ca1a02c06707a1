#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>

#include "base/redis/url.h"
#include "service/backends/redis/redis_backend.h"
#include "tests/conformance/backend_under_test.h"
#include "tests/redis/redis_cluster.h"
#include "tests/redis/redis_server.h"
#include "tests/redis/sentinel_group.h"

namespace holdfast::storage::conformance {
namespace {

using redis_servers::RedisServer;

template <typename Made>
auto MustBeOk(Result<Made> result) {
  if (!result.ok()) {
    ADD_FAILURE() << result.error().ToString();
    std::abort();
  }
  return std::move(result).value();
}

enum class Way { kTcp, kTls, kShared, kCompressed, kSentinel, kCluster, kClusterNamespace };

// One for all cases of the program.
RedisServer& SharedServer(bool tls) {
  const auto start = [](bool with_tls) {
    redis_servers::ServerOptions options;
    options.append_only = true;
    options.tls = with_tls;
    options.acl = with_tls;
    return MustBeOk(RedisServer::Start(options));
  };
  if (tls) {
    static const std::unique_ptr<RedisServer> server = start(true);
    return *server;
  }
  static const std::unique_ptr<RedisServer> server = start(false);
  return *server;
}

redis_servers::SentinelGroup& SharedGroup() {
  static const std::unique_ptr<redis_servers::SentinelGroup> group = [] {
    redis_servers::SentinelGroupOptions options;
    options.acl = true;
    options.parameters = {{"appendonly", "yes"}, {"min-replicas-to-write", "1"}};
    return MustBeOk(redis_servers::SentinelGroup::Start(options));
  }();
  return *group;
}

redis_servers::RedisCluster& SharedCluster() {
  static const std::unique_ptr<redis_servers::RedisCluster> cluster = [] {
    redis_servers::RedisClusterOptions options;
    options.acl = true;
    options.node_timeout_ms = 30'000;  // nothing fails here, and a busy machine is not taken for dead
    return MustBeOk(redis_servers::RedisCluster::Start(options));
  }();
  return *cluster;
}

class RedisHarness : public Harness {
 public:
  RedisHarness(const Limits& limits, Way way) {
    static std::atomic<int> made{0};
    if (way == Way::kSentinel) {
      options_.client.target = MustBeOk(redis::ParseUrl(SharedGroup().Url()));
    } else if (way == Way::kCluster || way == Way::kClusterNamespace) {
      options_.client.target = MustBeOk(redis::ParseUrl(SharedCluster().Url()));
      options_.cluster_partitions = 6;  // two for each master
      if (way == Way::kClusterNamespace) options_.cluster_spread = ClusterSpread::kNamespace;
    } else {
      RedisServer& server = SharedServer(way == Way::kTls);
      options_.client.target = MustBeOk(redis::ParseUrl(server.Url()));
      if (way == Way::kTls) options_.client.tls.ca = server.ca_file().string();
    }
    options_.key_prefix = "case" + std::to_string(++made) + ":";
    // Six servers that sync their files take long; that all masters are asked is tested elsewhere.
    options_.durable = way != Way::kCluster && way != Way::kClusterNamespace;
    options_.limits = limits;
    // A server that shares a busy machine and syncs its file with each write.
    options_.client.read_timeout = std::chrono::seconds{30};
    // All that can be packed is.
    if (way == Way::kCompressed) options_.compression = {compression::Codec::kZstd, 1, 1};
    // Another instance that changes nothing: every change goes through the stream. Its clock stands still long ago, so
    // that it finds nothing that has expired.
    if (way == Way::kShared) other_ = Open(long_ago_);
    backend_ = Open(clock_);
  }
  Backend& backend() override { return *backend_; }
  ManualClock& clock() override { return clock_; }
  bool Reopen() override {
    backend_.reset();
    backend_ = Open(clock_);
    return true;
  }

 private:
  std::unique_ptr<Backend> Open(const Clock& clock) {
    std::unique_ptr<Backend> opened = MustBeOk(OpenRedisBackend(options_, &clock));
    const Status healthy = opened->CheckHealth(Deadline::After(std::chrono::seconds{20}));
    if (!healthy.ok()) {
      ADD_FAILURE() << healthy.error().ToString();
      std::abort();
    }
    return opened;
  }

  ManualClock clock_;
  ManualClock long_ago_{Timestamp{std::chrono::seconds{1}}};
  RedisOptions options_;
  std::unique_ptr<Backend> other_;
  std::unique_ptr<Backend> backend_;
};

BackendUnderTest Over(const char* name, Way way) {
  return {name, [way](const Limits& limits) { return std::make_unique<RedisHarness>(limits, way); }};
}

}  // namespace

BackendUnderTest RedisUnderTest() {
  return Over("redis", Way::kTcp);
}
BackendUnderTest RedisTlsUnderTest() {
  return Over("redis_tls", Way::kTls);
}
BackendUnderTest RedisSharedUnderTest() {
  return Over("redis_shared", Way::kShared);
}
BackendUnderTest RedisCompressedUnderTest() {
  return Over("redis_compressed", Way::kCompressed);
}
BackendUnderTest RedisSentinelUnderTest() {
  return Over("redis_sentinel", Way::kSentinel);
}
BackendUnderTest RedisClusterUnderTest() {
  return Over("redis_cluster", Way::kCluster);
}
BackendUnderTest RedisClusterNamespaceUnderTest() {
  return Over("redis_cluster_namespace", Way::kClusterNamespace);
}

}  // namespace holdfast::storage::conformance
