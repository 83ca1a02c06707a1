// Two services over one PostgreSQL, each with a cache in memory: how old an eventual read may be, also when the change
// feed of one of them is down.
#include <fmt/format.h>

#include <algorithm>

#include "tests/integration/postgres/cutting_proxy.h"
#include "tests/integration/service/service_fixture.h"
#include "tests/postgres/entry_schema.h"
#include "tests/postgres/shared_server.h"
#include "tests/waiting/eventually.h"

namespace holdfast {
namespace {

using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

constexpr milliseconds kMaxStaleness{500};
// What a copy was read in, which may count for it as well.
constexpr milliseconds kReading{500};
constexpr const char* kStores = "stores: {main: {backend: local, cache: hot, cache_max_staleness: 500ms}}\n";

class PostgresCached : public testing::Test {
 protected:
  PostgresCached() : server_(postgres_servers::Server::Start().value()), database_(*server_), proxy_(server_->port()) {
    EXPECT_TRUE(postgres_servers::MakeEntrySchema(database_).ok());
    std::string through = database_.Url();
    const std::string port = fmt::format(":{}/", server_->port());
    through.replace(through.find(port), port.size(), fmt::format(":{}/", proxy_.port()));
    // The change feed of the reader stands behind the proxy, its reads and writes do not.
    reader_.emplace(reader_folder_, Backend(fmt::format(", direct_url: \"{}\"", through)), kStores);
    writer_.emplace(writer_folder_, Backend(""), kStores);
  }

  std::string Eventual() { return reader_->Send("GET", kKey + "?consistency=eventual").body; }
  std::string Strong() { return reader_->Send("GET", kKey).body; }
  void Write(const std::string& value) { ASSERT_EQ(writer_->Send("PUT", kKey, {}, value).status / 100, 2); }
  double Shown(const std::string& series) {
    const std::string page = reader_->Admin("/metrics").body;
    const std::size_t at = page.find("\n" + series + " ");
    return at == std::string::npos ? -1 : std::stod(page.substr(at + series.size() + 2));
  }
  double Staleness() { return Shown("holdfast_cache_staleness_seconds{store=\"main\"}"); }
  double Hits() { return Shown("holdfast_cache_requests_total{result=\"hit\",store=\"main\"}"); }
  // Eventual reads come from copies.
  bool AwaitHits() {
    return Eventually([this] {
      const double before = Hits();
      static_cast<void>(Eventual());
      static_cast<void>(Eventual());
      return Hits() > before;
    });
  }
  // From the acknowledgement of a write until the last of the reader's eventual reads is begun that does not show it:
  // however long each of them takes on a busy machine.
  milliseconds StaleFor(const std::string& value) {
    Write(value);
    const auto acknowledged = SteadyClock::now();
    auto last = acknowledged;
    EXPECT_TRUE(Eventually([&] {
      const auto began = SteadyClock::now();
      if (Eventual() == value) return true;
      last = began;
      return false;
    }));
    return std::chrono::duration_cast<milliseconds>(last - acknowledged);
  }

  const std::string kKey = "/v1/stores/main/keys/k";

  const std::unique_ptr<postgres_servers::Server> server_;
  postgres_servers::FreshDatabase database_;
  CuttingProxy proxy_;
  const TemporaryFolder reader_folder_;
  const TemporaryFolder writer_folder_;
  std::optional<Service> reader_;
  std::optional<Service> writer_;

 private:
  std::string Backend(const std::string& more) const {
    return fmt::format(
        "postgres, url: \"{}\", pool_max: 4, poll_interval: 50ms, connect_timeout: 2s{}}}, "
        "hot: {{type: memory, max_bytes: 4Mi, eviction: lru",
        database_.Url(), more);
  }
};

TEST_F(PostgresCached, tiered_memory_postgres_eventual_reads_are_copies_that_follow_the_other_instance) {
  Write("0");
  ASSERT_TRUE(AwaitHits());
  std::vector<milliseconds> ages;
  for (int i = 1; i <= 40; ++i) {
    EXPECT_EQ(Eventual(), std::to_string(i - 1));  // there is a copy
    ages.push_back(StaleFor(std::to_string(i)));
    EXPECT_EQ(Strong(), std::to_string(i));
  }
  std::sort(ages.begin(), ages.end());
  std::printf("stale for %lld ms (median), %lld ms (longest)\n", static_cast<long long>(ages[ages.size() / 2].count()),
              static_cast<long long>(ages.back().count()));
  EXPECT_LE(ages.back(), kMaxStaleness + kReading);
  EXPECT_TRUE(Eventually([this] { return Staleness() <= 0.5; })) << Staleness();
  EXPECT_GT(Hits(), 10);
}

// A strong read is never answered from a copy: it has everything that was acknowledged before.
TEST_F(PostgresCached, tiered_memory_postgres_strong_reads_have_what_the_other_instance_acknowledged) {
  for (int i = 0; i < 100; ++i) {
    Write(std::to_string(i));
    ASSERT_EQ(Strong(), std::to_string(i));
    static_cast<void>(Eventual());
  }
}

TEST_F(PostgresCached, tiered_memory_postgres_fault_without_its_change_feed_no_copy_is_shown_for_longer) {
  Write("0");
  ASSERT_TRUE(AwaitHits());
  proxy_.RefuseBehindTheNextCut();
  proxy_.CutNext("alone", Cut::kBeforeTheServer);
  ASSERT_TRUE(Eventually([this] { return proxy_.cuts() == 1; }));
  // Nobody tells the reader of these, and it shows them all the same.
  for (int i = 1; i <= 5; ++i) {
    EXPECT_LE(StaleFor(fmt::format("unheard {}", i)), kMaxStaleness + kReading);
  }
  EXPECT_TRUE(Eventually([this] { return Staleness() > 0.5; })) << Staleness();
  const double before = Hits();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(Eventual(), "unheard 5");
  EXPECT_EQ(Hits(), before);
  proxy_.Accept();
  EXPECT_TRUE(AwaitHits());
  EXPECT_LE(StaleFor("heard"), kMaxStaleness + kReading);
}

}  // namespace
}  // namespace holdfast
