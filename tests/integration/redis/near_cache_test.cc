// Two services over one Redis, each with a cache in memory: how old an eventual read may be, whatever becomes of the
// server or of the way to it.
#include <fmt/format.h>

#include <algorithm>

#include "tests/integration/postgres/cutting_proxy.h"
#include "tests/integration/redis/redis_service.h"
#include "tests/redis/sentinel_group.h"
#include "tests/waiting/eventually.h"

namespace holdfast {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

constexpr milliseconds kMaxStaleness{1'000};
// The row of the key "k" becomes that of "other", behind the back of all who tell of changes.
constexpr const char* kCopyOtherToK =
    "for _, row in ipairs(redis.call('KEYS', 'holdfast:e:*other')) do "
    "redis.call('COPY', row, string.sub(row, 1, -6) .. 'k', 'REPLACE') end";

class NearCache : public OverRedis {
 protected:
  void StartBoth(const std::string& readers_url, const std::string& writers_url) {
    reader_.emplace(StartCached(readers_url, first_folder_));
    writer_.emplace(StartCached(writers_url, second_folder_));
  }

  // Of the reader; the status when there is no value. Once it is answered at all.
  std::string Strong() {
    http::ClientResponse answer;
    EXPECT_TRUE(Eventually([&] {
      answer = reader_->Send("GET", KeyPath("k"));
      return answer.status == 200 || answer.status == 404;
    }));
    return answer.status == 200 ? answer.body : std::to_string(answer.status);
  }
  bool CutOff() { return reader_->Send("GET", KeyPath("k")).status >= 500; }
  std::string Eventual() { return reader_->Send("GET", KeyPath("k") + "?consistency=eventual").body; }
  // As soon as it is acknowledged, on a server that may be away for a while.
  void Write(const std::string& value, const std::string& key = "k") {
    ASSERT_TRUE(Eventually([&] { return CodeOf(Put(*writer_, key, value)) == "ok"; }));
  }
  double Hits() {
    const std::string page = reader_->Admin("/metrics").body;
    const std::string series = "holdfast_cache_requests_total{result=\"hit\",store=\"main\"} ";
    const std::size_t at = page.find(series);
    return at == std::string::npos ? -1 : std::stod(page.substr(at + series.size()));
  }
  // Eventual reads come from copies.
  bool AwaitHits() {
    return Eventually([this] {
      const double before = Hits();
      static_cast<void>(Eventual());
      static_cast<void>(Eventual());
      return Hits() > before;
    });
  }
  // From `since` until the last of the reader's eventual reads is begun that still shows `old`. No busy machine makes
  // it longer: whether a copy may be shown is decided behind the beginning of the read, by the same clock.
  microseconds ShownFor(const std::string& old, SteadyClock::time_point since) {
    auto last = since;
    EXPECT_TRUE(Eventually([&] {
      const auto began = SteadyClock::now();
      if (Eventual() != old) return true;
      last = began;
      return false;
    }));
    return std::chrono::duration_cast<microseconds>(last - since);
  }
  microseconds StaleFor(const std::string& old, const std::string& value) {
    Write(value);
    return ShownFor(old, SteadyClock::now());
  }

 private:
  static Service StartCached(const std::string& url, const TemporaryFolder& folder) {
    return Service(folder,
                   fmt::format("redis, url: \"{}\", pool_max: 4, acquire_timeout: 1s, connect_timeout: 2s, "
                               "silence_timeout: 2s, poll_interval: 50ms}}, "
                               "hot: {{type: memory, max_bytes: 4Mi, eviction: lru",
                               url),
                   fmt::format("stores: {{main: {{backend: local, cache: hot, cache_max_staleness: {}ms}}}}\n"
                               "health: {{interval: 100ms, timeout: 1s}}\n",
                               kMaxStaleness.count()));
  }

  std::optional<Service> reader_;
  std::optional<Service> writer_;
};

class NearCacheOfOneServer : public NearCache {
 protected:
  NearCacheOfOneServer() : server_(redis_servers::RedisServer::Start(Kept()).value()) {
    StartBoth(server_->Url(), server_->Url());
  }
  static redis_servers::ServerOptions Kept() {
    redis_servers::ServerOptions options;
    options.append_only = true;
    return options;
  }
  const std::unique_ptr<redis_servers::RedisServer> server_;
};

TEST_F(NearCacheOfOneServer, tiered_memory_redis_eventual_reads_are_copies_that_follow_the_other_instance) {
  Write("0");
  ASSERT_TRUE(AwaitHits());
  std::vector<microseconds> ages;
  for (int i = 1; i <= 20; ++i) {
    ages.push_back(StaleFor(std::to_string(i - 1), std::to_string(i)));
    EXPECT_EQ(Strong(), std::to_string(i)) << "a strong read is never stale";
    EXPECT_TRUE(AwaitHits());
  }
  std::sort(ages.begin(), ages.end());
  std::printf("stale for %lld us (median), %lld us (longest)\n", static_cast<long long>(ages[ages.size() / 2].count()),
              static_cast<long long>(ages.back().count()));
  EXPECT_LE(ages.back(), kMaxStaleness);
}

// The control: the cases here would see it if nobody told the reader of a change. Of this one nobody does, and only a
// strong read shows it.
TEST_F(NearCacheOfOneServer, tiered_memory_redis_a_change_that_nobody_tells_of_is_stale_for_longer) {
  EXPECT_TRUE(Eventually([this] {
    Write("old");
    Write("new", "other");
    if (!AwaitHits()) return false;
    EXPECT_TRUE(server_->Cli({"EVAL", kCopyOtherToK, "0"}).ok());
    const auto changed = SteadyClock::now();
    EXPECT_EQ("new", Strong());
    EXPECT_TRUE(Eventually([&] { return SteadyClock::now() > changed + kMaxStaleness; }));
    return Eventual() == "old";
  }));
}

TEST_F(NearCacheOfOneServer, tiered_memory_redis_fault_connections_that_are_cut_lose_no_change) {
  Write("0");
  for (int i = 1; i <= 3; ++i) {
    ASSERT_TRUE(AwaitHits());
    ASSERT_TRUE(server_->Cli({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"}).ok());
    EXPECT_LE(StaleFor(std::to_string(i - 1), std::to_string(i)), kMaxStaleness);
  }
  EXPECT_TRUE(AwaitHits());
  EXPECT_TRUE(Eventually([this] { return Eventual() == "3"; }));
}

// Only the reader is cut off, and the other goes on writing.
TEST_F(NearCache, tiered_memory_redis_fault_who_is_cut_off_shows_no_copy_for_longer) {
  const auto server = redis_servers::RedisServer::Start().value();
  CuttingProxy way(server->port());
  StartBoth(fmt::format("redis://127.0.0.1:{}/0", way.port()), server->Url());
  Write("0");
  ASSERT_TRUE(AwaitHits());
  way.Refuse();
  ASSERT_TRUE(Eventually([this] { return CutOff(); }));
  EXPECT_LE(StaleFor("0", "unheard"), kMaxStaleness);
  EXPECT_NE(Eventual(), "0") << "nor again";
  way.Accept();
  EXPECT_TRUE(Eventually([this] { return Eventual() == "unheard"; }));
  EXPECT_TRUE(AwaitHits());
  EXPECT_LE(StaleFor("unheard", "heard"), kMaxStaleness);
}

TEST_F(NearCacheOfOneServer, tiered_memory_redis_fault_flushed_restarted_and_frozen_no_copy_outlives_its_time) {
  Write("0");
  ASSERT_TRUE(AwaitHits());
  ASSERT_TRUE(server_->Cli({"FLUSHALL"}).ok());
  EXPECT_LE(ShownFor("0", SteadyClock::now()), kMaxStaleness);
  Write("1");
  ASSERT_TRUE(AwaitHits());
  ASSERT_TRUE(server_->Cli({"SCRIPT", "FLUSH"}).ok());
  EXPECT_LE(StaleFor("1", "2"), kMaxStaleness);

  ASSERT_TRUE(AwaitHits());
  server_->Kill();
  EXPECT_LE(ShownFor("2", SteadyClock::now()), kMaxStaleness) << "the server is not there to ask";
  ASSERT_TRUE(server_->EmptyData().ok());
  ASSERT_TRUE(server_->StartAgain().ok());
  EXPECT_EQ(Strong(), "404");
  EXPECT_NE(Eventual(), "2");
  Write("3");
  ASSERT_TRUE(AwaitHits());

  server_->Freeze();
  EXPECT_LE(ShownFor("3", SteadyClock::now()), kMaxStaleness);
  server_->Thaw();
  EXPECT_LE(StaleFor("3", "4"), kMaxStaleness);
  EXPECT_TRUE(AwaitHits());
  EXPECT_TRUE(Eventually([this] { return Eventual() == "4"; }));
}

TEST_F(NearCache, tiered_memory_redis_sentinel_fault_a_copy_of_the_old_master_does_not_outlive_its_time) {
  redis_servers::SentinelGroupOptions options;
  options.replicas = 1;
  const auto group = redis_servers::SentinelGroup::Start(options).value();
  StartBoth(group->Url(), group->Url());
  Write("kept");
  redis_servers::RedisServer& old = *group->servers()[0];
  redis_servers::RedisServer& replica = *group->servers()[1];
  ASSERT_TRUE(replica.AwaitReplica().ok());
  ASSERT_TRUE(replica.Cli({"SAVE"}).ok());
  // It never hears of the next.
  replica.Kill();
  Write("lost");
  ASSERT_TRUE(AwaitHits());
  EXPECT_TRUE(Eventually([this] { return Eventual() == "lost"; }));
  old.Kill();
  const auto killed = SteadyClock::now();
  ASSERT_TRUE(replica.StartAgain().ok());
  EXPECT_LE(ShownFor("lost", killed), kMaxStaleness);
  ASSERT_TRUE(group->AwaitOtherMaster(old).ok());
  EXPECT_TRUE(Eventually([this] { return Strong() == "kept"; }));
  EXPECT_NE(Eventual(), "lost");
  EXPECT_LE(StaleFor("kept", "next"), kMaxStaleness);
  EXPECT_TRUE(AwaitHits());
  EXPECT_TRUE(Eventually([this] { return Eventual() == "next"; }));
}

}  // namespace
}  // namespace holdfast
