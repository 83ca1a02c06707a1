// Backends on one fresh database, as instances of the service would have them.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "service/backends/postgres/postgres_backend.h"
#include "tests/postgres/entry_schema.h"

namespace holdfast::storage {

class PostgresTest : public testing::Test {
 protected:
  explicit PostgresTest(postgres_servers::Server& server = postgres_servers::SharedServer()) : database_(server) {
    const Status made = postgres_servers::MakeEntrySchema(database_);
    EXPECT_TRUE(made.ok()) << made.error().ToString();
    options_.url = database_.Url();
    options_.poll_interval = std::chrono::milliseconds{50};
  }

  // Healthy, with this listener; null when that could not be had.
  std::unique_ptr<Backend> Open(std::shared_ptr<ChangeListener> listener = nullptr) {
    auto backend = OpenPostgresBackend(options_);
    if (!backend.ok()) return nullptr;
    (*backend)->SetChangeListener(std::move(listener));
    const Status healthy = (*backend)->CheckHealth(Deadline::After(std::chrono::seconds{20}));
    EXPECT_TRUE(healthy.ok()) << healthy.error().ToString();
    return std::move(*backend);
  }

  static OperationResult Run(Backend& backend, const Operation& operation,
                             std::chrono::milliseconds within = std::chrono::seconds{20}) {
    return ExecuteOne(backend, operation, Deadline::After(within));
  }
  static std::string CodeOf(const Status& status) {
    return status.ok() ? "ok" : std::string(ErrorCodeName(status.error().code()));
  }
  postgres_servers::FreshDatabase database_;
  PostgresOptions options_;
};

// Holds each change against the one before it, and keeps the versions of every key in the order they were heard of.
class HeardChanges : public ChangeListener {
 public:
  void OnChange(std::string_view key, const EntryPtr& before, const EntryPtr& after, ChangeCause) noexcept override {
    const std::lock_guard lock(mutex_);
    ++count_;
    Version& last = last_[std::string(key)];
    if (last != 0 && (before ? before->version : 0) != (last == kGone ? 0 : last)) ++breaks_;
    last = after ? after->version : kGone;
    heard_[std::string(key)].push_back(after ? after->version : 0);
  }
  void OnMissed() noexcept override {
    const std::lock_guard lock(mutex_);
    ++missed_;
    last_.clear();
  }
  std::size_t count() const {
    const std::lock_guard lock(mutex_);
    return count_;
  }
  // Changes that did not begin where the one before them of the same key ended.
  std::size_t breaks() const {
    const std::lock_guard lock(mutex_);
    return breaks_;
  }
  std::size_t missed() const {
    const std::lock_guard lock(mutex_);
    return missed_;
  }
  std::map<std::string, std::vector<Version>> heard() const {
    const std::lock_guard lock(mutex_);
    return heard_;
  }

 private:
  static constexpr Version kGone = ~Version{0};
  mutable std::mutex mutex_;
  std::size_t count_ = 0;
  std::size_t breaks_ = 0;
  std::size_t missed_ = 0;
  std::map<std::string, Version> last_;
  std::map<std::string, std::vector<Version>> heard_;
};

}  // namespace holdfast::storage
