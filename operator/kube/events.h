// Kubernetes Events about our objects, for `kubectl describe`. Best effort: never blocks a reconcile for long and never
// fails it. The same (object, type, reason, message) within ten minutes raises the count of one Event instead of making
// another; beyond 25 in a burst per object they are dropped (client-go's events_cache defaults).
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "base/time/clock.h"
#include "operator/kube/client.h"

namespace holdfast::kube {

enum class EventType { kNormal, kWarning };

class EventRecorder {
 public:
  virtual ~EventRecorder() = default;
  // `reason` is CamelCase; `message` is one sentence and holds no secret.
  virtual void Record(const Json& about, EventType type, std::string_view reason, std::string_view message) = 0;
};

// Thread-safe; written by a thread of its own from a bounded queue. The destructor gives that thread two seconds to
// write what is queued.
std::unique_ptr<EventRecorder> MakeEventRecorder(std::shared_ptr<Client> client, std::string component,
                                                 const Clock& clock = SystemClock());

}  // namespace holdfast::kube
