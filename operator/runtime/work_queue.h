// The controllers' queue: an item is processed by one worker at a time, and an item added any number of times while it
// waits is processed once; added while it is being processed, once more afterwards. Three sets as in client-go's
// util/workqueue: queue (order), dirty (has to be processed), processing. Thread-safe.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "base/metrics/metrics.h"
#include "base/time/clock.h"
#include "operator/kube/object.h"

namespace holdfast::runtime {

struct RateLimit {
  std::chrono::nanoseconds initial = std::chrono::milliseconds{5};  // 5 ms * 2^failures
  std::chrono::nanoseconds maximum = std::chrono::seconds{60};
};

// What a queue tells about itself, under the names of client-go's workqueue metrics; nullptr = not told.
struct WorkQueueMetrics {
  metrics::Gauge* depth = nullptr;
  metrics::Counter* adds = nullptr;
  metrics::Counter* retries = nullptr;
  metrics::Histogram* queue_duration = nullptr;  // seconds from Add to Get
  metrics::Histogram* work_duration = nullptr;   // seconds from Get to Done

  // The children of the families workqueue_*{name,controller}; they live as long as the registry.
  static WorkQueueMetrics Of(metrics::Registry& registry, const std::string& name);
};

class WorkQueue;

// workqueue_unfinished_work_seconds and workqueue_longest_running_processor_seconds, which are asked of the queue
// whenever the registry is serialized, for as long as the queue is there.
void AddUnfinishedWorkMetrics(metrics::Registry& registry, const std::string& name,
                              std::weak_ptr<const WorkQueue> queue);

class WorkQueue {
 public:
  using Item = kube::ObjectKey;

  explicit WorkQueue(RateLimit limit = {}, const Clock& clock = SystemClock(), WorkQueueMetrics metrics = {});

  void Add(const Item& item);
  void AddAfter(const Item& item, std::chrono::nanoseconds delay);
  // After the item's own back-off, which doubles with every call until Forget.
  void AddRateLimited(const Item& item);
  void Forget(const Item& item);
  int Failures(const Item& item) const;

  // Blocks; nothing once the queue was shut down. The worker calls Done when it has finished with the item.
  std::optional<Item> Get();
  void Done(const Item& item);

  // Items still waiting are dropped; Get returns at once.
  void ShutDown();
  std::size_t Depth() const;
  // For how long the items that are being processed have been so.
  struct Unfinished {
    std::chrono::duration<double> total{0};
    std::chrono::duration<double> longest{0};
  };
  Unfinished UnfinishedWork() const;

 private:
  void AddLocked(const Item& item);                                       // requires mutex_
  void AddAfterLocked(const Item& item, std::chrono::nanoseconds delay);  // requires mutex_
  void PushLocked(const Item& item);                                      // requires mutex_
  void MoveDueItems();                                                    // requires mutex_

  const RateLimit limit_;
  const Clock& clock_;
  const WorkQueueMetrics metrics_;
  mutable std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<Item> queue_;                    // guarded by mutex_
  std::set<Item> dirty_;                      // guarded by mutex_
  std::map<Item, MonotonicTime> processing_;  // guarded by mutex_; since when
  std::map<Item, MonotonicTime> queued_at_;   // guarded by mutex_; of the items in queue_
  std::map<Item, MonotonicTime> delayed_;     // guarded by mutex_; the earliest wins
  std::map<Item, int> failures_;              // guarded by mutex_
  bool shut_down_ = false;                    // guarded by mutex_
};

}  // namespace holdfast::runtime
