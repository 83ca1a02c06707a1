// What the server keeps for a change log: every acknowledged change once, steps whole, across instances, readers and
// restarts that lose nothing; whatever may be lost is told.
#include "service/backends/redis/kept_changes.h"

#include <gmock/gmock.h>

#include <iostream>

#include "service/backends/redis/entry_record.h"
#include "tests/redis/sentinel_group.h"
#include "tests/unit/service/backends/history_follower.h"
#include "tests/unit/service/backends/redis/redis_bench.h"
#include "tests/waiting/eventually.h"

namespace holdfast::storage::redis_backend {
namespace {

using testing::HasSubstr;

class RedisKeptChanges : public RedisBench {
 protected:
  explicit RedisKeptChanges(const redis_servers::ServerOptions& options = {}) : RedisBench(options) {}

  static void Put(Backend& backend, const std::string& key, const std::string& value) {
    const OperationResult put = Run(backend, Operation::Put(ArchivedKey(key), value));
    EXPECT_TRUE(put.status.ok()) << put.status.error().ToString();
  }
  std::uint64_t Number(const std::vector<std::string>& words) {
    return std::strtoull(server().Cli(words).value().c_str(), nullptr, 10);
  }
  std::string GapBehind(Backend& backend, const std::string& position) {
    const auto page = RedisHistoryOf(backend)->Read(position, kArchived, 1000, Soon());
    EXPECT_TRUE(page.ok()) << page.error().ToString();
    if (!page.ok()) return page.error().ToString();
    EXPECT_TRUE(page->gap.empty() || page->changes.empty());
    return page->gap;
  }
};

TEST_F(RedisKeptChanges, EveryChangeComesOnceInItsOrderAndTransactionsAreWhole) {
  const auto one = Open();
  const auto other = Open();
  ExpectEachChangeOnceInItsOrder(*one, *other, *RedisHistoryOf(*one));
}

TEST_F(RedisKeptChanges, ItIsKeptUntilItIsReleasedAndOutlivesTheProcess) {
  auto backend = Open();
  Follower first(*RedisHistoryOf(*backend));
  Put(*backend, "k", "1");
  EXPECT_TRUE(Run(*backend, Operation::Delete(ArchivedKey("k"))).status.ok());
  EXPECT_TRUE(Run(*backend, Operation::Put("elsewhere", "1")).status.ok());
  const std::string position = first.position();
  backend.reset();
  backend = Open();
  ChangeHistory& history = *RedisHistoryOf(*backend);
  const auto page = history.Read(position, kArchived, 1000, Soon());
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(page->gap, "");
  EXPECT_TRUE(page->complete);
  ASSERT_EQ(page->changes.size(), 2U);
  EXPECT_EQ(page->changes[0].entry->value, "1");
  EXPECT_EQ(page->changes[1].entry, nullptr);
  // Read and not released: it is told again.
  EXPECT_EQ(history.Read(position, kArchived, 1000, Soon())->changes.size(), 2U);
  EXPECT_EQ(Number({"XLEN", "holdfast:archived:main"}), 2U);
  history.Release(page->position, Soon());
  EXPECT_EQ(Number({"XLEN", "holdfast:archived:main"}), 0U);
  EXPECT_EQ(GapBehind(*backend, page->position), "");
  EXPECT_THAT(GapBehind(*backend, position), HasSubstr("asked for again")) << "the control: it is gone";
}

// An expired entry is removed by whoever sweeps, and an instance that is alone logs nothing for others.
TEST_F(RedisKeptChanges, ExpiriesAreToldAndAnInstanceAloneStaysAlone) {
  const auto backend = Open();
  Follower follower(*RedisHistoryOf(*backend));
  Operation put = Operation::Put(ArchivedKey("k"), "1");
  put.expiry = Expiry::After(std::chrono::milliseconds{1});
  EXPECT_TRUE(Run(*backend, put).status.ok());
  EXPECT_TRUE(Eventually([&] {
    follower.ToTheEnd(1000);
    return follower.all().size() == 2;
  }));
  ASSERT_EQ(follower.all().size(), 2U);
  EXPECT_TRUE(follower.all()[0].entry->expires_at);
  EXPECT_EQ(follower.all()[1].entry, nullptr);
  EXPECT_TRUE(Eventually([&] {
    const std::uint64_t before = Number({"HGET", "holdfast:state", "position"});
    Put(*backend, "k", "2");
    return Number({"HGET", "holdfast:state", "position"}) == before;
  }));
}

TEST_F(RedisKeptChanges, OneOfSeveralInstancesHasTheClaimUntilItEndsOrYields) {
  auto one = Open();
  const auto other = Open();
  ChangeHistory& second = *RedisHistoryOf(*other);
  ExpectOneClaims(*RedisHistoryOf(*one), second);
  EXPECT_FALSE(second.Claim(kArchived, Soon()).value());
  one.reset();
  EXPECT_TRUE(second.Claim(kArchived, Soon()).value());
}

TEST_F(RedisKeptChanges, TheServerHoldsNoMoreThanTheBufferAndBeyondItIsAGap) {
  options_.compression.codec = compression::Codec::kNone;
  const auto backend = Open();
  ChangeHistory& history = *RedisHistoryOf(*backend);
  constexpr std::uint64_t kBuffer = std::uint64_t{1} << 20;
  constexpr std::size_t kOfARow = 150;  // beside the value, about
  history.KeepAtMost(kArchived, kBuffer);
  for (const std::size_t size : {1, 10'000}) {
    Follower follower(history);
    const std::size_t before = follower.all().size();
    const std::size_t of_a_batch = std::min<std::size_t>(500, kBuffer / 10 / (size + kOfARow));
    std::vector<Operation> puts;
    for (std::size_t i = 0; i < of_a_batch; ++i) {
      puts.push_back(Operation::Put(ArchivedKey("k" + std::to_string(i)), std::string(size, 'v')));
    }
    std::uint64_t most = 0;
    std::size_t batches = 0;
    const auto write = [&] {
      std::vector<OperationResult> results(puts.size());
      backend->Execute(puts, results, Soon());
      EXPECT_EQ(Code(results.back()), "ok");
      most = std::max(most, Number({"MEMORY", "USAGE", "holdfast:archived:main", "SAMPLES", "0"}));
      ++batches;
    };
    // As long as it is read and released nothing is lost, however much it is in all.
    while ((size + kOfARow) * of_a_batch * batches < kBuffer * 2) {
      write();
      follower.ToTheEnd(100'000);
      follower.Release();
    }
    EXPECT_EQ(follower.gap(), "");
    EXPECT_EQ(follower.all().size() - before, of_a_batch * batches);
    do {
      ASSERT_LT(batches, 100U) << "it has to be given up";
      write();
    } while (Number({"EXISTS", "holdfast:archived:main"}) == 1);
    EXPECT_GT(most, kBuffer / 4);
    EXPECT_LT(most, kBuffer * 5 / 4);
    EXPECT_EQ(server().Cli({"HGET", "holdfast:state", "archives"}).value(), "") << "nothing is kept any more";
    write();
    EXPECT_EQ(Number({"EXISTS", "holdfast:archived:main"}), 0U);
    follower.Step();
    EXPECT_THAT(follower.gap(), HasSubstr("change_archive_buffer"));
    Put(*backend, "k", "behind it");
    follower.Step();
    EXPECT_EQ(follower.gap(), "");
    EXPECT_EQ(follower.all().back().entry->value, "behind it");
    std::cout << "values of " << size << " bytes: the server held " << most << " bytes\n";
  }
}

TEST_F(RedisKeptChanges, AServerThatWasFlushedIsAGap) {
  const auto backend = Open();
  Follower follower(*RedisHistoryOf(*backend));
  Put(*backend, "k", "1");
  follower.Step();
  ASSERT_EQ(follower.all().size(), 1U) << "the control";
  ASSERT_TRUE(server().Cli({"FLUSHALL"}).ok());
  EXPECT_THAT(GapBehind(*backend, follower.position()), HasSubstr("has lost its data"));
}

// A program of before: it leaves the version behind, and nothing for the archive.
TEST_F(RedisKeptChanges, AWriterThatKnowsNoArchivesIsAGap) {
  const auto backend = Open();
  const auto write_as_before = [&] {
    const std::string later = server().Cli({"HGET", "holdfast:state", "version"}).value();
    ASSERT_TRUE(server().Cli({"HSET", "holdfast:state", "version", Digits(std::stoll(later) + 1)}).ok());
  };
  Put(*backend, "k", "0");
  Follower follower(*RedisHistoryOf(*backend));
  Put(*backend, "k", "1");
  EXPECT_EQ(GapBehind(*backend, follower.position()), "") << "the control";
  write_as_before();
  EXPECT_THAT(GapBehind(*backend, follower.position()), HasSubstr("a version of the program"));
  Follower again(*RedisHistoryOf(*backend));
  write_as_before();
  Put(*backend, "k", "hides it");
  EXPECT_THAT(GapBehind(*backend, again.position()), HasSubstr("a version of the program"));
}

class RedisKeptChangesOnDisk : public RedisKeptChanges {
 protected:
  RedisKeptChangesOnDisk() : RedisKeptChanges(OnDisk()) {}
  static redis_servers::ServerOptions OnDisk() {
    redis_servers::ServerOptions options;
    options.append_only = true;
    return options;
  }
  void StartAgain() {
    server().Kill();
    ASSERT_TRUE(server().StartAgain().ok());
  }
  // Once it can be reached again.
  std::string GapAfterwards(Backend& backend, const std::string& position) {
    EXPECT_TRUE(Eventually([&] { return Run(backend, Operation::Put(ArchivedKey("later"), "v")).status.ok(); }));
    return GapBehind(backend, position);
  }
};

TEST_F(RedisKeptChangesOnDisk, AServerThatSyncsEachWriteLosesNothingInARestart) {
  options_.durable = true;
  const auto backend = Open();
  Follower follower(*RedisHistoryOf(*backend));
  Put(*backend, "a", "1");
  follower.Step();
  Put(*backend, "b", "2");
  for (int i = 0; i < 2; ++i) {
    StartAgain();
    ASSERT_EQ(GapAfterwards(*backend, follower.position()), "");
  }
  follower.ToTheEnd(1000);
  std::vector<std::string> values;
  for (const KeyChange& change : follower.all()) values.push_back(change.entry->value);
  // The last one more often where nobody knows what became of it.
  ASSERT_GE(values.size(), 4U);
  EXPECT_EQ(values[0], "1");
  EXPECT_EQ(values[1], "2");
  EXPECT_THAT(std::vector(values.begin() + 2, values.end()), testing::Each("v"));
}

// It does, but nobody vouches for it: another second of its log may be lost than the one that is looked at.
TEST_F(RedisKeptChangesOnDisk, OneThatNobodyCallsDurableMayHaveLostSomething) {
  const auto backend = Open();
  Follower follower(*RedisHistoryOf(*backend));
  Put(*backend, "a", "1");
  EXPECT_EQ(GapBehind(*backend, follower.position()), "") << "the control";
  StartAgain();
  EXPECT_THAT(GapAfterwards(*backend, follower.position()), HasSubstr("was started again or another one took over"));
}

TEST_F(RedisKeptChangesOnDisk, OneThatWasAReplicaMeanwhileMayHaveLostSomething) {
  options_.durable = true;
  const auto backend = Open();
  Follower follower(*RedisHistoryOf(*backend));
  const auto other = redis_servers::RedisServer::Start().value();
  // Its first replica changes its history, and means nothing.
  ASSERT_TRUE(other->Cli({"REPLICAOF", "127.0.0.1", std::to_string(server().port())}).ok());
  ASSERT_TRUE(other->AwaitReplica().ok());
  Put(*backend, "a", "1");
  EXPECT_EQ(GapBehind(*backend, follower.position()), "") << "the control";
  ASSERT_TRUE(other->Cli({"REPLICAOF", "NO", "ONE"}).ok());
  ASSERT_TRUE(server().Cli({"REPLICAOF", "127.0.0.1", std::to_string(other->port())}).ok());
  ASSERT_TRUE(server().AwaitReplica().ok());
  ASSERT_TRUE(server().Cli({"REPLICAOF", "NO", "ONE"}).ok());
  EXPECT_THAT(GapAfterwards(*backend, follower.position()), HasSubstr("another one took over"));
}

class RedisKeptChangesWithoutMemory : public RedisKeptChanges {
 protected:
  RedisKeptChangesWithoutMemory() : RedisKeptChanges(Small()) {
    options_.compression.codec = compression::Codec::kNone;
  }
  static redis_servers::ServerOptions Small() {
    redis_servers::ServerOptions options;
    options.max_memory = "8mb";
    return options;
  }
};

TEST_F(RedisKeptChangesWithoutMemory, WhatIsRefusedIsNotToldAndWhatMakesRoomIs) {
  const auto backend = Open();
  Follower follower(*RedisHistoryOf(*backend));
  std::size_t stored = 0;
  OperationResult put;
  for (; stored < 200; ++stored) {
    put = Run(*backend, Operation::Put(ArchivedKey(std::to_string(stored)), std::string(128 << 10, 'v')));
    if (!put.status.ok()) break;
  }
  ASSERT_GT(stored, 2U);
  ASSERT_EQ("resource_exhausted", Code(put));
  ASSERT_TRUE(server().Cli({"CONFIG", "SET", "maxmemory", "4mb"}).ok());
  EXPECT_TRUE(Run(*backend, Operation::Delete(ArchivedKey("0"))).status.ok());
  follower.ToTheEnd(1'000'000);
  follower.Release();
  EXPECT_EQ(follower.gap(), "");
  ASSERT_EQ(follower.all().size(), stored + 1);
  EXPECT_EQ(follower.all().back().key, ArchivedKey("0"));
  EXPECT_EQ(follower.all().back().entry, nullptr);
}

// With sentinels: what the next master does not have is lost, and nobody can say what that is.
TEST(RedisKeptChangesFailover, redis_sentinel_AnotherMasterIsAGapAndItsChangesAreReadOn) {
  const auto group = redis_servers::SentinelGroup::Start().value();
  RedisOptions options;
  options.client.target = redis::ParseUrl(group->Url()).value();
  options.poll_interval = std::chrono::milliseconds{20};
  const auto backend = OpenRedisBackend(options).value();
  ASSERT_TRUE(backend->CheckHealth(Soon()).ok());
  const auto put = [&](const std::string& value) {
    return ExecuteOne(*backend, Operation::Put(ArchivedKey("k"), value), Soon()).status.ok();
  };
  Follower follower(*RedisHistoryOf(*backend));
  ASSERT_TRUE(put("1"));
  follower.Step();
  ASSERT_EQ(follower.all().size(), 1U) << "the control";
  ASSERT_TRUE(put("not read before"));
  redis_servers::RedisServer* const before = group->Master().value();
  before->Kill();
  ASSERT_TRUE(group->AwaitOtherMaster(*before).ok());
  ASSERT_TRUE(Eventually([&] { return put("2"); }, std::chrono::seconds{60}));
  // Whatever was kept came along, and does not count.
  ASSERT_TRUE(Eventually([&] {
    const auto page = RedisHistoryOf(*backend)->Read(follower.position(), kArchived, 1000, Soon());
    return page.ok() && page->gap.find("another one took over") != std::string::npos;
  }));
  Follower again(*RedisHistoryOf(*backend));
  ASSERT_TRUE(put("3"));
  again.Step();
  EXPECT_EQ(again.gap(), "");
  ASSERT_EQ(again.all().size(), 1U);
  EXPECT_EQ(again.all()[0].entry->value, "3");
}

}  // namespace
}  // namespace holdfast::storage::redis_backend
