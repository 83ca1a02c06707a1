#include "tests/linearizability/checker.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "tests/linearizability/key_value_model.h"

namespace holdfast::linearizability {
namespace {

// An invocation or a return, in a doubly linked list by time. Indexes instead of pointers; 0 is the list's head.
struct Event {
  std::size_t call = 0;
  bool invocation = false;
  std::size_t match = 0;  // of an invocation: its return
  std::size_t previous = 0;
  std::size_t next = 0;
};
constexpr std::size_t kHead = 0;

class Search {
 public:
  explicit Search(const History& history) : history_(history), placed_((history.size() + 7) / 8, '\0') {
    std::vector<std::pair<std::uint64_t, Event>> timed;
    for (std::size_t i = 0; i < history.size(); ++i) {
      timed.push_back({history[i].invoked, {i, true}});
      timed.push_back({history[i].returned, {i, false}});
    }
    std::sort(timed.begin(), timed.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    events_.push_back({});
    std::vector<std::size_t> invocation_of(history.size());
    for (auto& [time, event] : timed) {
      const std::size_t at = events_.size();
      event.previous = at - 1;
      events_[at - 1].next = at;
      if (event.invocation) {
        invocation_of[event.call] = at;
      } else {
        events_[invocation_of[event.call]].match = at;
      }
      events_.push_back(event);
    }
    events_.back().next = kHead;
    events_[kHead].previous = events_.size() - 1;
  }

  Verdict Run() {
    std::size_t at = events_[kHead].next;
    while (events_[kHead].next != kHead) {
      if (at != kHead && events_[at].invocation) {
        at = TryToPlace(at) ? events_[kHead].next : events_[at].next;
        continue;
      }
      // A return whose invocation is not placed yet: what was placed before it has to be tried otherwise.
      if (stack_.empty()) return {false, Explain()};
      at = Undo();
    }
    return {true, ""};
  }

 private:
  bool TryToPlace(std::size_t at) {
    const std::size_t call = events_[at].call;
    KeyValueModel next = state_;
    if (!next.Apply(history_[call])) return false;
    Flip(call);
    if (!tried_.insert(placed_ + next.Fingerprint()).second) {
      Flip(call);
      return false;
    }
    stack_.emplace_back(at, std::exchange(state_, std::move(next)));
    Lift(at);
    if (stack_.size() > most_placed_) {
      most_placed_ = stack_.size();
      stuck_ = Pending();
    }
    return true;
  }

  // Takes the last placed call back; the invocation to try next.
  std::size_t Undo() {
    auto [at, state] = std::move(stack_.back());
    stack_.pop_back();
    state_ = std::move(state);
    Flip(events_[at].call);
    Unlift(at);
    return events_[at].next;
  }

  void Flip(std::size_t call) { placed_[call / 8] = static_cast<char>(placed_[call / 8] ^ (1 << (call % 8))); }

  void Remove(std::size_t at) {
    events_[events_[at].previous].next = events_[at].next;
    events_[events_[at].next].previous = events_[at].previous;
  }
  void Restore(std::size_t at) {
    events_[events_[at].previous].next = at;
    events_[events_[at].next].previous = at;
  }
  void Lift(std::size_t at) {
    Remove(at);
    Remove(events_[at].match);
  }
  void Unlift(std::size_t at) {
    Restore(events_[at].match);
    Restore(at);
  }

  // The calls that could be placed next: those invoked before the first return.
  std::vector<std::size_t> Pending() const {
    std::vector<std::size_t> calls;
    for (std::size_t at = events_[kHead].next; at != kHead && events_[at].invocation; at = events_[at].next) {
      calls.push_back(events_[at].call);
    }
    return calls;
  }

  std::string Explain() const {
    std::string text =
        fmt::format("{} of {} calls can be ordered; behind them none of these fits:\n", most_placed_, history_.size());
    for (const std::size_t call : stuck_.empty() ? Pending() : stuck_) {
      text.append("  ").append(Describe(history_[call])).append("\n");
    }
    return text;
  }

  const History& history_;
  std::vector<Event> events_;
  KeyValueModel state_;
  std::string placed_;  // a bit per call
  std::vector<std::pair<std::size_t, KeyValueModel>> stack_;
  std::unordered_set<std::string> tried_;
  std::size_t most_placed_ = 0;
  std::vector<std::size_t> stuck_;
};

}  // namespace

Verdict Check(const History& history) {
  return Search(history).Run();
}

}  // namespace holdfast::linearizability
