#include "operator/runtime/work_queue.h"

#include <algorithm>
#include <string>

#include "base/time/backoff.h"

namespace holdfast::runtime {
namespace {

double Seconds(MonotonicTime::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

// client-go's ExponentialBuckets(10e-9, 10, 12).
const std::vector<double>& QueueBuckets() {
  static const std::vector<double> buckets{1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1, 10, 100, 1000};
  return buckets;
}

}  // namespace

WorkQueueMetrics WorkQueueMetrics::Of(metrics::Registry& registry, const std::string& name) {
  const metrics::Labels labels{{"name", name}, {"controller", name}};
  WorkQueueMetrics metrics;
  metrics.depth = &registry.GetGauge("workqueue_depth", "Current depth of workqueue.", labels);
  metrics.adds = &registry.GetCounter("workqueue_adds_total", "Total number of adds handled by workqueue.", labels);
  metrics.retries =
      &registry.GetCounter("workqueue_retries_total", "Total number of retries handled by workqueue.", labels);
  metrics.queue_duration = &registry.GetHistogram(
      "workqueue_queue_duration_seconds", "How long in seconds an item stays in workqueue before being requested.",
      labels, QueueBuckets());
  metrics.work_duration =
      &registry.GetHistogram("workqueue_work_duration_seconds",
                             "How long in seconds processing an item from workqueue takes.", labels, QueueBuckets());
  return metrics;
}

void AddUnfinishedWorkMetrics(metrics::Registry& registry, const std::string& name,
                              std::weak_ptr<const WorkQueue> queue) {
  const metrics::Labels labels{{"name", name}, {"controller", name}};
  metrics::Gauge& total = registry.GetGauge(
      "workqueue_unfinished_work_seconds",
      "How many seconds of work has been done that is in progress and hasn't been observed by work_duration.", labels);
  metrics::Gauge& longest =
      registry.GetGauge("workqueue_longest_running_processor_seconds",
                        "How many seconds has the longest running processor for workqueue been running.", labels);
  registry.OnCollect([&total, &longest, queue = std::move(queue)] {
    const auto alive = queue.lock();
    const auto unfinished = alive == nullptr ? WorkQueue::Unfinished{} : alive->UnfinishedWork();
    total.Set(unfinished.total.count());
    longest.Set(unfinished.longest.count());
  });
}

WorkQueue::WorkQueue(RateLimit limit, const Clock& clock, WorkQueueMetrics metrics)
    : limit_(limit), clock_(clock), metrics_(metrics) {}

void WorkQueue::Add(const Item& item) {
  const std::lock_guard lock(mutex_);
  AddLocked(item);
}

void WorkQueue::AddLocked(const Item& item) {
  if (shut_down_ || !dirty_.insert(item).second) return;
  if (metrics_.adds != nullptr) metrics_.adds->Increment();
  // While it is being processed it only becomes dirty; Done queues it again.
  if (!processing_.contains(item)) PushLocked(item);
}

void WorkQueue::PushLocked(const Item& item) {
  queue_.push_back(item);
  queued_at_.emplace(item, clock_.Monotonic());
  if (metrics_.depth != nullptr) metrics_.depth->Set(static_cast<double>(queue_.size()));
  ready_.notify_one();
}

void WorkQueue::AddAfter(const Item& item, std::chrono::nanoseconds delay) {
  const std::lock_guard lock(mutex_);
  AddAfterLocked(item, delay);
}

void WorkQueue::AddAfterLocked(const Item& item, std::chrono::nanoseconds delay) {
  if (shut_down_) return;
  if (delay <= std::chrono::nanoseconds::zero()) {
    AddLocked(item);
    return;
  }
  const MonotonicTime due = clock_.Monotonic() + delay;
  const auto [at, inserted] = delayed_.emplace(item, due);
  if (!inserted) at->second = std::min(at->second, due);
  ready_.notify_all();  // whoever waits for the earliest may wait for this one now
}

void WorkQueue::AddRateLimited(const Item& item) {
  const std::lock_guard lock(mutex_);
  if (metrics_.retries != nullptr) metrics_.retries->Increment();
  AddAfterLocked(item, ExponentialDelay(limit_.initial, limit_.maximum, failures_[item]++));
}

void WorkQueue::Forget(const Item& item) {
  const std::lock_guard lock(mutex_);
  failures_.erase(item);
}

int WorkQueue::Failures(const Item& item) const {
  const std::lock_guard lock(mutex_);
  const auto found = failures_.find(item);
  return found == failures_.end() ? 0 : found->second;
}

std::optional<WorkQueue::Item> WorkQueue::Get() {
  std::unique_lock lock(mutex_);
  for (;;) {
    if (shut_down_) return std::nullopt;
    MoveDueItems();
    if (!queue_.empty()) break;
    if (delayed_.empty()) {
      ready_.wait(lock);
      continue;
    }
    const auto earliest = std::min_element(delayed_.begin(), delayed_.end(),
                                           [](const auto& a, const auto& b) { return a.second < b.second; });
    ready_.wait_for(lock, earliest->second - clock_.Monotonic());
  }
  Item item = std::move(queue_.front());
  queue_.pop_front();
  const MonotonicTime now = clock_.Monotonic();
  const auto queued = queued_at_.extract(item);
  if (metrics_.depth != nullptr) metrics_.depth->Set(static_cast<double>(queue_.size()));
  if (metrics_.queue_duration != nullptr) metrics_.queue_duration->Observe(Seconds(now - queued.mapped()));
  dirty_.erase(item);
  processing_.emplace(item, now);
  return item;
}

void WorkQueue::Done(const Item& item) {
  const std::lock_guard lock(mutex_);
  const auto finished = processing_.extract(item);
  if (finished.empty()) return;
  if (metrics_.work_duration != nullptr) {
    metrics_.work_duration->Observe(Seconds(clock_.Monotonic() - finished.mapped()));
  }
  if (!shut_down_ && dirty_.contains(item)) PushLocked(item);
}

void WorkQueue::ShutDown() {
  const std::lock_guard lock(mutex_);
  shut_down_ = true;
  queue_.clear();
  queued_at_.clear();
  dirty_.clear();
  delayed_.clear();
  if (metrics_.depth != nullptr) metrics_.depth->Set(0);
  ready_.notify_all();
}

std::size_t WorkQueue::Depth() const {
  const std::lock_guard lock(mutex_);
  return queue_.size();
}

WorkQueue::Unfinished WorkQueue::UnfinishedWork() const {
  const std::lock_guard lock(mutex_);
  const MonotonicTime now = clock_.Monotonic();
  Unfinished unfinished;
  for (const auto& [item, since] : processing_) {
    unfinished.total += now - since;
    unfinished.longest = std::max<std::chrono::duration<double>>(unfinished.longest, now - since);
  }
  return unfinished;
}

void WorkQueue::MoveDueItems() {
  if (delayed_.empty()) return;
  const MonotonicTime now = clock_.Monotonic();
  for (auto at = delayed_.begin(); at != delayed_.end();) {
    if (at->second > now) {
      ++at;
      continue;
    }
    AddLocked(at->first);
    at = delayed_.erase(at);
  }
}

}  // namespace holdfast::runtime
