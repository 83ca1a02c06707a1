// One pod on this machine, on a thread of its own: volumes, address, containers, status; and its orderly end. The
// kubelet's pod worker. Thread-safe.
#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/time/clock.h"
#include "operator/kube/object.h"
#include "operator/local/api_server/api_server.h"
#include "operator/local/process_runner/address_book.h"
#include "operator/local/process_runner/container_run.h"
#include "operator/local/process_runner/process.h"
#include "operator/local/process_runner/volumes.h"

namespace holdfast::local {

struct RunnerOptions {
  std::filesystem::path root;            // data, logs and addresses live under it
  std::filesystem::path program_folder;  // where the programs of containers are looked for
  // Overrides the containers' own environment; see ContainerSurroundings.
  std::map<std::string, std::string> environment;
  std::string node = "local";
  std::string network = "127.0.1";  // of the pods' addresses
  // Where pods reach the API server, unless they opt out of service account tokens; empty = nowhere.
  std::string api_server;
  // Lines for the /etc/hosts of contained pods in a namespace; asked often, and followed: the same ones while nothing
  // has changed. Not null.
  std::function<std::shared_ptr<const std::string>(const std::string& ns)> hosts;
  // Tests only: pods as on a machine that does not allow to contain them.
  bool contain = true;
  std::uintmax_t max_log_bytes = 10u << 20;
};

class PodWorker {
 public:
  // `pod` as it was when it was bound; a pod's containers never change.
  PodWorker(ApiServer& api, const RunnerOptions& options, ContainmentAbility ability, AddressBook& addresses,
            const Clock& clock, Json pod);
  // Kills what still runs.
  ~PodWorker();

  // SIGTERM now, SIGKILL after `grace`; a shorter grace of a later call counts.
  void Terminate(std::chrono::seconds grace);
  // True once no process is left and none will be started.
  bool finished() const { return finished_; }
  // Writes changed ConfigMaps and Secrets into the pod's folders soon.
  void Refresh() { refresh_ = true; }

  const std::string& uid() const { return uid_; }

 private:
  void Run();
  void Prepare();
  void StartContainers(MonotonicTime now);
  void StartContainer(ContainerRun& container);
  void StopContainers(MonotonicTime now);
  void FollowNames();
  void PublishStatus();
  bool contained() const { return ability_ != ContainmentAbility::kNone; }
  bool WantsApiServer() const;
  // The containers whose turn it is: one init container after the other, then all the others.
  std::vector<ContainerRun*> Current();
  std::string Hosts() const;
  bool StatusIsPublished() const;
  ContainerSurroundings Surroundings() const;

  ApiServer& api_;
  const RunnerOptions& options_;
  const ContainmentAbility ability_;
  AddressBook& addresses_;
  const Clock& clock_;
  const Json pod_;
  const std::string uid_;
  const kube::ObjectKey key_;
  const std::filesystem::path folder_;

  // Used by the worker's thread only.
  Volumes volumes_;
  std::map<std::string, std::filesystem::path> volume_folders_;
  std::optional<PodLog> log_;
  std::optional<Error> trouble_;  // why the pod cannot start yet
  std::vector<ContainerRun> init_containers_;
  std::vector<ContainerRun> containers_;
  std::vector<RootMount> files_;
  std::shared_ptr<const std::string> names_;  // as last written
  PodFacts facts_;
  Json published_;
  std::optional<PodFacts> told_;  // of published_
  bool asked_to_stop_ = false;

  std::mutex mutex_;
  std::optional<MonotonicTime> kill_at_;  // guarded by mutex_; set = terminating
  std::atomic<bool> refresh_ = false;
  std::atomic<bool> finished_ = false;
  std::thread thread_;
};

std::filesystem::path PodLogPath(const std::filesystem::path& root, const std::string& ns, const std::string& pod);

}  // namespace holdfast::local
