#include "service/backends/redis/change_stream.h"

#include <atomic>

#include "tests/unit/service/backends/redis/redis_bench.h"
#include "tests/waiting/eventually.h"

namespace holdfast::storage::redis_backend {
namespace {

using RedisChangeStream = RedisBench;

TEST_F(RedisChangeStream, AnInstanceAloneLogsNothing) {
  const auto heard = std::make_shared<ChainListener>();
  const auto backend = Open(heard);
  // Until it has looked, it does not know.
  ASSERT_TRUE(Eventually([&] {
    EXPECT_TRUE(Run(*backend, Operation::Put("k", "v")).status.ok());
    const std::string before = server().Cli({"HGET", "holdfast:state", "position"}).value();
    EXPECT_TRUE(Run(*backend, Operation::Put("k", "w")).status.ok());
    return server().Cli({"HGET", "holdfast:state", "position"}).value() == before;
  }));
  EXPECT_EQ(0, heard->broken());
}

TEST_F(RedisChangeStream, EachInstanceHearsOfTheOthersChangesBeforeTheyAreAnsweredThere) {
  const auto first_heard = std::make_shared<ChainListener>();
  const auto second_heard = std::make_shared<ChainListener>();
  const auto first = Open(first_heard);
  const auto second = Open(second_heard);
  const Version one = Run(*first, Operation::Put("k", "1")).version;
  EXPECT_EQ(one, first_heard->Last("k"));
  EXPECT_TRUE(Eventually([&] { return second->AwaitListener(); }));
  EXPECT_EQ(one, second_heard->Last("k"));
  const Version two = Run(*second, Operation::Put("k", "2")).version;
  EXPECT_EQ(two, second_heard->Last("k"));
  EXPECT_TRUE(Eventually([&] { return first->AwaitListener(); }));
  EXPECT_EQ(two, first_heard->Last("k"));
  // What all have read is cut off.
  EXPECT_TRUE(Eventually([&] { return server().Cli({"XLEN", "holdfast:changes"}).value().starts_with("0"); }));
}

// Whoever comes and goes, each change of a key begins where the one before it ended.
TEST_F(RedisChangeStream, TheOrderOfAKeyHoldsWhileOthersComeAndGo) {
  const auto heard = std::make_shared<ChainListener>();
  const auto backend = Open(heard);
  std::atomic<bool> stop{false};
  std::atomic<int> written{0};
  std::vector<std::thread> writers;
  for (int thread = 0; thread < 3; ++thread) {
    writers.emplace_back([&, thread] {
      while (!stop) {
        EXPECT_TRUE(Run(*backend, Operation::Put("k" + std::to_string(thread % 2), "v")).status.ok());
        ++written;
      }
    });
  }
  for (int round = 0; round < 8; ++round) {
    const auto other = Open();
    for (int i = 0; i < 20; ++i) EXPECT_TRUE(Run(*other, Operation::Put("k" + std::to_string(i % 2), "o")).status.ok());
    EXPECT_TRUE(other->Close().ok());
    const int before = written;
    EXPECT_TRUE(Eventually([&] { return written > before + 20; }));
  }
  stop = true;
  for (std::thread& writer : writers) writer.join();
  EXPECT_TRUE(Eventually([&] { return backend->AwaitListener(); }));
  EXPECT_EQ(0, heard->broken());
  EXPECT_EQ(0, heard->missed());
  EXPECT_EQ(written + 160, heard->heard());
}

TEST_F(RedisChangeStream, WhoIsFurtherBehindThanTheStreamIsLongIsToldThatItHasMissedChanges) {
  // A listener that cannot go on for a while.
  class Slow : public ChainListener {
   public:
    void OnChange(std::string_view key, const EntryPtr& before, const EntryPtr& after,
                  ChangeCause cause) noexcept override {
      while (held) std::this_thread::sleep_for(std::chrono::milliseconds{1});
      ChainListener::OnChange(key, before, after, cause);
    }
    std::atomic<bool> held{false};
  };
  options_.change_stream_length = 100;
  const auto slow = std::make_shared<Slow>();
  const auto behind = Open(slow);
  const auto ahead = Open(std::make_shared<ChainListener>());
  slow->held = true;
  std::vector<Operation> puts;
  for (int i = 0; i < 500; ++i) puts.push_back(Operation::Put("k" + std::to_string(i), "v"));
  std::vector<OperationResult> results(puts.size());
  // The stream is cut in whole nodes of some hundred entries.
  for (int round = 0; round < 10; ++round) {
    ahead->Execute(puts, results, Deadline::After(std::chrono::seconds{20}));
    for (const OperationResult& result : results) ASSERT_TRUE(result.status.ok()) << result.status.error().ToString();
  }
  slow->held = false;
  EXPECT_TRUE(Eventually([&] { return slow->missed() > 0; }));
  const Version last = Run(*ahead, Operation::Put("last", "v")).version;
  EXPECT_TRUE(Eventually([&] { return behind->AwaitListener(); }));
  EXPECT_EQ(last, slow->Last("last"));
}

TEST_F(RedisChangeStream, AnInstanceThatWasTakenOutJoinsAgainAndSaysSo) {
  const auto heard = std::make_shared<ChainListener>();
  const auto backend = Open(heard);
  ASSERT_TRUE(server().Cli({"DEL", "holdfast:instances"}).ok());
  EXPECT_TRUE(Run(*backend, Operation::Put("k", "v")).status.ok());
  EXPECT_EQ(1, heard->missed());
  EXPECT_EQ(0, heard->broken());
}

TEST_F(RedisChangeStream, VersionsRiseOverAFlushAndOverAnotherStart) {
  const auto heard = std::make_shared<ChainListener>();
  const auto backend = Open(heard);
  Version last = 0;
  const auto put = [&] {
    OperationResult result;
    EXPECT_TRUE(Eventually([&] {
      result = Run(*backend, Operation::Put("k", "v"));
      return result.status.ok();
    })) << result.status.error().ToString();
    EXPECT_GT(result.version, last);
    last = result.version;
  };
  put();
  ASSERT_TRUE(server().Cli({"FLUSHALL"}).ok());
  put();
  server().Kill();
  ASSERT_TRUE(server().EmptyData().ok());
  ASSERT_TRUE(server().StartAgain().ok());
  put();
  EXPECT_TRUE(Eventually([&] { return heard->missed() >= 2; }));
}

}  // namespace
}  // namespace holdfast::storage::redis_backend
