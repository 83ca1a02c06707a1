// What the status of a pod says, from what its containers do. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "operator/local/api_server/json_access.h"

namespace holdfast::local {

struct ContainerState {
  std::string name;
  std::string image;
  enum class Phase { kWaiting, kRunning, kTerminated };
  Phase phase = Phase::kWaiting;
  std::string reason = "ContainerCreating";  // of waiting or terminated
  std::string message;
  int pid = 0;
  int exit_code = 0;
  int signal = 0;
  std::string started_at;
  std::string finished_at;
  Json last_state = Json::object();  // of the run before
  std::int64_t restarts = 0;
  bool started = false;  // the startup probe has succeeded
  bool ready = false;

  bool operator==(const ContainerState&) const = default;
};

struct PodFacts {
  std::string address;
  std::string start_time;
  std::vector<ContainerState> containers;
  std::vector<ContainerState> init_containers;
};

// state.terminated of a container that has ended.
Json TerminatedState(const ContainerState& container);

// The status, with the transition times of `before` kept where nothing turned over.
Json PodStatus(const Json& pod, const PodFacts& facts, const std::string& now);

}  // namespace holdfast::local
