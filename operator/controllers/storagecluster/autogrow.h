// Whether a volume that may grow by itself is due (spec.backends[].embedded.storage.autogrow). Pure.
//
// What has to be remembered stands on the claim: the size it asks for, which never goes back, and, in the same write,
// when it was given that size. So a crash between any two lines is one more look, and of two operators the second meets
// a conflict.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "base/time/clock.h"
#include "operator/api/v1/condition.h"
#include "operator/controllers/storagecluster/plan.h"

namespace holdfast::storagecluster {

// There only for a cluster with `autogrow`.
inline constexpr char kStorageHasRoomCondition[] = "StorageHasRoom";
// On a claim that was grown by itself: when, in RFC 3339.
inline constexpr char kGrownAtAnnotation[] = "storage.holdfast.dev/grown-at";

// The file system of a volume, as the service that writes to it sees it.
struct VolumeUsage {
  std::uint64_t capacity_bytes = 0;
  std::uint64_t available_bytes = 0;
};

// What is known about a cluster's volume beside its claim.
struct VolumeView {
  std::optional<VolumeUsage> usage;  // nothing: nobody has told, or too long ago
  std::optional<Problem> refusal;    // of the last growth, while it is too early to ask again
};

// Of the one volume that the embedded backends share.
struct GrowthPolicy {
  std::uint64_t threshold_percent = 80;
  std::uint64_t maximum_bytes = 0;
  std::uint64_t increment_bytes = 0;  // 0: a quarter of the present size
  std::chrono::microseconds interval{};
};
std::optional<GrowthPolicy> GrowthPolicyOf(const api::StorageClusterSpec& spec);

struct Growth {
  // What the condition says.
  api::ConditionStatus status = api::ConditionStatus::kUnknown;
  Problem says;
  // Lets the claim grow; for a claim read from the server, and usage that was told after it was read.
  std::optional<Action> action = {};
  bool needs_person = false;
};

// Nothing for a cluster without `autogrow`.
std::optional<Growth> JudgeGrowth(const api::StorageCluster& cluster, const Observed& observed, const VolumeView& view,
                                  Timestamp now);

}  // namespace holdfast::storagecluster
