#include "operator/kube/events.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "base/log/log.h"
#include "operator/kube/event_correlator.h"

namespace holdfast::kube {
namespace {

constexpr std::size_t kQueueLimit = 1000;
constexpr std::size_t kMessageBytes = 1024;  // what the API server takes
constexpr int kTries = 3;
constexpr std::chrono::seconds kTryTimeout{5};
constexpr std::chrono::seconds kRetryPause{1};
constexpr std::chrono::seconds kDrainTime{2};  // how long the destructor lets the worker finish

// Cut at a character's boundary: half of one would make the Event invalid UTF-8.
std::string Cut(std::string_view text, std::size_t limit) {
  if (text.size() <= limit) return std::string(text);
  while (limit > 0 && (static_cast<unsigned char>(text[limit]) & 0xc0) == 0x80) --limit;
  return std::string(text.substr(0, limit));
}

class AsynchronousRecorder final : public EventRecorder {
 public:
  AsynchronousRecorder(std::shared_ptr<Client> client, std::string component, const Clock& clock)
      : client_(std::move(client)),
        clock_(clock),
        correlator_(std::move(component)),
        worker_([this](const std::stop_token& stop) { Work(stop); }) {}

  ~AsynchronousRecorder() override {
    {
      const std::lock_guard lock(mutex_);
      drain_until_ = Deadline::After(kDrainTime);
    }
    worker_.request_stop();
    worker_.join();
  }

  void Record(const Json& about, EventType type, std::string_view reason, std::string_view message) override {
    Occurrence occurrence;
    occurrence.object = KeyOf(about);
    occurrence.api_version = StringAt(about, "/apiVersion");
    occurrence.kind = StringAt(about, "/kind");
    occurrence.uid = UidOf(about);
    occurrence.resource_version = ResourceVersionOf(about);
    occurrence.type = type;
    occurrence.reason = reason;
    occurrence.message = Cut(message, kMessageBytes);
    occurrence.when = clock_.Now();
    const std::lock_guard lock(mutex_);
    // The newest goes: what is queued already tells how it began.
    if (queue_.size() >= kQueueLimit) return;
    queue_.push_back(std::move(occurrence));
    added_.notify_one();
  }

 private:
  void Work(const std::stop_token& stop) {
    for (;;) {
      Occurrence next;
      Deadline drain = Deadline::Infinite();
      {
        std::unique_lock lock(mutex_);
        added_.wait(lock, stop, [this] { return !queue_.empty(); });
        drain = drain_until_;
        if (queue_.empty() || drain.Expired()) return;  // empty only when stopped
        next = std::move(queue_.front());
        queue_.pop_front();
      }
      if (auto write = correlator_.Correlate(next)) Send(*write, stop, drain);
    }
  }

  void Send(const EventWrite& write, const std::stop_token& stop, Deadline drain) {
    for (int attempt = 1;; ++attempt) {
      const Status status = SendOnce(write, Deadline::After(kTryTimeout).Sooner(drain));
      if (status.ok()) return;
      const ErrorCode code = status.error().code();
      const bool may_pass =
          code == ErrorCode::kUnavailable || code == ErrorCode::kDeadlineExceeded || code == ErrorCode::kOutcomeUnknown;
      if (!may_pass || attempt == kTries || stop.stop_requested()) {
        log::Warn("an event was dropped", {{"reason", StringAt(write.event, "/reason")},
                                           {"object", StringAt(write.event, "/involvedObject/name")},
                                           {"error", status.error().ToString()}});
        return;
      }
      std::unique_lock lock(mutex_);
      retry_.wait_for(lock, stop, kRetryPause, [] { return false; });
    }
  }

  Status SendOnce(const EventWrite& write, Deadline deadline) {
    if (write.count > 1) {
      const Json patch = {{"count", write.count}, {"lastTimestamp", StringAt(write.event, "/lastTimestamp")}};
      const auto patched = client_->MergePatch(kinds::kEvent, KeyOf(write.event), patch, deadline);
      if (patched.ok()) return {};
      // Events live for an hour by default; an expired one is made again, with its count.
      if (patched.error().code() != ErrorCode::kNotFound) return patched.error();
    }
    const auto created = client_->Create(kinds::kEvent, write.event, deadline);
    // There already: an earlier attempt's answer was lost.
    if (created.ok() || created.error().code() == ErrorCode::kAlreadyExists) return {};
    return created.error();
  }

  const std::shared_ptr<Client> client_;
  const Clock& clock_;
  EventCorrelator correlator_;  // only the worker

  std::mutex mutex_;
  std::condition_variable_any added_;
  std::condition_variable_any retry_;
  std::deque<Occurrence> queue_;                 // guarded by mutex_
  Deadline drain_until_ = Deadline::Infinite();  // guarded by mutex_
  std::jthread worker_;                          // last: it uses the others
};

}  // namespace

std::unique_ptr<EventRecorder> MakeEventRecorder(std::shared_ptr<Client> client, std::string component,
                                                 const Clock& clock) {
  return std::make_unique<AsynchronousRecorder>(std::move(client), std::move(component), clock);
}

}  // namespace holdfast::kube
