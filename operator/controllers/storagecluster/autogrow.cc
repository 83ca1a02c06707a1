#include "operator/controllers/storagecluster/autogrow.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "base/config/settings.h"
#include "base/time/duration.h"
#include "operator/resources/names.h"
#include "operator/resources/pod_parts.h"

namespace holdfast::storagecluster {
namespace {

using resources::Bytes;
using resources::BytesText;

constexpr std::uint64_t kMebibyte = std::uint64_t{1} << 20;
// A file system of a volume's own is a little smaller than the volume. One that is so much larger is shared (hostPath,
// NFS): growing the claim would give it nothing.
constexpr std::uint64_t kSharedFactor = 2;

// 0 when there is none, or none that can be read.
std::uint64_t BytesAt(const Json& claim, const char* pointer) {
  const auto bytes = config::ParseBytes(kube::StringAt(claim, pointer));
  return bytes.ok() ? *bytes : 0;
}

const Json* ClaimNamed(const std::string& name, const Observed& observed) {
  const auto claim = std::find_if(observed.claims.begin(), observed.claims.end(),
                                  [&](const Json& each) { return kube::KeyOf(each).name == name; });
  return claim == observed.claims.end() ? nullptr : &*claim;
}

// Whether the last growth was less than the interval ago. A time that lies further ahead than that comes from a clock
// that was wrong, and holds nobody back.
bool IsTooSoon(const Json& claim, std::chrono::microseconds interval, Timestamp now) {
  static const Json::json_pointer annotation = Json::json_pointer("/metadata/annotations") / kGrownAtAnnotation;
  if (!claim.contains(annotation) || !claim.at(annotation).is_string()) return false;
  const auto grown = ParseTimestamp(claim.at(annotation).get<std::string>());
  return grown.ok() && now - *grown < interval && *grown - now < interval;
}

// The size at which what is in use is below the threshold again, in whole increments above `present`.
std::uint64_t NextSize(const GrowthPolicy& policy, const VolumeUsage& usage, std::uint64_t present) {
  const std::uint64_t quarter = (present / 4 + kMebibyte - 1) / kMebibyte * kMebibyte;
  const std::uint64_t increment = std::max(policy.increment_bytes == 0 ? quarter : policy.increment_bytes, kMebibyte);
  const std::uint64_t used = usage.capacity_bytes - usage.available_bytes;
  const std::uint64_t overhead = present > usage.capacity_bytes ? present - usage.capacity_bytes : 0;
  const std::uint64_t needed = used * 100 / policy.threshold_percent + 1 + overhead;
  const std::uint64_t missing = needed > present ? needed - present : 0;
  const std::uint64_t steps = std::max<std::uint64_t>((missing + increment - 1) / increment, 1);
  return std::min(policy.maximum_bytes, present + steps * increment);
}

Growth Unknown(const char* reason, std::string message) {
  return {.status = api::ConditionStatus::kUnknown, .says = {reason, std::move(message)}};
}

Growth Full(const char* reason, std::string message, bool needs_person = false) {
  return {.status = api::ConditionStatus::kFalse, .says = {reason, std::move(message)}, .needs_person = needs_person};
}

Growth JudgeClaim(const GrowingVolume& volume, const Json& claim, const VolumeView& view, Timestamp now) {
  const GrowthPolicy& policy = volume.policy;
  const std::string name = "PersistentVolumeClaim " + kube::KeyOf(claim).ToString();
  const std::uint64_t requested = BytesAt(claim, "/spec/resources/requests/storage");
  const std::uint64_t capacity = BytesAt(claim, "/status/capacity/storage");
  if (requested == 0 || capacity == 0) return Unknown("NotBound", name + " has no volume yet");
  if (!view.usage) {
    return Unknown("NotTold", "Pod " + volume.pod + " does not tell how full " + name +
                                  " is, so that it cannot grow by itself; if it is full, raise storage.size");
  }
  const VolumeUsage& usage = *view.usage;
  if (usage.capacity_bytes / kSharedFactor > capacity) {
    return Unknown("SharedFileSystem", "the file system behind " + name +
                                           " is far larger than the claim, so that growing the claim would not help; "
                                           "use a storage class whose volumes have a size, or remove autogrow");
  }
  const std::uint64_t used = usage.capacity_bytes - usage.available_bytes;
  const std::string percent = std::to_string(policy.threshold_percent) + " %";
  const std::string maximum = BytesText(policy.maximum_bytes);
  if (used * 100 <= usage.capacity_bytes * policy.threshold_percent) {
    return {.status = api::ConditionStatus::kTrue,
            .says = {"BelowThreshold", "at most " + percent + " of " + name + " is in use; it may grow to " + maximum}};
  }
  const std::string above = "more than " + percent + " of " + name + " is in use";
  if (requested > capacity) {
    return Full("Growing", above + "; it is growing to " + BytesText(requested));
  }
  const std::uint64_t present = std::max(requested, capacity);
  if (present >= policy.maximum_bytes) {
    return Full("MaximumReached",
                above + ", and it may not grow beyond " + maximum + "; raise autogrow.maxSize, or delete data", true);
  }
  if (view.refusal) return Full("GrowthRefused", above + ", and " + view.refusal->message, true);
  if (IsTooSoon(claim, policy.interval, now)) {
    return Full("WaitingForInterval",
                above + "; it was grown less than autogrow.interval (" + FormatDuration(policy.interval) + ") ago");
  }
  Growth due = Full("Growing", above + "; it is about to grow");
  if (std::optional<Action> action = GrowClaim(claim, BytesText(NextSize(policy, usage, present)))) {
    action->body["metadata"]["annotations"][kGrownAtAnnotation] =
        FormatTimestamp(std::chrono::floor<std::chrono::seconds>(now));
    action->because.append(": ").append(above);
    due.due.push_back({*std::move(action), policy.interval});
  }
  return due;
}

Growth JudgeVolume(const api::StorageCluster& cluster, const GrowingVolume& volume, const Observed& observed,
                   const VolumeViews& views, Timestamp now) {
  const Json* claim = ClaimNamed(volume.claim, observed);
  // One that is still another cluster's is taken over first.
  if (claim == nullptr || kube::IsBeingDeleted(*claim) ||
      kube::LabelOf(*claim, resources::kOwnerUidLabel) != cluster.uid) {
    return Unknown("NotBound", "there is no volume " + volume.claim + " of this cluster yet");
  }
  const auto view = views.find(volume.claim);
  return JudgeClaim(volume, *claim, view == views.end() ? VolumeView{} : view->second, now);
}

int Weight(const Growth& growth) {
  if (growth.needs_person) return 3;
  if (growth.status == api::ConditionStatus::kFalse) return 2;
  return growth.status == api::ConditionStatus::kUnknown ? 1 : 0;
}

GrowthPolicy PolicyOf(const api::Autogrow& autogrow) {
  return {.threshold_percent = static_cast<std::uint64_t>(autogrow.threshold_percent),
          .maximum_bytes = Bytes(autogrow.max_size),
          .increment_bytes = autogrow.increment ? Bytes(*autogrow.increment) : 0,
          .interval = autogrow.interval};
}

GrowingVolume OfService(const api::StorageCluster& cluster, std::string claim, std::string backend,
                        const GrowthPolicy& policy) {
  return {.claim = std::move(claim),
          .pod = cluster.name + "-0",
          .role = resources::kServiceRole,
          .port = resources::kAdminPort,
          .backend = std::move(backend),
          .policy = policy};
}

}  // namespace

std::optional<GrowthPolicy> EmbeddedGrowthPolicy(const api::StorageClusterSpec& spec) {
  std::optional<GrowthPolicy> policy;
  std::uint64_t fixed = 0;  // of those that do not grow
  for (const api::BackendSpec& backend : spec.backends) {
    if (backend.embedded() == nullptr || spec.IsReplica(backend)) continue;
    if (!backend.embedded()->autogrow) {
      fixed += Bytes(backend.embedded()->storage_size);
      continue;
    }
    const GrowthPolicy own = PolicyOf(*backend.embedded()->autogrow);
    if (!policy) policy = GrowthPolicy{.threshold_percent = 100};
    policy->threshold_percent = std::min(policy->threshold_percent, own.threshold_percent);
    policy->maximum_bytes += own.maximum_bytes;
    policy->increment_bytes += own.increment_bytes;
    policy->interval = std::max(policy->interval, own.interval);
  }
  if (policy) policy->maximum_bytes += fixed;
  return policy;
}

std::vector<GrowingVolume> GrowingVolumes(const api::StorageCluster& cluster) {
  std::vector<GrowingVolume> volumes;
  if (const auto policy = EmbeddedGrowthPolicy(cluster.spec)) {
    const auto on_it = std::find_if(cluster.spec.backends.begin(), cluster.spec.backends.end(), [&](const auto& each) {
      return each.embedded() != nullptr && !cluster.spec.IsReplica(each);
    });
    volumes.push_back(OfService(cluster, resources::ClaimName(cluster.name, 0), on_it->name, *policy));
  }
  for (const api::BackendSpec& backend : cluster.spec.backends) {
    if (!cluster.spec.IsReplica(backend) || !backend.embedded()->autogrow) continue;
    volumes.push_back(OfService(cluster, resources::ReplicaClaimName(cluster.name, backend.name, 0), backend.name,
                                PolicyOf(*backend.embedded()->autogrow)));
  }
  for (const api::BackendSpec& backend : cluster.spec.backends) {
    const api::PostgresBackend* postgres = backend.postgres();
    if (postgres == nullptr || !postgres->autogrow) continue;
    std::string pods = resources::BackendName(cluster.name, backend.name);
    pods += '-';
    for (std::int64_t i = 0; i < postgres->instances; ++i) {
      volumes.push_back({.claim = resources::PostgresClaimName(cluster.name, backend.name, i),
                         .pod = pods + std::to_string(i),
                         .role = resources::kPostgresRole,
                         .port = resources::kVolumePort,
                         .backend = {},
                         .policy = PolicyOf(*postgres->autogrow)});
    }
  }
  return volumes;
}

std::optional<Growth> JudgeGrowth(const api::StorageCluster& cluster, const Observed& observed,
                                  const VolumeViews& views, Timestamp now) {
  const std::vector<GrowingVolume> volumes = GrowingVolumes(cluster);
  if (volumes.empty()) return std::nullopt;
  if (cluster.hibernated)
    return Unknown("Hibernated", "nothing runs that could fill the volumes, or tell how full they are");
  std::optional<Growth> all;
  std::vector<Growth::Due> due;
  for (const GrowingVolume& volume : volumes) {
    Growth one = JudgeVolume(cluster, volume, observed, views, now);
    due.insert(due.end(), std::make_move_iterator(one.due.begin()), std::make_move_iterator(one.due.end()));
    if (!all || Weight(one) > Weight(*all)) all = std::move(one);
  }
  if (volumes.size() > 1 && all->status == api::ConditionStatus::kTrue) {
    all->says.message = "each of the " + std::to_string(volumes.size()) + " volumes that may grow has room";
  }
  all->due = std::move(due);
  return all;
}

}  // namespace holdfast::storagecluster
