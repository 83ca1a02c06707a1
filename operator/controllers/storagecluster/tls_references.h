// What spec.service.tls names and somebody else makes: a certificate of one's own, the authorities of clients. Nothing
// of ours is on these objects, so that no informer holds them; they are read from the server when something else is to
// be done, and every few minutes. No content of a Secret leaves through a message.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/result/result.h"
#include "base/time/clock.h"
#include "operator/controllers/storagecluster/plan.h"

namespace holdfast::storagecluster {

// How long what was found good is believed. Pods mount the objects themselves: later changes reach them without us.
inline constexpr std::chrono::minutes kReferencesHold{5};

// What is wrong, or nothing. `object` is nullptr when it is not there. Pure.
std::optional<Problem> JudgeCertificate(const kube::ObjectKey& key, const Json* secret, Timestamp now);
std::optional<Problem> JudgeClientAuthority(const std::string& ns, const api::ClientAuthority& reference,
                                            const Json* object);

// The objects of the service stay as they are, since pods that mount what is unusable do not start. A change of them is
// blocked by that; where there is none, what runs goes on, and the plan warns.
void HoldService(const Problem& unusable, const std::vector<resources::DesiredObject>& desired, Plan* plan);

// Remembers what was found good. Thread-safe.
class TlsReferences {
 public:
  explicit TlsReferences(const Clock& clock) : clock_(clock) {}

  // Whether nothing needs to be read: the cluster names nothing, or it was found good not long ago.
  bool AreFresh(const api::StorageCluster& cluster);
  // Reads what the cluster names. What is wrong with it, or nothing.
  Result<std::optional<Problem>> Look(kube::Client& client, const api::StorageCluster& cluster, Deadline deadline);
  void Forget(const kube::ObjectKey& cluster);

 private:
  struct Good {
    std::string uid;
    std::int64_t generation = 0;
    MonotonicTime found{};
  };

  const Clock& clock_;
  std::mutex mutex_;
  std::map<kube::ObjectKey, Good> good_;  // guarded by mutex_
};

}  // namespace holdfast::storagecluster
