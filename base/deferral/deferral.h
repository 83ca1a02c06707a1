// What is enough once for many: a thread that answers a whole batch wakes each event loop once, and not for every
// answer.
#pragma once

#include <functional>
#include <vector>

namespace holdfast {

// While one stands on a thread, what AtEnd is given there waits for its end. Within another one it changes nothing: the
// outermost counts. Stands on the stack only, and around nothing that waits for what is deferred.
class Deferral {
 public:
  Deferral();
  Deferral(const Deferral&) = delete;
  Deferral& operator=(const Deferral&) = delete;
  ~Deferral();  // does it, in the order given

  // Does it at once on a thread where none stands. `action` does not throw.
  static void AtEnd(std::function<void()> action);

 private:
  static thread_local Deferral* outermost_;
  std::vector<std::function<void()>> actions_;
};

}  // namespace holdfast
