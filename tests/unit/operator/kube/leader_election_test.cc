// Pacing is real (milliseconds), judging time is a clock moved by hand: whether a lease has expired never depends on
// how fast the machine is.
#include "operator/kube/leader_election.h"

#include <atomic>

#include "tests/unit/operator/kube/memory_client.h"
#include "tests/waiting/eventually.h"

namespace holdfast::kube {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const ObjectKey kLeaseKey{"prod", "holdfast-operator"};

LeaderElectionOptions Options(const std::string& identity) {
  LeaderElectionOptions options;
  options.ns = kLeaseKey.ns;
  options.identity = identity;
  options.lease_duration = seconds{15};
  options.renew_deadline = seconds{10};
  options.retry_period = milliseconds{5};
  return options;
}

// One process that takes part.
class Contender {
 public:
  Contender(MemoryClient& client, const LeaderElectionOptions& options, const Clock& clock)
      : thread_([this, &client, options, &clock](const std::stop_token& stop) {
          Status status = RunAsLeader(
              client, options, stop,
              [this](const std::stop_token& lead) {
                leading_ = true;
                while (!lead.stop_requested() || hold_) std::this_thread::sleep_for(milliseconds{1});
                leading_ = false;
              },
              clock);
          const std::lock_guard lock(mutex_);
          status_ = std::move(status);
        }) {}

  bool leading() const { return leading_; }
  // While true, the work does not end although it was told to.
  void Hold(bool hold) { hold_ = hold; }
  void Stop() { thread_.request_stop(); }
  std::optional<Status> Ended() const {
    const std::lock_guard lock(mutex_);
    return status_;
  }
  bool HasEnded() const { return Ended().has_value(); }

 private:
  std::atomic<bool> leading_{false};
  std::atomic<bool> hold_{false};
  mutable std::mutex mutex_;
  std::optional<Status> status_;
  std::jthread thread_;
};

class LeaderElectionTest : public testing::Test {
 protected:
  // Until the contender has looked at the lease some more times.
  void LetThemLook() {
    const int before = client_.Calls("get");
    ASSERT_TRUE(Eventually([&] { return client_.Calls("get") >= before + 6; }));
  }

  // Looks may all be those of who waits.
  void AwaitRenewal() {
    const std::string before = ResourceVersionOf(client_.Peek(kLeaseKey));
    ASSERT_TRUE(Eventually([&] { return ResourceVersionOf(client_.Peek(kLeaseKey)) != before; }));
  }

  MemoryClient client_;
  ManualClock clock_;
};

TEST_F(LeaderElectionTest, TheFirstCandidateLeadsAndWritesAValidLease) {
  Contender a(client_, Options("a"), clock_);
  ASSERT_TRUE(Eventually([&] { return a.leading(); }));
  const Json lease = client_.Peek(kLeaseKey);
  EXPECT_EQ(lease["apiVersion"], "coordination.k8s.io/v1");
  EXPECT_EQ(lease["spec"]["holderIdentity"], "a");
  EXPECT_EQ(lease["spec"]["leaseDurationSeconds"], 15);
  EXPECT_EQ(lease["spec"]["leaseTransitions"], 0);
  EXPECT_EQ(lease["spec"]["renewTime"], "2023-11-14T22:13:20.000000Z");
  a.Stop();
  ASSERT_TRUE(Eventually([&] { return a.HasEnded(); }));
  EXPECT_TRUE(a.Ended()->ok());
}

TEST_F(LeaderElectionTest, AReleasedLeaseIsTakenWithoutWaiting) {
  Contender a(client_, Options("a"), clock_);
  ASSERT_TRUE(Eventually([&] { return a.leading(); }));
  Contender b(client_, Options("b"), clock_);
  LetThemLook();
  EXPECT_FALSE(b.leading());
  a.Stop();
  ASSERT_TRUE(Eventually([&] { return b.leading(); }));  // the clock never moved
  EXPECT_FALSE(a.leading());
  EXPECT_EQ(client_.Peek(kLeaseKey)["spec"]["leaseTransitions"], 1);
}

TEST_F(LeaderElectionTest, ADeadHoldersLeaseIsTakenOnlyAfterItWasSeenUnchangedForItsDuration) {
  // Renewed an hour ago by its holder's clock: that says nothing.
  client_.Put(Json::parse(R"({"kind": "Lease", "metadata": {"name": "holdfast-operator", "namespace": "prod"},
      "spec": {"holderIdentity": "dead", "leaseDurationSeconds": 20, "renewTime": "2023-11-14T21:13:20.000000Z",
               "acquireTime": "2023-11-14T21:13:20.000000Z", "leaseTransitions": 4}})"));
  Contender b(client_, Options("b"), clock_);
  LetThemLook();
  clock_.Advance(seconds{20} - milliseconds{1});  // the record's own duration, not ours
  LetThemLook();
  EXPECT_FALSE(b.leading());
  clock_.Advance(milliseconds{1});
  ASSERT_TRUE(Eventually([&] { return b.leading(); }));
  EXPECT_EQ(client_.Peek(kLeaseKey)["spec"]["leaseTransitions"], 5);
}

TEST_F(LeaderElectionTest, EveryRenewalStartsTheWaitAnew) {
  const auto renewed = [&](int second) {
    client_.Put({{"kind", "Lease"},
                 {"metadata", {{"name", kLeaseKey.name}, {"namespace", kLeaseKey.ns}}},
                 {"spec",
                  {{"holderIdentity", "alive"},
                   {"leaseDurationSeconds", 15},
                   // A format of its own, unreadable to us: alive all the same.
                   {"renewTime", "tick " + std::to_string(second)}}}});
  };
  renewed(0);
  Contender b(client_, Options("b"), clock_);
  for (int i = 1; i < 5; ++i) {
    LetThemLook();
    clock_.Advance(seconds{14});
    renewed(i);
    LetThemLook();
    EXPECT_FALSE(b.leading());
  }
  clock_.Advance(seconds{15});
  EXPECT_TRUE(Eventually([&] { return b.leading(); }));
}

TEST_F(LeaderElectionTest, TheWallClockDoesNotMatter) {
  Contender a(client_, Options("a"), clock_);
  ASSERT_TRUE(Eventually([&] { return a.leading(); }));
  Contender b(client_, Options("b"), clock_);
  for (const auto jump : {std::chrono::hours{1}, std::chrono::hours{-2}}) {
    clock_.JumpTo(clock_.Now() + jump);
    LetThemLook();
    EXPECT_TRUE(a.leading());
    EXPECT_FALSE(b.leading());
  }
}

TEST_F(LeaderElectionTest, ALeaseThatCannotBeRenewedEndsTheWork) {
  Contender a(client_, Options("a"), clock_);
  ASSERT_TRUE(Eventually([&] { return a.leading(); }));
  client_.SetBefore([](const std::string&, const ObjectKey&) -> Status {
    return Error(ErrorCode::kUnavailable, "the API server is away");
  });
  LetThemLook();
  EXPECT_TRUE(a.leading());  // an outage shorter than renew_deadline costs nothing
  clock_.Advance(seconds{10});
  ASSERT_TRUE(Eventually([&] { return a.HasEnded(); }));
  EXPECT_FALSE(a.leading());
  EXPECT_EQ(a.Ended()->error().code(), ErrorCode::kFailedPrecondition);
}

TEST_F(LeaderElectionTest, AnOutageThatEndsInTimeIsSurvived) {
  Contender a(client_, Options("a"), clock_);
  ASSERT_TRUE(Eventually([&] { return a.leading(); }));
  client_.SetBefore([](const std::string&, const ObjectKey&) -> Status {
    return Error(ErrorCode::kUnavailable, "the API server is away");
  });
  LetThemLook();
  clock_.Advance(seconds{9});
  client_.SetBefore({});
  const Json before = client_.Peek(kLeaseKey);
  ASSERT_TRUE(Eventually([&] { return ResourceVersionOf(client_.Peek(kLeaseKey)) != ResourceVersionOf(before); }));
  clock_.Advance(seconds{9});
  LetThemLook();
  EXPECT_TRUE(a.leading());
}

TEST_F(LeaderElectionTest, ALeaseTakenByAnotherEndsTheWorkAtOnce) {
  Contender a(client_, Options("a"), clock_);
  ASSERT_TRUE(Eventually([&] { return a.leading(); }));
  Json lease = client_.Peek(kLeaseKey);
  lease["spec"]["holderIdentity"] = "usurper";
  client_.Put(lease);
  ASSERT_TRUE(Eventually([&] { return a.HasEnded(); }));
  EXPECT_EQ(a.Ended()->error().code(), ErrorCode::kFailedPrecondition);
  EXPECT_NE(a.Ended()->error().message().find("usurper"), std::string::npos);
  // What is not ours is not released.
  EXPECT_EQ(client_.Peek(kLeaseKey)["spec"]["holderIdentity"], "usurper");
}

TEST_F(LeaderElectionTest, AProcessThatSleptTooLongDoesNotGoOn) {
  Contender a(client_, Options("a"), clock_);
  ASSERT_TRUE(Eventually([&] { return a.leading(); }));
  // SIGSTOP for longer than the lease: on waking, the first thing it does must not be to renew.
  client_.SetBefore([this](const std::string& verb, const ObjectKey&) -> Status {
    if (verb == "get") clock_.Advance(seconds{20});
    return {};
  });
  ASSERT_TRUE(Eventually([&] { return a.HasEnded(); }));
  EXPECT_EQ(a.Ended()->error().code(), ErrorCode::kFailedPrecondition);
}

TEST_F(LeaderElectionTest, WhileTheWorkWindsDownTheLeaseIsRenewedAndNobodyElseBegins) {
  Contender a(client_, Options("a"), clock_);
  ASSERT_TRUE(Eventually([&] { return a.leading(); }));
  Contender b(client_, Options("b"), clock_);
  a.Hold(true);
  a.Stop();
  for (int i = 0; i < 5; ++i) {
    clock_.Advance(seconds{5});
    AwaitRenewal();
    LetThemLook();
    EXPECT_TRUE(a.leading());
    EXPECT_FALSE(b.leading());
  }
  a.Hold(false);
  EXPECT_TRUE(Eventually([&] { return b.leading(); }));
  EXPECT_TRUE(a.Ended()->ok());
}

TEST_F(LeaderElectionTest, ALostAnswerIsReadAgain) {
  client_.LoseNextAnswer();  // of the create
  Contender a(client_, Options("a"), clock_);
  ASSERT_TRUE(Eventually([&] { return a.leading(); }));
  for (int i = 0; i < 5; ++i) {
    client_.LoseNextAnswer();  // of a renewal
    LetThemLook();
    clock_.Advance(seconds{4});
  }
  EXPECT_TRUE(a.leading());
  EXPECT_EQ(client_.Peek(kLeaseKey)["spec"]["leaseTransitions"], 0);
}

TEST_F(LeaderElectionTest, ADeletedLeaseIsMadeAgain) {
  Contender a(client_, Options("a"), clock_);
  ASSERT_TRUE(Eventually([&] { return a.leading(); }));
  ASSERT_TRUE(client_.Delete(kinds::kLease, kLeaseKey, {}, Deadline::Infinite()).ok());
  ASSERT_TRUE(Eventually([&] { return client_.Peek(kLeaseKey).is_object(); }));
  LetThemLook();
  EXPECT_TRUE(a.leading());
}

TEST_F(LeaderElectionTest, AtMostOneOfManyLeads) {
  std::vector<std::unique_ptr<Contender>> contenders;
  for (int i = 0; i < 6; ++i) {
    contenders.push_back(std::make_unique<Contender>(client_, Options("c" + std::to_string(i)), clock_));
  }
  const auto leaders = [&] {
    return std::count_if(contenders.begin(), contenders.end(), [](const auto& c) { return c->leading(); });
  };
  while (!contenders.empty()) {
    ASSERT_TRUE(Eventually([&] { return leaders() == 1; }));
    LetThemLook();
    ASSERT_EQ(leaders(), 1);
    const auto leader = std::find_if(contenders.begin(), contenders.end(), [](const auto& c) { return c->leading(); });
    contenders.erase(leader);  // its destructor stops it and waits
    ASSERT_LE(leaders(), 1);
  }
}

TEST_F(LeaderElectionTest, WorkThatEndsByItselfReleasesTheLease) {
  const Status status = RunAsLeader(
      client_, Options("a"), {}, [](const std::stop_token&) {}, clock_);
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(client_.Peek(kLeaseKey)["spec"]["holderIdentity"], "");
}

TEST_F(LeaderElectionTest, StoppedWhileWaitingItNeverLeads) {
  Contender a(client_, Options("a"), clock_);
  ASSERT_TRUE(Eventually([&] { return a.leading(); }));
  Contender b(client_, Options("b"), clock_);
  LetThemLook();
  b.Stop();
  ASSERT_TRUE(Eventually([&] { return b.HasEnded(); }));
  EXPECT_TRUE(b.Ended()->ok());
  EXPECT_TRUE(a.leading());
}

TEST_F(LeaderElectionTest, OptionsOutOfOrderAreRefused) {
  const auto refused = [&](const std::function<void(LeaderElectionOptions&)>& change) {
    LeaderElectionOptions options = Options("a");
    change(options);
    const Status status = RunAsLeader(
        client_, options, {}, [](const std::stop_token&) {}, clock_);
    return !status.ok() && status.error().code() == ErrorCode::kInvalidArgument;
  };
  EXPECT_TRUE(refused([](auto& options) { options.lease_duration = options.renew_deadline; }));
  EXPECT_TRUE(refused([](auto& options) { options.retry_period = milliseconds{9'000}; }));
  EXPECT_TRUE(refused([](auto& options) { options.retry_period = milliseconds{0}; }));
  EXPECT_TRUE(refused([](auto& options) { options.identity.clear(); }));
  EXPECT_TRUE(refused([](auto& options) { options.ns.clear(); }));
  EXPECT_TRUE(refused([](auto& options) { options.name.clear(); }));
  EXPECT_EQ(client_.Calls("get"), 0);
}

}  // namespace
}  // namespace holdfast::kube
