// A store on three replicas of which one after the other is lost or hangs while clients are at it; and the same with
// quorums that do not meet, which must be caught. HOLDFAST_SEED chooses what the clients ask and which replica is lost.
#include <gtest/gtest.h>

#include <cstdio>
#include <random>
#include <thread>

#include "service/backends/memory/memory_backend.h"
#include "service/composition/replicated_backend.h"
#include "tests/linearizability/rounds.h"
#include "tests/unit/service/composition/removable_backend.h"

namespace holdfast::linearizability {
namespace {

using composition::RemovableBackend;

constexpr int kRounds = 15;
constexpr int kMostRoundsToBeCaught = 2'000;

class Replicas {
 public:
  explicit Replicas(const composition::ReplicaOptions& options) {
    std::vector<composition::NamedReplica> named;
    for (const char* name : {"a", "b", "c"}) {
      replicas_.push_back(std::make_shared<RemovableBackend>(std::shared_ptr(storage::MakeMemoryBackend({}, clock_))));
      named.push_back({name, replicas_.back()});
    }
    store_ = std::make_unique<composition::ReplicatedBackend>(named, options, storage::Limits{}, clock_);
    store_->SetChangeListener(nullptr);
    store_->Start();
  }
  storage::Backend& store() { return *store_; }
  storage::ReplicationStatus status() const { return store_->status(); }

  // One after the other is taken away and given back, until told to stop.
  void Disturb(std::uint64_t seed, const std::atomic<bool>& stop) {
    std::mt19937_64 random(seed);
    while (!stop) {
      const std::size_t one = random() % replicas_.size();
      replicas_[one]->Set(random() % 2 == 0 ? RemovableBackend::State::kGone : RemovableBackend::State::kHangs);
      Await(stop, [&] { return status().replicas[one].standing != "up"; });
      replicas_[one]->Set(RemovableBackend::State::kThere);
      ++disturbances_;
      Await(stop, [&] { return Up() == replicas_.size(); });
    }
    AwaitAllUp();
  }
  void AwaitAllUp() {
    const std::atomic<bool> never{false};
    Await(never, [&] { return Up() == replicas_.size(); });
  }
  int disturbances() const { return disturbances_; }

 private:
  std::size_t Up() const {
    std::size_t up = 0;
    for (const storage::ReplicaStatus& replica : status().replicas) up += replica.standing == "up" ? 1 : 0;
    return up;
  }
  std::string Standings() const {
    std::string text;
    for (const storage::ReplicaStatus& replica : status().replicas) {
      text += "; " + replica.name + " " + replica.standing + ": " + replica.reason;
    }
    return text;
  }
  template <typename Condition>
  void Await(const std::atomic<bool>& stop, const Condition& condition) const {
    const Deadline patience = Deadline::After(std::chrono::seconds{60});
    while (!stop && !condition()) {
      if (patience.Expired()) {
        ADD_FAILURE() << "a replica does not go or does not come back" << Standings();
        return;
      }
      std::this_thread::yield();
    }
  }

  ManualClock clock_;
  std::vector<std::shared_ptr<RemovableBackend>> replicas_;
  std::unique_ptr<composition::ReplicatedBackend> store_;
  std::atomic<int> disturbances_{0};
};

composition::ReplicaOptions Impatient() {
  composition::ReplicaOptions options;
  options.store = "s";
  options.call_timeout = std::chrono::seconds{1};
  options.retry_pause = std::chrono::milliseconds{2};
  return options;
}

void ExpectSoundWhileReplicasAreLost(bool transactions) {
  std::printf("HOLDFAST_SEED=%llu\n", static_cast<unsigned long long>(Seed()));
  Replicas replicas(Impatient());
  replicas.AwaitAllUp();
  std::atomic<bool> stop{false};
  std::size_t calls = 0;
  std::thread disturbing([&] { replicas.Disturb(Seed(), stop); });
  // And until the replicas were lost often enough to prove something.
  const auto disturbed = [&] { return replicas.disturbances() >= 3 && replicas.status().leader_changes >= 1; };
  const Deadline patience = Deadline::After(std::chrono::seconds{60});
  for (int round = 0; round < kRounds || (!disturbed() && !patience.Expired()); ++round) {
    const std::string broken = Broken(replicas.store(), Round(round, transactions), &calls);
    EXPECT_EQ(broken, "") << "HOLDFAST_SEED=" << Seed();
    if (!broken.empty()) break;
  }
  stop = true;
  disturbing.join();
  EXPECT_TRUE(disturbed()) << replicas.disturbances() << " losses are not enough to prove anything";
  EXPECT_EQ(0u, replicas.status().divergences);
}

TEST(ReplicatedLinearizability, SingleOperationsWhileReplicasAreLost) {
  ExpectSoundWhileReplicasAreLost(false);
}
TEST(ReplicatedLinearizability, TransactionsWhileReplicasAreLost) {
  ExpectSoundWhileReplicasAreLost(true);
}

TEST(ReplicatedLinearizability, ControlQuorumsThatDoNotMeetAreCaught) {
  composition::ReplicaOptions options = Impatient();
  options.eventual = true;
  options.write_quorum = options.read_quorum = 1;
  Replicas replicas(options);
  replicas.AwaitAllUp();
  std::size_t calls = 0;
  for (int round = 0; round < kMostRoundsToBeCaught; ++round) {
    if (!Broken(replicas.store(), Round(round, false), &calls).empty()) return;
  }
  FAIL() << "one replica written and one read are not caught in " << calls << " calls, HOLDFAST_SEED=" << Seed();
}

}  // namespace
}  // namespace holdfast::linearizability
