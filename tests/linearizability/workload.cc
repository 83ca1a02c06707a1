#include "tests/linearizability/workload.h"

#include <atomic>
#include <cstdlib>
#include <map>
#include <random>
#include <thread>

namespace holdfast::linearizability {
namespace {

using storage::Operation;
using storage::Precondition;

// Shared by the clients of a run, so that one compares with what another wrote.
class Client {
 public:
  Client(const Workload& workload, int number)
      : workload_(workload), number_(number), random_(workload.seed * 1000 + static_cast<std::uint64_t>(number)) {}

  Call NextCall() {
    if (!workload_.transactions) return Call::Single(NextOperation(Key()));
    Call call;
    call.single = false;
    for (std::uint64_t conditions = Below(3); conditions > 0; --conditions) {
      const std::string key = Key();
      call.transaction.conditions.push_back({key, Guess(key)});
    }
    // Two keys at least: what only holds for both at once is what tells a transaction from its parts.
    for (const std::string& key : workload_.keys) {
      call.transaction.then.push_back(Below(2) == 0 ? Operation::Get(key) : Unconditional(key));
      call.transaction.otherwise.push_back(Operation::Get(key));
    }
    return call;
  }

  void Learn(const Call& call) {
    const auto& branch = call.conditions_held ? call.transaction.then : call.transaction.otherwise;
    for (std::size_t i = 0; i < branch.size() && i < call.outcomes.size(); ++i) {
      if (const auto version = call.outcomes[i].version) seen_[branch[i].key] = *version;
    }
  }

  bool Pause() { return Below(4) == 0; }

 private:
  std::uint64_t Below(std::uint64_t bound) { return random_() % bound; }
  const std::string& Key() { return workload_.keys[Below(workload_.keys.size())]; }
  // No two writes write the same.
  std::string Value() { return std::to_string((number_ + 1) * 1'000'000 + ++written_); }

  Precondition Guess(const std::string& key) { return Below(4) == 0 ? Precondition::Absent() : GuessWhatIsThere(key); }

  Precondition GuessWhatIsThere(const std::string& key) {
    const auto seen = seen_.find(key);
    return seen == seen_.end() ? Precondition::Present() : Precondition::VersionIs(seen->second);
  }

  Operation Unconditional(const std::string& key) {
    switch (Below(8)) {
      case 0:
        return Operation::Delete(key);
      case 1:
      case 2:
        return Operation::Increment(key, 1 + static_cast<std::int64_t>(Below(5)));
      default:
        return Operation::Put(key, Value());
    }
  }

  Operation NextOperation(const std::string& key) {
    switch (Below(10)) {
      case 0:
      case 1:
      case 2:
        return Operation::Get(key);
      case 3:
      case 4:
      case 5:
        return Operation::Put(key, Value(), Guess(key));
      case 6:
        return Operation::Take(key);
      case 7:
        return Operation::Delete(key, workload_.deletes_if_absent ? Guess(key) : GuessWhatIsThere(key));
      default:
        return Unconditional(key);
    }
  }

  const Workload& workload_;
  const int number_;
  std::mt19937_64 random_;
  int written_ = 0;
  std::map<std::string, storage::Version> seen_;
};

}  // namespace

History Run(const Workload& workload, const std::function<std::unique_ptr<Caller>()>& connect) {
  std::atomic<std::uint64_t> now{0};
  std::atomic<int> waiting{workload.clients};
  std::vector<History> parts(static_cast<std::size_t>(workload.clients));
  {
    std::vector<std::jthread> threads;
    for (int number = 0; number < workload.clients; ++number) {
      threads.emplace_back([&, number] {
        const std::unique_ptr<Caller> caller = connect();
        Client client(workload, number);
        History& part = parts[static_cast<std::size_t>(number)];
        part.reserve(static_cast<std::size_t>(workload.calls_per_client));
        // All begin together, or the first would be done before the last has begun.
        for (--waiting; waiting > 0;) std::this_thread::yield();
        for (int i = 0; i < workload.calls_per_client; ++i) {
          Call call = client.NextCall();
          call.client = number;
          call.invoked = ++now;
          caller->Make(call);
          call.returned = ++now;
          client.Learn(call);
          part.push_back(std::move(call));
          if (client.Pause()) std::this_thread::yield();
        }
      });
    }
  }
  History history;
  for (History& part : parts) std::move(part.begin(), part.end(), std::back_inserter(history));
  return history;
}

std::uint64_t Seed() {
  const char* const seed = std::getenv("HOLDFAST_SEED");
  return seed != nullptr ? std::strtoull(seed, nullptr, 10) : 1;
}

}  // namespace holdfast::linearizability
