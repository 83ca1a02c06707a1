#include "operator/failover/pod_history.h"

#include <algorithm>
#include <utility>

namespace holdfast::failover {
namespace {

using kube::Json;

const Json& Statuses(const Json& pod) {
  static const Json::json_pointer pointer("/status/containerStatuses");
  static const Json none = Json::array();
  return pod.contains(pointer) && pod.at(pointer).is_array() ? pod.at(pointer) : none;
}

// nullptr before the kubelet has told of it.
const Json* Server(const Json& pod) {
  const Json& statuses = Statuses(pod);
  const auto named = std::find_if(statuses.begin(), statuses.end(), [](const Json& status) {
    return kube::StringAt(status, "/name") == kServerContainer;
  });
  if (named != statuses.end()) return &*named;
  return statuses.size() == 1 ? &statuses.front() : nullptr;
}

bool Has(const Json* status, const char* state) {
  const Json::json_pointer pointer(state);
  return status != nullptr && status->contains(pointer) && status->at(pointer).is_object();
}

}  // namespace

std::string ContainerIdOf(const Json& pod) {
  const Json* status = Server(pod);
  return status == nullptr ? std::string() : kube::StringAt(*status, "/containerID");
}

bool HasEnded(const Json& pod) {
  return Has(Server(pod), "/state/terminated");
}

bool IsRunning(const Json& pod) {
  return Has(Server(pod), "/state/running");
}

void PodHistory::Observe(const Json& pod) {
  const std::lock_guard lock(mutex_);
  for (const Json& status : Statuses(pod)) {
    if (Has(&status, "/state/terminated")) Remember(kube::StringAt(status, "/containerID"));
    // Started again before anybody looked.
    Remember(kube::StringAt(status, "/lastState/terminated/containerID"));
  }
}

bool PodHistory::ContainerEnded(const std::string& container_id) const {
  const std::lock_guard lock(mutex_);
  return ended_.contains(container_id);
}

void PodHistory::Remember(std::string container_id) {
  if (container_id.empty() || !ended_.insert(container_id).second) return;
  order_.push_back(std::move(container_id));
  if (order_.size() <= kRemembered) return;
  ended_.erase(order_.front());
  order_.pop_front();
}

}  // namespace holdfast::failover
