#include "operator/local/process_runner/pod_status.h"

#include <fmt/format.h>

#include <algorithm>

namespace holdfast::local {
namespace {

std::string ContainerId(const ContainerState& container) {
  return fmt::format("process://{}", container.pid);
}

Json StateOf(const ContainerState& container) {
  switch (container.phase) {
    case ContainerState::Phase::kRunning:
      return {{"running", {{"startedAt", container.started_at}}}};
    case ContainerState::Phase::kTerminated:
      return TerminatedState(container);
    case ContainerState::Phase::kWaiting:
      break;
  }
  Json waiting = {{"reason", container.reason}};
  if (!container.message.empty()) waiting["message"] = container.message;
  return {{"waiting", std::move(waiting)}};
}

bool HasSucceeded(const ContainerState& container) {
  return container.phase == ContainerState::Phase::kTerminated && container.exit_code == 0;
}

std::string PhaseOf(const Json& pod, const PodFacts& facts) {
  const std::vector<ContainerState>& containers = facts.containers;
  bool lost = std::any_of(facts.init_containers.begin(), facts.init_containers.end(), [](const ContainerState& each) {
    return each.phase == ContainerState::Phase::kTerminated && each.exit_code != 0;
  });
  if (lost && TextAt(pod, {"spec", "restartPolicy"}) == "Never") return "Failed";
  auto all = [&](auto holds) { return std::all_of(containers.begin(), containers.end(), holds); };
  auto ended = [](const ContainerState& each) { return each.phase == ContainerState::Phase::kTerminated; };
  if (all(ended) && TextAt(pod, {"spec", "restartPolicy"}) != "Always") {
    return all([](const ContainerState& each) { return each.exit_code == 0; }) ? "Succeeded" : "Failed";
  }
  bool begun = std::any_of(containers.begin(), containers.end(), [](const ContainerState& each) {
    return each.phase != ContainerState::Phase::kWaiting || each.restarts > 0;
  });
  return begun ? "Running" : "Pending";
}

Json Condition(const Json& pod, const char* type, bool holds, const std::string& reason, const std::string& message,
               const std::string& now) {
  const char* status = holds ? "True" : "False";
  std::string since = now;
  for (const Json& before : ArrayAt(pod, {"status", "conditions"})) {
    if (TextAt(before, {"type"}) == type && TextAt(before, {"status"}) == status) {
      since = TextAt(before, {"lastTransitionTime"});
    }
  }
  Json condition = {{"type", type}, {"status", status}, {"lastProbeTime", nullptr}, {"lastTransitionTime", since}};
  if (!holds) {
    condition["reason"] = reason;
    condition["message"] = message;
  }
  return condition;
}

Json StatusesOf(const std::vector<ContainerState>& containers) {
  Json statuses = Json::array();
  for (const ContainerState& each : containers) {
    Json status = {{"name", each.name},      {"image", each.image},         {"imageID", ""},
                   {"ready", each.ready},    {"started", each.started},     {"restartCount", each.restarts},
                   {"state", StateOf(each)}, {"lastState", each.last_state}};
    if (each.pid != 0) status["containerID"] = ContainerId(each);
    statuses.push_back(std::move(status));
  }
  return statuses;
}

std::string NamesOf(const std::vector<ContainerState>& containers, bool (*chosen)(const ContainerState&)) {
  std::string names;
  for (const ContainerState& each : containers) {
    if (chosen(each)) names += (names.empty() ? "" : " ") + each.name;
  }
  return names;
}

}  // namespace

Json TerminatedState(const ContainerState& container) {
  Json state = {{"exitCode", container.exit_code},
                {"reason", container.reason},
                {"startedAt", container.started_at},
                {"finishedAt", container.finished_at}};
  if (container.pid != 0) state["containerID"] = ContainerId(container);
  if (container.signal != 0) state["signal"] = container.signal;
  if (!container.message.empty()) state["message"] = container.message;
  return {{"terminated", std::move(state)}};
}

Json PodStatus(const Json& pod, const PodFacts& facts, const std::string& now) {
  std::string unready = NamesOf(facts.containers, [](const ContainerState& each) { return !each.ready; });
  std::string incomplete =
      NamesOf(facts.init_containers, [](const ContainerState& each) { return !HasSucceeded(each); });
  bool ready = unready.empty();
  std::string message = fmt::format("containers with unready status: [{}]", unready);
  std::string init_message = fmt::format("containers with incomplete status: [{}]", incomplete);
  Json status = {
      {"phase", PhaseOf(pod, facts)},
      {"startTime", facts.start_time},
      {"qosClass", "BestEffort"},
      {"containerStatuses", StatusesOf(facts.containers)},
      {"conditions",
       Json::array({Condition(pod, "PodScheduled", true, "", "", now),
                    Condition(pod, "Initialized", incomplete.empty(), "ContainersNotInitialized", init_message, now),
                    Condition(pod, "ContainersReady", ready, "ContainersNotReady", message, now),
                    Condition(pod, "Ready", ready, "ContainersNotReady", message, now)})}};
  if (!facts.init_containers.empty()) status["initContainerStatuses"] = StatusesOf(facts.init_containers);
  if (!facts.address.empty()) {
    status["hostIP"] = facts.address;
    status["podIP"] = facts.address;
    status["podIPs"] = Json::array({{{"ip", facts.address}}});
  }
  return status;
}

}  // namespace holdfast::local
