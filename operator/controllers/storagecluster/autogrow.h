// Whether volumes that may grow by themselves are due (`storage.autogrow` of embedded and postgres backends). Pure.
//
// What has to be remembered stands on the claim: the size it asks for, which never goes back, and, in the same write,
// when it was given that size. So a crash between any two lines is one more look, and of two operators the second meets
// a conflict.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/time/clock.h"
#include "operator/api/v1/condition.h"
#include "operator/controllers/storagecluster/plan.h"

namespace holdfast::storagecluster {

// There only for a cluster with `autogrow`.
inline constexpr char kStorageHasRoomCondition[] = "StorageHasRoom";
// On a claim that was grown by itself: when, in RFC 3339.
inline constexpr char kGrownAtAnnotation[] = "storage.holdfast.dev/grown-at";

// The file system of a volume, as a pod that has it mounted sees it.
struct VolumeUsage {
  std::uint64_t capacity_bytes = 0;
  std::uint64_t available_bytes = 0;
};

// What is known about a volume beside its claim.
struct VolumeView {
  std::optional<VolumeUsage> usage;  // nothing: nobody has told, or too long ago
  std::optional<Problem> refusal;    // of the last growth, while it is too early to ask again
};

// By the name of the claim.
using VolumeViews = std::map<std::string, VolumeView>;

struct GrowthPolicy {
  std::uint64_t threshold_percent = 80;
  std::uint64_t maximum_bytes = 0;
  std::uint64_t increment_bytes = 0;  // 0: a quarter of the present size
  std::chrono::microseconds interval{};
};
// Of the one volume that embedded backends share, but for replicas; nothing when it does not grow by itself.
std::optional<GrowthPolicy> EmbeddedGrowthPolicy(const api::StorageClusterSpec& spec);

// A volume that may grow by itself, and the pod that is asked how full it is.
struct GrowingVolume {
  std::string claim;
  std::string pod;
  std::string role;  // of that pod, by its label
  std::uint16_t port = 0;
  std::string backend = {};  // by which the pod tells of this volume among others; "" where it has but one
  GrowthPolicy policy;
};
// Those that the spec asks for, whether they are there yet or not.
std::vector<GrowingVolume> GrowingVolumes(const api::StorageCluster& cluster);

struct Growth {
  // What the condition says: about the volume that is worst off.
  api::ConditionStatus status = api::ConditionStatus::kUnknown;
  Problem says;
  bool needs_person = false;
  // Let claims grow; for claims read from the server, and usage that was told after they were read.
  struct Due {
    Action action;
    std::chrono::microseconds interval{};  // of the policy
  };
  std::vector<Due> due = {};
};

// Nothing for a cluster without `autogrow`.
std::optional<Growth> JudgeGrowth(const api::StorageCluster& cluster, const Observed& observed,
                                  const VolumeViews& views, Timestamp now);

}  // namespace holdfast::storagecluster
