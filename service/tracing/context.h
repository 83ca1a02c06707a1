// On whose behalf a thread is at work: what it asks of backends is shown in the traces of those requests
// (traced_backend.h). The context follows the work from thread to thread: whoever queues work keeps CurrentContext()
// with it and opens a Scope around it where it runs. Executors and task pools do so.
//
// Most work belongs to no traced request; its context is null, and carrying that costs no allocation and no atomic.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace holdfast::tracing {

// A request that is traced. Ids as in Span. Thread-safe.
struct TracedRequest {
  std::string trace_id;
  std::string span_id;  // the parent of its calls
  std::string store;
  mutable std::atomic<std::uint64_t> calls{0};  // of backends that have ended
};
using TracedRequestPtr = std::shared_ptr<const TracedRequest>;

struct Context {
  std::vector<TracedRequestPtr> requests;  // at least one; several share a batch
  int attempt = 1;                         // of what is tried again, from 1
  bool hedge = false;                      // a read that is sent a second time
};
using ContextPtr = std::shared_ptr<const Context>;  // null: nobody is told

// Of this thread.
ContextPtr CurrentContext();

// `request` not null.
ContextPtr ContextOf(TracedRequestPtr request);
// The current one for another attempt, or for a hedge; null where there is none.
ContextPtr ContextOfAttempt(int attempt);
ContextPtr ContextOfHedge();

// The context of work that is done together.
class SharedContext {
 public:
  void Add(const ContextPtr& context);
  ContextPtr Take();

 private:
  std::vector<TracedRequestPtr> requests_;
};

// While one stands on a thread its context is the current one; null hides that of an outer scope, since a thread that
// answers one request may go on with another. On the stack only.
class Scope {
 public:
  explicit Scope(ContextPtr context);
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;
  ~Scope();

 private:
  friend ContextPtr CurrentContext();
  static thread_local const Scope* innermost_;

  const ContextPtr context_;
  const Scope* const outer_;
};

}  // namespace holdfast::tracing
