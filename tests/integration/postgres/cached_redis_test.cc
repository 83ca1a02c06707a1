// A cache in Redis over PostgreSQL: killed, frozen and flushed it changes no answer, and costs little time.
#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "tests/integration/service/service_fixture.h"
#include "tests/postgres/entry_schema.h"
#include "tests/postgres/shared_server.h"
#include "tests/redis/redis_server.h"

namespace holdfast {
namespace {

using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

class PostgresBehindRedis : public testing::Test {
 protected:
  PostgresBehindRedis()
      : database_(postgres_servers::SharedServer()), redis_(redis_servers::RedisServer::Start().value()) {
    EXPECT_TRUE(postgres_servers::MakeEntrySchema(database_).ok());
    service_.emplace(folder_,
                     fmt::format("postgres, url: \"{}\", pool_max: 4}}, "
                                 "hot: {{type: redis, url: \"{}\", breaker: true, breaker_min_operations: 5, "
                                 "breaker_patience: 50ms, breaker_open: 300ms",
                                 database_.Url(), redis_->Url()),
                     "stores: {main: {backend: local, cache: hot, cache_timeout: 100ms}}\n"
                     "health: {interval: 200ms, timeout: 1s}\n");
  }

  double Hits() {
    const std::string page = service_->Admin("/metrics").body;
    const std::string series = "holdfast_cache_requests_total{result=\"hit\",store=\"main\"} ";
    return std::stod(page.substr(page.find(series) + series.size()));
  }
  std::string Eventual() {
    const auto began = SteadyClock::now();
    const auto answer = service_->Send("GET", kKey + "?consistency=eventual");
    slowest_ = std::max(slowest_, SteadyClock::now() - began);
    EXPECT_EQ(answer.status, 200) << answer.body;
    return answer.body;
  }
  // So many writes, each read several times: what the service acknowledged itself an eventual read shows at once.
  void ExpectRight(int writes) {
    for (int i = 0; i < writes; ++i) {
      const std::string value = std::to_string(++written_);
      ASSERT_EQ(service_->Send("PUT", kKey, {}, value).status / 100, 2);
      for (int read = 0; read < 5; ++read) EXPECT_EQ(Eventual(), value);
    }
  }
  bool AwaitHits() {
    const Deadline patience = Deadline::After(std::chrono::seconds{30});
    for (const double before = Hits(); !patience.Expired();) {
      static_cast<void>(Eventual());
      if (Hits() > before + 3) return true;
    }
    return false;
  }

  const std::string kKey = "/v1/stores/main/keys/k";
  postgres_servers::FreshDatabase database_;
  const std::unique_ptr<redis_servers::RedisServer> redis_;
  const TemporaryFolder folder_;
  std::optional<Service> service_;
  int written_ = 0;
  SteadyClock::duration slowest_{};
};

TEST_F(PostgresBehindRedis, tiered_redis_postgres_fault_a_cache_that_dies_hangs_or_is_emptied_changes_no_answer) {
  ExpectRight(5);
  ASSERT_TRUE(AwaitHits());
  ASSERT_TRUE(redis_->Cli({"FLUSHALL"}).ok());
  ExpectRight(5);
  ASSERT_TRUE(AwaitHits());

  redis_->Freeze();
  slowest_ = {};
  ExpectRight(10);
  const auto frozen = slowest_;
  redis_->Thaw();
  ASSERT_TRUE(AwaitHits());
  ExpectRight(5);

  redis_->Kill();
  slowest_ = {};
  ExpectRight(10);
  const auto killed = slowest_;
  ASSERT_TRUE(redis_->StartAgain().ok());
  ASSERT_TRUE(AwaitHits());
  ExpectRight(5);
  const auto in_ms = [](SteadyClock::duration time) {
    return static_cast<long long>(std::chrono::duration_cast<milliseconds>(time).count());
  };
  std::printf("slowest read: %lld ms with the cache frozen, %lld ms with it killed\n", in_ms(frozen), in_ms(killed));
  // cache_timeout, and what the machine adds.
  EXPECT_LT(frozen, milliseconds{1'000});
  EXPECT_LT(killed, milliseconds{1'000});
}

}  // namespace
}  // namespace holdfast
