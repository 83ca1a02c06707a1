// A process runner on an API server, with a folder of its own and the test's program to run.
#pragma once

#include <gmock/gmock.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "operator/local/process_runner/process_runner.h"
#include "operator/local/services/loopback_network.h"
#include "tests/unit/operator/local/api_server_fixture.h"
#include "tests/waiting/eventually.h"

namespace holdfast::local {

// A child that was reaped is gone; a zombie counts as alive.
inline bool ProcessExists(pid_t pid) {
  return pid > 0 && kill(pid, 0) == 0;
}

inline std::string FileText(const std::filesystem::path& path) {
  std::ifstream file(path);
  return std::string((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
}

class RunnerTest : public ApiServerTest {
 protected:
  RunnerTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "holdfast-runner-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) std::abort();
    root_ = pattern;
    StartRunner();
  }
  ~RunnerTest() override {
    runner_.reset();
    std::filesystem::remove_all(root_);
  }

  void StartRunner(bool contain = true) {
    runner_.reset();
    RunnerOptions options;
    options.root = root_;
    options.network = network_->pods();
    options.contain = contain;
    options.program_folder = std::filesystem::path(HOLDFAST_POD_PROGRAM).parent_path();
    options.environment = {
        {"OVERRIDE_ADDRESS", "$(POD_IP)"}, {"OVERRIDE_DATA", "/data"}, {"OVERRIDE_ABSENT", "/absent"}};
    runner_ = std::make_unique<ProcessRunner>(api_, options);
  }

  static Json Pod(const std::string& name, Json command, Json more = Json::object()) {
    command.insert(command.begin(), std::filesystem::path(HOLDFAST_POD_PROGRAM).filename().string());
    Json container = {{"name", "c"}, {"image", "none"}, {"command", std::move(command)}};
    container.update(more);
    return {{"apiVersion", "v1"},
            {"kind", "Pod"},
            {"metadata", {{"name", name}}},
            {"spec", {{"terminationGracePeriodSeconds", 1}, {"containers", Json::array({container})}}}};
  }
  static std::string PodPath(const std::string& name = "") {
    return "/api/v1/namespaces/default/pods" + (name.empty() ? "" : "/" + name);
  }
  Json Container(const std::string& pod) {
    Json object = Get(PodPath(pod)).body;
    const Json& statuses = ArrayAt(object, {"status", "containerStatuses"});
    return statuses.empty() ? Json::object() : statuses[0];
  }
  pid_t PidOf(const std::string& pod) {
    std::string id = TextAt(Container(pod), {"containerID"});
    return id.starts_with("process://") ? std::stoi(id.substr(10)) : 0;
  }
  bool IsRunning(const std::string& pod) {
    Json container = Container(pod);
    return FindField(container, {"state", "running"}) != nullptr;
  }
  bool IsReady(const std::string& pod) {
    Json object = Get(PodPath(pod)).body;
    for (const Json& each : ArrayAt(object, {"status", "conditions"})) {
      if (TextAt(each, {"type"}) == "Ready") return TextAt(each, {"status"}) == "True";
    }
    return false;
  }

  // Nothing is written for half a second: what is still under way may end first, and may be slow on a busy machine.
  bool RestsForAWhile() {
    return Eventually([&] {
      const std::uint64_t revision = api_.revision();
      return api_.WaitBeyond(revision, std::chrono::milliseconds(500)) == revision;
    });
  }

  // Of the first pod.
  std::string address() const { return network_->pods() + ".1"; }

  std::filesystem::path root_;
  std::unique_ptr<LoopbackNetwork> network_ = LoopbackNetwork::Claim().value();
  std::unique_ptr<ProcessRunner> runner_;
};

}  // namespace holdfast::local
