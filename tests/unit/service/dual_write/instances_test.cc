// Several instances serve a store while it moves, and come and go.
#include <atomic>
#include <deque>
#include <map>
#include <random>

#include "tests/unit/service/dual_write/moving_store.h"

namespace holdfast::dual_write {
namespace {

using storage::Operation;

// A client: writes keys of its own through whatever instance is there, and remembers what was acknowledged.
class Client {
 public:
  // `instances` may be exchanged under `mutex` while it runs.
  Client(int number, std::vector<std::shared_ptr<DualWriteBackend>>& instances, std::mutex& mutex)
      : number_(number), random_(static_cast<std::uint64_t>(number)), instances_(instances), mutex_(mutex) {}

  void Run(const std::atomic<bool>& stop) {
    for (int i = 0; !stop; ++i) {
      std::shared_ptr<DualWriteBackend> instance;
      {
        const std::lock_guard lock(mutex_);
        instance = instances_[random_() % instances_.size()];
      }
      const std::string key = "k" + std::to_string(number_) + "-" + std::to_string(random_() % 20);
      const Deadline deadline = Deadline::After(std::chrono::seconds{10});
      if (i % 3 == 0) {
        const auto read = storage::ExecuteOne(*instance, Operation::Get(key), deadline);
        if (read.status.ok() || read.status.error().code() == ErrorCode::kNotFound) {
          Check(key, read.status.ok() ? read.entry->value : "-");
        }
        continue;
      }
      const bool erase = random_() % 4 == 0;
      const std::string value = erase ? "-" : std::to_string(i);
      const auto result =
          storage::ExecuteOne(*instance, erase ? Operation::Delete(key) : Operation::Put(key, value), deadline);
      if (result.status.ok()) {
        ++acknowledged_;
        possible_[key] = {value};
      } else if (result.status.error().code() == ErrorCode::kOutcomeUnknown) {
        possible_[key].push_back(value);
      }
    }
  }
  void Check(const std::string& key, const std::string& value) {
    auto& possible = possible_[key];
    if (possible.empty()) possible.push_back("-");
    const auto found = std::find(possible.begin(), possible.end(), value);
    EXPECT_NE(found, possible.end()) << key << " has " << value << ", acknowledged was " << possible.front();
    if (found != possible.end()) possible = {value};  // who has been seen stays
  }
  void CheckAll(DualWriteBackend& instance) {
    for (auto& [key, possible] : possible_) {
      const auto read = storage::ExecuteOne(instance, Operation::Get(key), Deadline::After(std::chrono::seconds{10}));
      Check(key, read.status.ok() ? read.entry->value : "-");
    }
  }
  int acknowledged() const { return acknowledged_; }

 private:
  const int number_;
  std::mt19937_64 random_;
  std::vector<std::shared_ptr<DualWriteBackend>>& instances_;
  std::mutex& mutex_;
  std::map<std::string, std::vector<std::string>> possible_;
  std::atomic<int> acknowledged_{0};
};

class Instances : public MovingStore {};

TEST_F(Instances, TwoServeThroughAllPhasesAndAreReplacedMeanwhile) {
  for (int i = 0; i < 2'000; ++i) (void)Run(*source_, Operation::Put("kz" + std::to_string(i), std::to_string(i)));
  std::mutex mutex;
  std::vector<std::shared_ptr<DualWriteBackend>> instances{Instance(), Instance()};
  std::deque<Client> clients;
  for (int i = 0; i < 3; ++i) clients.emplace_back(i, instances, mutex);
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (Client& client : clients) threads.emplace_back([&] { client.Run(stop); });
  const auto replace = [&](std::size_t which) {
    std::shared_ptr<DualWriteBackend> fresh = Instance();
    const std::lock_guard lock(mutex);
    instances[which] = std::move(fresh);
  };
  const auto instance = [&](std::size_t which) {
    const std::lock_guard lock(mutex);
    return instances[which];
  };
  Do(*instance(0), Action::kStart);
  replace(0);
  replace(1);
  Await(*instance(1), Phase::kVerified);
  Do(*instance(1), Action::kSwitchReads);
  replace(0);
  Do(*instance(0), Action::kSwitchBack);
  Do(*instance(1), Action::kSwitchReads);
  Do(*instance(0), Action::kCutOver);
  Await(*instance(1), Phase::kCutOver);
  replace(1);
  // Some writes more, of each.
  const Deadline patience = Deadline::After(kPatience);
  for (const Client& client : clients) {
    const int before = client.acknowledged();
    while (client.acknowledged() <= before + 10 && !patience.Expired()) {
      std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  for (Client& client : clients) {
    client.CheckAll(*instances[0]);
    EXPECT_GT(client.acknowledged(), 10);
  }
  for (int i = 0; i < 2'000; ++i) ASSERT_EQ(std::to_string(i), Value(*beneath_, "kz" + std::to_string(i)));
}

// What hangs in one instance is waited for: nobody goes on in a new phase meanwhile.
TEST_F(Instances, AChangeWaitsForTheCallsOfEveryInstance) {
  const auto first = Instance();
  const auto second = Instance();
  Do(*first, Action::kStart);
  Await(*first, Phase::kVerified);
  Await(*second, Phase::kVerified);
  target_->hold = true;
  std::thread writer([&] { EXPECT_TRUE(Run(*second, Operation::Put("k", "1")).status.ok()); });
  while (target_->held == 0) std::this_thread::yield();
  const Status early = first->Act(Action::kSwitchReads, Deadline::After(std::chrono::milliseconds{100}));
  EXPECT_FALSE(early.ok());
  EXPECT_EQ(PhaseName(Phase::kVerified), PhaseName(first->phase()));
  target_->hold = false;
  writer.join();
  Await(*first, Phase::kReadsSwitched);
  EXPECT_EQ("1", Value(*first, "k"));
}

}  // namespace
}  // namespace holdfast::dual_write
