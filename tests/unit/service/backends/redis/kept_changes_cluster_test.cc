// What the parts of a Redis Cluster keep for a change log, read as one: each key's changes in their order, all of them
// in that of their times, and whatever one of the parts may have lost is told.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <set>

#include "base/redis/slot.h"
#include "service/backends/redis/partitions.h"
#include "service/backends/redis/redis_backend.h"
#include "tests/redis/redis_cluster.h"
#include "tests/unit/service/backends/history_follower.h"
#include "tests/waiting/eventually.h"

namespace holdfast::storage::redis_backend {
namespace {

using redis_servers::RedisServer;

class RedisClusterKeptChanges : public testing::Test {
 protected:
  RedisClusterKeptChanges() : cluster_(redis_servers::RedisCluster::Start(Shards()).value()) {
    options_.client.target = redis::ParseUrl(cluster_->Url()).value();
    options_.client.read_timeout = std::chrono::seconds{20};
    options_.poll_interval = std::chrono::milliseconds{20};
  }
  static redis_servers::RedisClusterOptions Shards() {
    redis_servers::RedisClusterOptions options;
    options.node_timeout_ms = 3'000;
    return options;
  }
  std::unique_ptr<Backend> Open() const {
    std::unique_ptr<Backend> backend = OpenRedisBackend(options_).value();
    EXPECT_TRUE(backend->CheckHealth(Soon()).ok());
    return backend;
  }
  static bool Put(Backend& backend, const std::string& key, const std::string& value) {
    return ExecuteOne(backend, Operation::Put(ArchivedKey(key), value), Soon()).status.ok();
  }
  redis_servers::RedisCluster& cluster() { return *cluster_; }

  RedisOptions options_;

 private:
  const std::unique_ptr<redis_servers::RedisCluster> cluster_;
};

TEST_F(RedisClusterKeptChanges, redis_cluster_EveryChangeComesOnceWhicheverPartItIsIn) {
  const auto one = Open();
  const auto other = Open();
  Follower follower(*RedisHistoryOf(*one));
  constexpr int kWrites = 200;
  std::atomic<int> writing{3};
  std::vector<std::thread> writers;
  for (int w = 0; w < 3; ++w) {
    writers.emplace_back([&, w] {
      for (int i = 0; i < kWrites; ++i) {
        Backend& backend = i % 2 == 0 ? *one : *other;
        Transaction pair;
        const std::string value = std::to_string(i);
        pair.then = {Operation::Put(ArchivedKey(fmt::format("{{t{}}}a", w)), value),
                     Operation::Put(ArchivedKey(fmt::format("{{t{}}}b", w)), value)};
        EXPECT_TRUE(backend.Transact(pair, Soon()).ok());
        EXPECT_TRUE(Put(backend, fmt::format("k{}-{}", w, i % 20), value));
      }
      --writing;
    });
  }
  while (writing > 0) {
    follower.Step(2'000);
    follower.Release();
  }
  for (std::thread& writer : writers) writer.join();
  const Timestamp end = SystemClock().Now();
  do follower.ToTheEnd(2'000);
  while (follower.until() < end);

  EXPECT_EQ(follower.gap(), "");
  EXPECT_EQ(follower.all().size(), 3U * kWrites * 3U);
  std::map<std::string, Version> versions;
  for (const KeyChange& change : follower.all()) {
    EXPECT_GT(change.entry->version, versions[change.key]) << "changes of a key are in their order";
    versions[change.key] = change.entry->version;
  }
  for (const auto& page : follower.pages()) {
    std::map<std::string, std::vector<std::string>> values;
    for (const KeyChange& change : page) values[change.key].push_back(change.entry->value);
    for (int w = 0; w < 3; ++w) {
      EXPECT_EQ(values[ArchivedKey(fmt::format("{{t{}}}a", w))], values[ArchivedKey(fmt::format("{{t{}}}b", w))])
          << "a transaction was cut";
    }
  }
  EXPECT_GT(follower.pages().size(), 10U);
  // Each part lets go of its own.
  follower.Release();
  const Partitions partitions(options_);
  std::size_t parts = 0;
  for (std::size_t i = 0; i < partitions.size(); ++i) {
    RedisServer* const master = cluster().MasterOf(redis::SlotOf(partitions.prefix(i))).value();
    const auto waiting = master->Cli({"XLEN", partitions.prefix(i) + "archived:main"});
    ASSERT_TRUE(waiting.ok());
    EXPECT_TRUE(waiting->starts_with("0")) << *waiting;
    parts += master->Cli({"HGET", partitions.prefix(i) + "archive:main", "written"})->starts_with("0") ? 0 : 1;
  }
  EXPECT_GT(parts, partitions.size() / 2) << "the control: many parts have kept some";
}

TEST_F(RedisClusterKeptChanges, redis_cluster_AnotherMasterOfOneShardIsAGapOfTheWhole) {
  const auto backend = Open();
  Follower follower(*RedisHistoryOf(*backend));
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(Put(*backend, std::to_string(i), "1"));
  const Timestamp end = SystemClock().Now();
  do follower.ToTheEnd(100'000);
  while (follower.until() < end);
  ASSERT_EQ(follower.gap(), "");
  ASSERT_EQ(follower.all().size(), 50U) << "the control";
  const std::uint16_t slot = redis::SlotOf(Partitions(options_).prefix(3));
  RedisServer* const before = cluster().MasterOf(slot).value();
  before->Kill();
  ASSERT_TRUE(cluster().AwaitOtherMaster(slot, *before).ok());
  ASSERT_TRUE(Eventually(
      [&] {
        const auto page = RedisHistoryOf(*backend)->Read(follower.position(), kArchived, 1000, Soon());
        return page.ok() && page->gap.find("another one took over") != std::string::npos;
      },
      std::chrono::seconds{60}));
  Follower again(*RedisHistoryOf(*backend));
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(Eventually([&] { return Put(*backend, std::to_string(i), "2"); }));
  const Timestamp now = SystemClock().Now();
  do again.ToTheEnd(100'000);
  while (again.until() < now);
  EXPECT_EQ(again.gap(), "");
  std::set<std::string> keys;
  for (const KeyChange& change : again.all()) keys.insert(change.key);
  EXPECT_EQ(keys.size(), 50U);
  // Although the part has written more than it had, and the archive goes on under its token.
  const auto page = RedisHistoryOf(*backend)->Read(follower.position(), kArchived, 1000, Soon());
  ASSERT_TRUE(page.ok());
  EXPECT_NE(page->gap, "");
  again.ToTheEnd(1000);
  EXPECT_EQ(again.gap(), "");
}

TEST_F(RedisClusterKeptChanges, redis_cluster_AMovedSlotIsAGap) {
  const auto backend = Open();
  Follower follower(*RedisHistoryOf(*backend));
  ASSERT_TRUE(Put(*backend, "k", "1"));
  follower.Step();
  ASSERT_EQ(follower.gap(), "") << "the control";
  const std::uint16_t slot = redis::SlotOf(Partitions(options_).prefix(3));
  RedisServer* const from = cluster().MasterOf(slot).value();
  RedisServer* const to = cluster().MasterOf(redis::SlotOf(Partitions(options_).prefix(15))).value();
  ASSERT_NE(from, to);
  ASSERT_TRUE(cluster().MoveSlot(slot, *from, *to).ok());
  ASSERT_TRUE(Eventually(
      [&] {
        const auto page = RedisHistoryOf(*backend)->Read(follower.position(), kArchived, 1000, Soon());
        return page.ok() && !page->gap.empty();
      },
      std::chrono::seconds{60}));
  Follower again(*RedisHistoryOf(*backend));
  ASSERT_TRUE(Eventually([&] { return Put(*backend, "k", "2"); }));
  again.Step();
  EXPECT_EQ(again.gap(), "");
}

}  // namespace
}  // namespace holdfast::storage::redis_backend
