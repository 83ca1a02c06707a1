#include "tests/unit/service/coordination/five_masters.h"

#include "base/redis/url.h"
#include "service/backends/redis/redis_backend.h"
#include "service/storage/key_space.h"

namespace holdfast::coordination {

FiveMasters::FiveMasters(const Clock& clock) : clock_(clock) {
  redis_servers::ServerOptions options;
  options.append_only = true;
  while (servers_.size() < kCount) servers_.push_back(redis_servers::RedisServer::Start(options).value());
}

std::shared_ptr<Locks> FiveMasters::Make(QuorumOptions options, std::size_t count) {
  if (options.master_timeout == QuorumOptions().master_timeout) options.master_timeout = std::chrono::seconds{1};
  NamedMasters masters;
  for (std::size_t i = 0; i < count; ++i) {
    storage::RedisOptions redis;
    redis.client.target = redis::ParseUrl(servers_[i]->Url()).value();
    redis.client.max_connections = 4;
    redis.client.connect_timeout = std::chrono::seconds{1};
    redis.durable = true;
    redis.limits = storage::BackendLimits(storage::Limits{});
    std::shared_ptr<storage::Backend> backend = storage::OpenRedisBackend(redis, &clock_).value();
    masters.emplace_back("r" + std::to_string(i), std::move(backend));
  }
  return MakeQuorumLocks("main", masters, options, clock_);
}

}  // namespace holdfast::coordination
