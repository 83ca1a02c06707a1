// A cache in memory over a Redis that another writes to as well.
#include <gtest/gtest.h>

#include <thread>

#include "base/redis/url.h"
#include "service/backends/memory/memory_backend.h"
#include "service/backends/redis/redis_backend.h"
#include "service/composition/tiered_backend.h"
#include "tests/redis/redis_server.h"
#include "tests/unit/service/composition/observed_backend.h"
#include "tests/waiting/eventually.h"

namespace holdfast::composition {
namespace {

using std::chrono::seconds;
using storage::Operation;

class TieredOverRedis : public testing::Test {
 protected:
  TieredOverRedis()
      : server_(redis_servers::RedisServer::Start().value()),
        record_(std::make_shared<ObservedBackend>(Open())),
        other_(Open()),
        cache_(storage::MakeMemoryBackend({})),
        tiered_(std::make_shared<TieredBackend>(cache_, record_, Options())) {
    tiered_->SetChangeListener(nullptr);
    EXPECT_TRUE(Eventually([this] { return tiered_->staleness() <= Options().max_staleness; }));
  }
  ~TieredOverRedis() override { EXPECT_TRUE(tiered_->Close().ok()); }

  static TieredOptions Options() {
    TieredOptions options;
    options.shared = true;
    options.max_staleness = seconds{2};
    return options;
  }
  std::shared_ptr<storage::Backend> Open() {
    storage::RedisOptions options;
    options.client.target = redis::ParseUrl(server_->Url()).value();
    options.poll_interval = std::chrono::milliseconds{20};
    std::shared_ptr<storage::Backend> opened = storage::OpenRedisBackend(options).value();
    EXPECT_TRUE(opened->CheckHealth(Deadline::After(seconds{60})).ok());
    return opened;
  }
  std::string Eventual() {
    Operation get = Operation::Get("k");
    get.consistency = storage::Consistency::kEventual;
    const storage::OperationResult result = storage::ExecuteOne(*tiered_, get, Deadline::After(seconds{60}));
    return result.status.ok() ? result.entry->value : result.status.error().ToString();
  }
  void WriteElsewhere(const std::string& value) {
    ASSERT_TRUE(storage::ExecuteOne(*other_, Operation::Put("k", value), Deadline::After(seconds{60})).status.ok());
  }
  // A read that has its answer, and is held before it comes to the cache; until Release. One that was not to be kept,
  // because copies had not been certain for a moment, is let go.
  std::thread HoldAFill(std::string* answer) {
    while (true) {
      const std::uint64_t misses = tiered_->tiered_statistics().misses;
      record_->HoldGets();
      std::thread reader([this, answer] { *answer = Eventual(); });
      EXPECT_TRUE(Eventually([this] { return record_->waiting() == 1; }));
      if (tiered_->tiered_statistics().misses > misses || testing::Test::HasFailure()) return reader;
      record_->Release();
      reader.join();
    }
  }
  // What lies in the cache, whether or not it may be shown.
  std::string Kept() {
    const auto result = storage::ExecuteOne(*cache_, Operation::Get(CopyKey("k")), Deadline::After(seconds{60}));
    if (!result.status.ok()) return "nothing";
    const auto copy = DecodeCopy(result.entry->value);
    return copy && copy->entry ? copy->entry->value : "none";
  }
  // Eventual reads come from a copy.
  bool AwaitHits() {
    return Eventually([this] {
      static_cast<void>(Eventual());
      const int asked = record_->gets();
      static_cast<void>(Eventual());
      return record_->gets() == asked;
    });
  }

  const std::unique_ptr<redis_servers::RedisServer> server_;
  const std::shared_ptr<ObservedBackend> record_;
  const std::shared_ptr<storage::Backend> other_;
  const std::shared_ptr<storage::Backend> cache_;
  const std::shared_ptr<TieredBackend> tiered_;
};

TEST_F(TieredOverRedis, tiered_memory_redis_ACopyIsShownAndFollowsTheOther) {
  WriteElsewhere("0");
  for (int i = 1; i <= 20; ++i) {
    ASSERT_TRUE(AwaitHits());
    WriteElsewhere(std::to_string(i));
    EXPECT_TRUE(Eventually([&] { return Eventual() == std::to_string(i); }));
  }
  EXPECT_GT(tiered_->tiered_statistics().hits, 0u);
}

// A read that has its answer already when another writes, and comes to the cache behind the news of it.
TEST_F(TieredOverRedis, tiered_memory_redis_fault_ALateFillIsKeptAndNeverShown) {
  WriteElsewhere("old");
  ASSERT_TRUE(Eventually([this] { return record_->AwaitListener(); }));
  std::string late;
  std::thread reader = HoldAFill(&late);
  WriteElsewhere("new");
  EXPECT_TRUE(Eventually([this] { return record_->AwaitListener(); }));
  record_->Release();
  reader.join();
  EXPECT_EQ("old", late) << "it had begun before the write";
  EXPECT_EQ("old", Kept()) << "or there was no late fill";
  EXPECT_EQ("new", Eventual());
  EXPECT_TRUE(AwaitHits());
  EXPECT_EQ("new", Eventual());
  EXPECT_EQ("new", Kept());
}

// The control: without a write in between the same read leaves a copy that is shown.
TEST_F(TieredOverRedis, tiered_memory_redis_ALateFillOfWhatStillStandsIsShown) {
  WriteElsewhere("old");
  ASSERT_TRUE(Eventually([this] { return record_->AwaitListener(); }));
  std::string late;
  std::thread reader = HoldAFill(&late);
  EXPECT_TRUE(Eventually([this] { return record_->AwaitListener(); }));
  record_->Release();
  reader.join();
  EXPECT_EQ("old", late);
  const TieredStatistics before = tiered_->tiered_statistics();
  EXPECT_TRUE(Eventually([&] {
    EXPECT_EQ("old", Eventual());
    return tiered_->tiered_statistics().hits > before.hits;
  }));
  EXPECT_EQ(before.misses, tiered_->tiered_statistics().misses) << "or another copy was made";
}

TEST_F(TieredOverRedis, tiered_memory_redis_fault_AfterAFlushNoCopyIsShownForLonger) {
  WriteElsewhere("gone");
  ASSERT_TRUE(AwaitHits());
  ASSERT_TRUE(server_->Cli({"FLUSHALL"}).ok());
  const auto flushed = std::chrono::steady_clock::now();
  auto last = flushed;
  EXPECT_TRUE(Eventually([&] {
    const auto began = std::chrono::steady_clock::now();
    if (Eventual() != "gone") return true;
    last = began;
    return false;
  }));
  EXPECT_LE(last - flushed, Options().max_staleness);
}

}  // namespace
}  // namespace holdfast::composition
