// A batch of puts is one step of the server, by the script `put` where it can and by `write` where it cannot: each put
// is answered by itself, and the two scripts leave the same rows, indexes and counts.
#include <fmt/format.h>

#include "service/backends/redis/scripts.h"
#include "tests/unit/service/backends/redis/redis_bench.h"
#include "tests/waiting/eventually.h"

namespace holdfast::storage::redis_backend {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

constexpr int kKeys = 20;

std::vector<Operation> Puts(const std::string& value, int count = kKeys) {
  std::vector<Operation> puts;
  for (int i = 0; i < count; ++i) puts.push_back(Operation::Put(fmt::format("k{}", i), value));
  return puts;
}

class RedisBatchPuts : public RedisBench {
 protected:
  static std::vector<OperationResult> Execute(Backend& backend, const std::vector<Operation>& operations) {
    std::vector<OperationResult> results(operations.size());
    backend.Execute(operations, results, Deadline::After(seconds{20}));
    return results;
  }
  std::string Cli(const std::vector<std::string>& words) {
    std::string said = server().Cli(words).value();
    while (!said.empty() && said.back() == '\n') said.pop_back();
    return said;
  }
  bool Knows(const redis::Script& script) { return Cli({"SCRIPT", "EXISTS", script.sha1()}) == "1"; }
  // What rows and indexes hold, without versions and instants that differ from run to run.
  std::string Kept() {
    std::string kept =
        Cli({"ZRANGE", "holdfast:index", "0", "-1"}) + "|" + Cli({"ZRANGE", "holdfast:expiry", "0", "-1"});
    for (int i = 0; i < kKeys; ++i) {
      const std::string name = fmt::format("holdfast:e:k{}", i);
      kept += fmt::format("|{}{}{}", Cli({"GETRANGE", name, "0", "0"}), Cli({"GETRANGE", name, "49", "-1"}),
                          Cli({"STRLEN", name}));
    }
    return kept + "|" + Cli({"HGET", "holdfast:state", "bytes"});
  }
};

TEST_F(RedisBatchPuts, redis_EachIsAnsweredByItself) {
  const auto backend = Open();
  const Version old = Run(*backend, Operation::Put("k3", "old")).version;
  std::vector<Operation> batch = Puts("new");
  batch[3] = Operation::Put("k3", "wrong", Precondition::VersionIs(old + 1));
  batch[7] = Operation::Put("k3", "exists", Precondition::Absent());
  batch[11] = Operation::Put("", "no key");
  batch[12] = Operation::Put("k12", "twice");
  batch.push_back(Operation::Put("k12", "again"));
  const std::vector<OperationResult> results = Execute(*backend, batch);
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const std::string expected = i == 3    ? "version_conflict"
                                 : i == 7  ? "already_exists"
                                 : i == 11 ? "invalid_argument"
                                           : "ok";
    EXPECT_EQ(expected, Code(results[i])) << i;
  }
  EXPECT_EQ("old", Run(*backend, Operation::Get("k3")).entry->value);
  EXPECT_EQ("again", Run(*backend, Operation::Get("k12")).entry->value);
  EXPECT_GT(results.back().version, results[12].version);
  EXPECT_EQ("new", Run(*backend, Operation::Get("k19")).entry->value);
}

TEST_F(RedisBatchPuts, redis_AServerThatForgotTheScriptsIsToldThemAgainAndEachPutIsDoneOnce) {
  const auto heard = std::make_shared<ChainListener>();
  const auto backend = Open(heard);
  for (const OperationResult& result : Execute(*backend, Puts("1"))) ASSERT_TRUE(result.status.ok());
  const int before = heard->heard();
  Cli({"SCRIPT", "FLUSH"});
  const std::vector<OperationResult> results = Execute(*backend, Puts("2"));
  const Scripts scripts;
  EXPECT_TRUE(Knows(scripts.put));
  EXPECT_FALSE(Knows(scripts.write));
  for (std::size_t i = 0; i < results.size(); ++i) {
    ASSERT_TRUE(results[i].status.ok()) << results[i].status.error().ToString();
    const OperationResult got = Run(*backend, Operation::Get(fmt::format("k{}", i)));
    EXPECT_EQ("2", got.entry->value);
    EXPECT_EQ(results[i].version, got.entry->version);
    if (i > 0) {
      EXPECT_GT(results[i].version, results[i - 1].version);
    }
  }
  EXPECT_TRUE(Eventually([&] { return backend->AwaitListener(); }));
  EXPECT_EQ(before + kKeys, heard->heard());
  EXPECT_EQ(0, heard->broken());
  ASSERT_TRUE(Run(*backend, Operation::Delete("k1")).status.ok());
  EXPECT_TRUE(Knows(scripts.write));
}

// A get among them makes `write` do the same.
TEST_F(RedisBatchPuts, redis_BothScriptsLeaveTheSame) {
  options_.compression = {compression::Codec::kZstd, 3, 100};
  // One that stands, one that expires, one that has expired and is still there, one that is packed, and new ones.
  const std::vector<Operation> before = {Operation::Put("k1", "stands"),
                                         Operation::Put("k2", "expires", {}, Expiry::After(hours{1})),
                                         Operation::Put("k4", std::string(5'000, 'p')), Operation::Put("k5", "5")};
  std::vector<std::string> kept;
  for (const bool with_get : {false, true}) {
    Cli({"FLUSHALL"});
    const auto backend = Open();
    for (const OperationResult& result : Execute(*backend, before)) ASSERT_TRUE(result.status.ok());
    const Timestamp created = Run(*backend, Operation::Get("k2")).entry->created_at;
    Cli({"SETRANGE", "holdfast:e:k5", "49", "0000000000000001"});
    std::vector<Operation> batch = Puts("next");
    batch[6].value = std::string(5'000, 'q');
    if (with_get) batch.push_back(Operation::Get("none"));
    const std::vector<OperationResult> results = Execute(*backend, batch);
    for (int i = 0; i < kKeys; ++i) {
      ASSERT_TRUE(results[static_cast<std::size_t>(i)].status.ok());
      const EntryPtr entry = Run(*backend, Operation::Get(fmt::format("k{}", i))).entry;
      ASSERT_TRUE(entry);
      EXPECT_EQ(batch[static_cast<std::size_t>(i)].value, entry->value);
      EXPECT_FALSE(entry->expires_at);
      if (i == 2) {
        EXPECT_EQ(created, entry->created_at);
      } else if (i == 5) {
        EXPECT_EQ(entry->updated_at, entry->created_at);
      }
    }
    kept.push_back(Kept());
    EXPECT_EQ(static_cast<std::uint64_t>(kKeys), backend->statistics().entries);
  }
  EXPECT_EQ(kept[0], kept[1]);
  EXPECT_NE(std::string::npos, kept[0].find("||"));  // nothing expires
}

TEST_F(RedisBatchPuts, redis_OthersHearOfEachInOrder) {
  const auto heard = std::make_shared<ChainListener>();
  const auto backend = Open();
  const auto other = Open(heard);
  for (int round = 0; round < 3; ++round) {
    const std::vector<OperationResult> results = Execute(*backend, Puts(std::to_string(round)));
    EXPECT_TRUE(Eventually([&] { return other->AwaitListener(); }));
    for (std::size_t i = 0; i < results.size(); ++i) EXPECT_EQ(results[i].version, heard->Last(fmt::format("k{}", i)));
  }
  EXPECT_EQ(3 * kKeys, heard->heard());
  EXPECT_EQ(0, heard->broken());
}

// What one MSET takes is less than that.
TEST_F(RedisBatchPuts, redis_AsManyAsOneStepTakes) {
  const auto backend = Open();
  constexpr int kMany = 512;
  for (const std::string value : {"1", "2"}) {
    for (const OperationResult& result : Execute(*backend, Puts(value, kMany))) ASSERT_TRUE(result.status.ok());
  }
  EXPECT_EQ("2", Run(*backend, Operation::Get("k511")).entry->value);
  EXPECT_EQ(static_cast<std::uint64_t>(kMany), backend->Count(KeyRange::All(), Deadline::Infinite()).value());
}

}  // namespace
}  // namespace holdfast::storage::redis_backend
