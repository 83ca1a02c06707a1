// Lets several threads go on one step at a time, in an order that a test decides: all orders, or drawn ones.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace holdfast::backup {

// Thread-safe.
class Turns {
 public:
  explicit Turns(std::size_t actors) : states_(actors, State::kRuns) {}

  // Of an actor, before each step.
  void Take(std::size_t actor) {
    std::unique_lock lock(mutex_);
    states_[actor] = State::kWaits;
    changed_.notify_all();
    changed_.wait(lock, [&] { return states_[actor] == State::kRuns; });
  }
  // Of an actor, at its end.
  void End(std::size_t actor) {
    const std::lock_guard lock(mutex_);
    states_[actor] = State::kEnded;
    changed_.notify_all();
  }
  // Until all have ended. `choose`: one of those that wait.
  void Drive(const std::function<std::size_t(const std::vector<std::size_t>& waiting)>& choose) {
    std::unique_lock lock(mutex_);
    for (;;) {
      std::vector<std::size_t> waiting;
      changed_.wait(lock, [&] {
        waiting.clear();
        for (std::size_t actor = 0; actor < states_.size(); ++actor) {
          if (states_[actor] == State::kRuns) return false;
          if (states_[actor] == State::kWaits) waiting.push_back(actor);
        }
        return true;
      });
      if (waiting.empty()) return;
      states_[choose(waiting)] = State::kRuns;
      changed_.notify_all();
    }
  }

 private:
  enum class State { kRuns, kWaits, kEnded };

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<State> states_;  // guarded by mutex_
};

// One order after the other, until there is no other.
class AllOrders {
 public:
  std::size_t Choose(const std::vector<std::size_t>& waiting) {
    if (step_ == path_.size()) path_.emplace_back(0, waiting.size());
    return waiting[path_[step_++].first];
  }
  bool Next() {
    step_ = 0;
    while (!path_.empty() && path_.back().first + 1 == path_.back().second) path_.pop_back();
    if (path_.empty()) return false;
    ++path_.back().first;
    return true;
  }

 private:
  std::vector<std::pair<std::size_t, std::size_t>> path_;  // what was chosen, of how many
  std::size_t step_ = 0;
};

}  // namespace holdfast::backup
