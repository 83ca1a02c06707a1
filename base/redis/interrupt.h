// Ends what waits for a server, from another thread and at once.
#pragma once

namespace holdfast::redis {

// Thread-safe. Outlives the connections it was given to. For good: what was interrupted stays so.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  // Calls that wait return kCancelled promptly, and so does every later one. Idempotent.
  void Trigger();
  bool triggered() const;
  // Readable once it was triggered; for poll.
  int descriptor() const { return descriptor_; }

 private:
  int descriptor_;
};

}  // namespace holdfast::redis
