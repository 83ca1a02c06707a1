// Backends over a redis-server of the case's own, and somebody who hears of their changes.
#pragma once

#include <gmock/gmock.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "base/redis/url.h"
#include "service/backends/redis/redis_backend.h"
#include "tests/redis/redis_server.h"

namespace holdfast::storage::redis_backend {

// Holds each change of a key against the one before it.
class ChainListener : public ChangeListener {
 public:
  void OnChange(std::string_view key, const EntryPtr& before, const EntryPtr& after,
                ChangeCause /*cause*/) noexcept override {
    const std::lock_guard lock(mutex_);
    ++heard_;
    const auto last = last_.find(key);
    if (last != last_.end() && last->second != (before ? before->version : 0)) ++broken_;
    last_[std::string(key)] = after ? after->version : 0;
  }
  void OnMissed() noexcept override {
    const std::lock_guard lock(mutex_);
    ++missed_;
    last_.clear();
  }
  int heard() { return Read(heard_); }
  int broken() { return Read(broken_); }
  int missed() { return Read(missed_); }
  Version Last(const std::string& key) {
    const std::lock_guard lock(mutex_);
    return last_[key];
  }

 private:
  int Read(const int& number) {
    const std::lock_guard lock(mutex_);
    return number;
  }
  std::mutex mutex_;
  std::map<std::string, Version, std::less<>> last_;
  int heard_ = 0;
  int broken_ = 0;
  int missed_ = 0;
};

inline std::string Code(const OperationResult& result) {
  return result.status.ok() ? "ok" : std::string(ErrorCodeName(result.status.error().code()));
}

class RedisBench : public testing::Test {
 protected:
  explicit RedisBench(const redis_servers::ServerOptions& options = {})
      : server_(redis_servers::RedisServer::Start(options).value()) {
    options_.client.target = redis::ParseUrl(server_->Url()).value();
    options_.poll_interval = std::chrono::milliseconds{20};
  }
  std::unique_ptr<Backend> Open(std::shared_ptr<ChangeListener> listener = nullptr) {
    std::unique_ptr<Backend> backend = OpenRedisBackend(options_).value();
    if (listener) backend->SetChangeListener(std::move(listener));
    const Status healthy = backend->CheckHealth(Deadline::After(std::chrono::seconds{20}));
    EXPECT_TRUE(healthy.ok()) << healthy.error().ToString();
    return backend;
  }
  static OperationResult Run(Backend& backend, const Operation& operation) {
    return ExecuteOne(backend, operation, Deadline::After(std::chrono::seconds{20}));
  }
  redis_servers::RedisServer& server() { return *server_; }

  RedisOptions options_;

 private:
  const std::unique_ptr<redis_servers::RedisServer> server_;
};

}  // namespace holdfast::storage::redis_backend
