// `holdfast-operator local`: a whole Kubernetes as far as Holdfast needs one, in this process: API server, workloads,
// our operator against it over HTTP, pods as child processes.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result/result.h"
#include "operator/kube/client.h"
#include "operator/runtime/manager.h"

namespace holdfast::local {

struct LocalOptions {
  std::vector<std::string> manifests;  // paths of YAML files; "-" is standard input
  std::filesystem::path root = ".holdfast";
  std::string api_address = "127.0.0.1";
  std::uint16_t api_port = 8001;  // 0 = any free one
  // Where the first StorageCluster's Service answers, beside its own address; checked to be free before anything
  // starts.
  std::string address = "127.0.0.1";
  std::uint16_t data_port = 8080;
  std::uint16_t admin_port = 9090;
  // The containers' programs are looked for here; empty = beside this binary.
  std::filesystem::path program_folder;
  std::chrono::seconds ready_deadline{180};
  // Stops everything once it is ready, as a check.
  bool once = false;
  // What the schema cannot say about a manifest; called for each document before anything starts.
  std::function<Status(const kube::Json&)> validate;
};

// Blocks until SIGINT or SIGTERM; must be called before the process has other threads (it takes over these signals).
// Exit status: 0 stopped in order, 1 not ready within the deadline or broken later, 2 cannot start (a bad manifest, a
// port taken, no permission, another one running on this root): one line on standard error, nothing was started.
// Does not return once something was started, but ends the process: no destructor runs behind the last pod's end.
// `crd_yaml` holds the CustomResourceDefinitions to install.
int RunLocal(const LocalOptions& options, const std::string& crd_yaml,
             const std::function<void(runtime::Manager&, std::shared_ptr<kube::Client>)>& add_controllers);

}  // namespace holdfast::local
