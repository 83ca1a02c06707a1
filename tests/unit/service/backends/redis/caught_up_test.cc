// What it proves that AwaitListener says true: whatever has happened to the server before, the listener has heard of
// it, or that it has missed something.
#include "tests/unit/service/backends/redis/redis_bench.h"
#include "tests/waiting/eventually.h"

namespace holdfast::storage::redis_backend {
namespace {

class RedisCaughtUp : public RedisBench {
 protected:
  RedisCaughtUp() : RedisBench(Kept()) {}
  static redis_servers::ServerOptions Kept() {
    redis_servers::ServerOptions options;
    options.append_only = true;
    return options;
  }
  // What it writes is in no stream.
  void AwaitAlone(Backend& backend) {
    ASSERT_TRUE(Eventually([&] {
      EXPECT_TRUE(Run(backend, Operation::Put("k", "1")).status.ok());
      const std::string position = server().Cli({"HGET", "holdfast:state", "position"}).value();
      EXPECT_TRUE(Run(backend, Operation::Put("k", "1")).status.ok());
      return server().Cli({"HGET", "holdfast:state", "position"}).value() == position;
    }));
  }
  // Asks until the answer is true; the listener was told by then that it has missed something.
  static void ExpectProvedOnceMissed(Backend& backend, ChainListener& listener, int missed_before) {
    int told = 0;
    EXPECT_TRUE(Eventually([&] {
      const bool proved = backend.AwaitListener();
      told = listener.missed();
      return proved;
    }));
    EXPECT_GT(told, missed_before) << "true, with what was read before still standing";
  }
};

TEST_F(RedisCaughtUp, redis_WhatOthersWroteHasBeenTold) {
  const auto heard = std::make_shared<ChainListener>();
  const auto backend = Open(heard);
  const auto other = Open();
  for (int i = 0; i < 50; ++i) {
    const Version version = Run(*other, Operation::Put("k", std::to_string(i))).version;
    ASSERT_TRUE(Eventually([&] { return backend->AwaitListener(); }));
    ASSERT_EQ(version, heard->Last("k"));
  }
  ASSERT_TRUE(server().Cli({"SCRIPT", "FLUSH"}).ok());
  EXPECT_TRUE(Eventually([&] { return backend->AwaitListener(); }));
  EXPECT_EQ(0, heard->missed());
}

TEST_F(RedisCaughtUp, redis_fault_AServerThatDoesNotAnswerProvesNothing) {
  options_.client.connect_timeout = std::chrono::milliseconds{1'000};
  const auto heard = std::make_shared<ChainListener>();
  const auto backend = Open(heard);
  ASSERT_TRUE(Eventually([&] { return backend->AwaitListener(); }));
  server().Freeze();
  EXPECT_FALSE(backend->AwaitListener());
  server().Thaw();
  EXPECT_TRUE(Eventually([&] { return backend->AwaitListener(); }));
  server().Kill();
  EXPECT_FALSE(backend->AwaitListener());
}

TEST_F(RedisCaughtUp, redis_fault_DataThatWasThrownAwayIsMissed) {
  const auto heard = std::make_shared<ChainListener>();
  const auto backend = Open(heard);
  ASSERT_TRUE(Run(*backend, Operation::Put("k", "v")).status.ok());
  ASSERT_TRUE(Eventually([&] { return backend->AwaitListener(); }));
  const int before = heard->missed();
  ASSERT_TRUE(server().Cli({"FLUSHALL"}).ok());
  ExpectProvedOnceMissed(*backend, *heard, before);
}

// The other comes first to the empty data, and gives it an epoch and positions.
TEST_F(RedisCaughtUp, redis_fault_DataThatAnotherHasBegunAnewIsMissed) {
  const auto heard = std::make_shared<ChainListener>();
  const auto backend = Open(heard);
  const auto other = Open();
  ASSERT_TRUE(Run(*other, Operation::Put("k", "v")).status.ok());
  ASSERT_TRUE(Eventually([&] { return backend->AwaitListener(); }));
  const int before = heard->missed();
  ASSERT_TRUE(server().Cli({"FLUSHALL"}).ok());
  ASSERT_TRUE(Eventually([&] { return Run(*other, Operation::Put("k", "w")).status.ok(); }));
  ExpectProvedOnceMissed(*backend, *heard, before);
}

TEST_F(RedisCaughtUp, redis_fault_AnotherStartIsMissedWithAndWithoutItsData) {
  for (const bool emptied : {false, true}) {
    const auto heard = std::make_shared<ChainListener>();
    const auto backend = Open(heard);
    ASSERT_TRUE(Run(*backend, Operation::Put("k", "v")).status.ok());
    ASSERT_TRUE(Eventually([&] { return backend->AwaitListener(); }));
    const int before = heard->missed();
    server().Kill();
    if (emptied) {
      ASSERT_TRUE(server().EmptyData().ok());
    }
    ASSERT_TRUE(server().StartAgain().ok());
    ExpectProvedOnceMissed(*backend, *heard, before);
  }
}

// The same process with the data of another: everything it says of itself is as before, but for its history.
TEST_F(RedisCaughtUp, redis_fault_AMasterThatWasAReplicaInBetweenIsAnother) {
  redis_servers::ServerOptions options = Kept();
  options.replica_of = server().port();
  const auto replica = redis_servers::RedisServer::Start(options).value();
  ASSERT_TRUE(replica->AwaitReplica().ok());
  const auto heard = std::make_shared<ChainListener>();
  const auto backend = Open(heard);
  ASSERT_TRUE(Run(*backend, Operation::Put("k", "v")).status.ok());
  ASSERT_TRUE(Eventually([&] { return backend->AwaitListener(); }));
  ASSERT_TRUE(replica->AwaitReplica().ok());
  const int before = heard->missed();
  ASSERT_TRUE(replica->Cli({"REPLICAOF", "NO", "ONE"}).ok());
  ASSERT_TRUE(server().Cli({"REPLICAOF", "127.0.0.1", std::to_string(replica->port())}).ok());
  ASSERT_TRUE(server().AwaitReplica().ok());
  ASSERT_TRUE(server().Cli({"REPLICAOF", "NO", "ONE"}).ok());
  ExpectProvedOnceMissed(*backend, *heard, before);
}

// The row that it replaces is damaged: it was done, and nobody can say what was there before.
TEST_F(RedisCaughtUp, redis_fault_AWriteThatCannotBeToldOfIsMissed) {
  const auto heard = std::make_shared<ChainListener>();
  const auto backend = Open(heard);
  AwaitAlone(*backend);
  ASSERT_TRUE(Eventually([&] { return backend->AwaitListener(); }));
  // The digits of the attributes' length (docs/formats/redis.md).
  ASSERT_TRUE(server().Cli({"SETRANGE", "holdfast:e:k", "65", "????????"}).ok());
  const int before = heard->missed();
  EXPECT_EQ("corruption", Code(Run(*backend, Operation::Put("k", "2"))));
  ExpectProvedOnceMissed(*backend, *heard, before);
  const OperationResult stands = Run(*backend, Operation::Get("k"));
  ASSERT_TRUE(stands.status.ok()) << stands.status.error().ToString();
  EXPECT_EQ("2", stands.entry->value) << "it was done after all, or this case shows nothing";
}

// A write that was sent to a frozen server, and that nobody waits for any more when it is done.
TEST_F(RedisCaughtUp, redis_fault_AWriteOfUnknownFateIsMissedOrHeardOf) {
  const auto heard = std::make_shared<ChainListener>();
  const auto backend = Open(heard);
  AwaitAlone(*backend);
  ASSERT_TRUE(Eventually([&] { return backend->AwaitListener(); }));
  const int before = heard->missed();
  server().Freeze();
  // Until one has been sent, on a machine however busy.
  EXPECT_TRUE(Eventually([&] {
    return Code(ExecuteOne(*backend, Operation::Put("k", "2"), Deadline::After(std::chrono::milliseconds{500}))) ==
           "outcome_unknown";
  }));
  server().Thaw();
  ExpectProvedOnceMissed(*backend, *heard, before);
  const OperationResult stands = Run(*backend, Operation::Get("k"));
  ASSERT_TRUE(stands.status.ok()) << stands.status.error().ToString();
  EXPECT_EQ("2", stands.entry->value) << "it was done after all, or this case shows nothing";
}

}  // namespace
}  // namespace holdfast::storage::redis_backend
