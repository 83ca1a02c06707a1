// Changes of a primary on their way to the copy in its secondary: the newest state of every key that changed, in the
// order in which keys first did. Bounded; what does not fit is missed, which whoever takes is told, and has to compare
// everything.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/time/clock.h"
#include "base/time/deadline.h"
#include "service/composition/secondary_copy.h"

namespace holdfast::composition {

struct ChangeQueueBounds {
  std::size_t keys = 100'000;
  std::size_t bytes = std::size_t{64} << 20;  // of the keys and values that wait
};

// Thread-safe; one thread takes.
class ChangeQueue {
 public:
  explicit ChangeQueue(const ChangeQueueBounds& bounds) : bounds_(bounds) {}

  void Push(std::string_view key, const storage::EntryPtr& entry);
  // Nobody can tell what changed.
  void Miss();
  // Everything that had changed at `when` has been pushed. Remembered until it has been written, too.
  void Mark(MonotonicTime when);

  // Waits for changes or for Miss; false once stopped.
  bool AwaitWork();
  // Some of what waits; Done says that it has been written, which is before the next Take.
  std::vector<SecondaryCopy::New> Take(std::size_t most);
  void Done();
  // True once for any number of Miss: the comparison that starts now finds what was missed before; Compared says that
  // it has ended. What is pushed meanwhile is to be written behind it.
  bool TakeMissed();
  void Compared(bool ok);

  // Waits until all has been written that was pushed, and nothing is missed; false at the deadline.
  bool AwaitEmpty(Deadline deadline);
  // Nobody waits any more.
  void Stop();

  std::size_t waiting() const;
  // Something is missed, and looked for or about to be.
  bool missed() const;
  // The newest mark before which everything has been written; none while something is missed.
  std::optional<MonotonicTime> written_up_to() const;

 private:
  struct Waiting {
    storage::EntryPtr entry;
    std::uint64_t number = 0;  // of its first change
  };
  // With mutex_ held:
  void Settle();
  void Forget();  // everything that waits
  bool empty() const { return order_.empty() && taken_ == 0 && !missed_ && !comparing_; }

  const ChangeQueueBounds bounds_;
  mutable std::mutex mutex_;
  std::condition_variable pushed_;
  std::condition_variable settled_;
  // Guarded by mutex_:
  std::unordered_map<std::string, Waiting> waiting_;
  std::deque<std::string> order_;  // keys of waiting_
  std::size_t bytes_ = 0;
  std::size_t taken_ = 0;  // and not written yet
  std::uint64_t pushes_ = 0;
  bool missed_ = false;
  bool comparing_ = false;  // missed, and being looked for
  bool stopped_ = false;
  struct Marked {
    MonotonicTime when;
    std::uint64_t pushes;  // what had been pushed by then
  };
  std::optional<Marked> mark_;  // that is not settled yet
  std::optional<MonotonicTime> written_up_to_;
  std::uint64_t taken_from_ = 0;  // number of the oldest that was taken and is not written
};

}  // namespace holdfast::composition
