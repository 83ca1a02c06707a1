// How full the volumes of clusters with `autogrow` are, asked of a pod that has them mounted: of embedded backends the
// state service, of PostgreSQL the container beside the server, which answers also when the server is down for a full
// disk. Statistics of the kubelet are not in the Kubernetes API, and reading them from the node takes rights over every
// pod of it. Thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/time/clock.h"
#include "base/time/deadline.h"
#include "operator/controllers/storagecluster/autogrow.h"

namespace holdfast::storagecluster {

class VolumeProbe {
 public:
  virtual ~VolumeProbe() = default;
  // `address` is a pod's IP. Nothing: it does not answer by the deadline, or says nothing about a volume. Called from
  // several threads at once.
  // `backend`: as in ParseVolumeUsage.
  virtual std::optional<VolumeUsage> Ask(const std::string& address, std::uint16_t port, const std::string& backend,
                                         Deadline deadline) = 0;
};

// GET /healthz.
std::shared_ptr<VolumeProbe> MakeVolumeProbe();

// The volume that a body of /healthz tells of for this backend; of "" the first. Numbers that cannot be are none.
std::optional<VolumeUsage> ParseVolumeUsage(const std::string& body, const std::string& backend = {});

struct VolumeWatchOptions {
  std::chrono::milliseconds interval{60'000};   // between two questions about a volume
  std::chrono::milliseconds timeout{1'000};     // of an answer
  std::chrono::milliseconds lifetime{300'000};  // how long an answer holds while no other comes
};

class VolumeWatch {
 public:
  VolumeWatch(std::shared_ptr<VolumeProbe> probe, const VolumeWatchOptions& options, const Clock& clock);

  // Asks, about all volumes at once, when the last question is an interval ago or the volume has another size since,
  // and always when `anew`.
  VolumeViews Look(const api::StorageCluster& cluster, const Observed& observed, bool anew = false);
  // The API server would not let the volume grow: told by Look until `patience` has passed.
  void Refused(const kube::ObjectKey& cluster, const std::string& claim, Problem refusal,
               std::chrono::microseconds patience);
  void Forget(const kube::ObjectKey& cluster);
  std::chrono::milliseconds interval() const { return options_.interval; }

 private:
  struct Memory {
    std::string capacity = {};  // of the claim, when it was asked
    std::optional<MonotonicTime> asked = {};
    std::optional<VolumeUsage> usage = {};
    MonotonicTime told{};
    std::optional<Problem> refusal = {};
    MonotonicTime refused_until{};
  };
  struct OfCluster {
    std::string uid = {};
    std::map<std::string, Memory> volumes = {};  // by claim
  };

  const std::shared_ptr<VolumeProbe> probe_;
  const VolumeWatchOptions options_;
  const Clock& clock_;
  std::mutex mutex_;
  std::map<kube::ObjectKey, OfCluster> memories_;  // guarded by mutex_
};

}  // namespace holdfast::storagecluster
