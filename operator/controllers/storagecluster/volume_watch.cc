#include "operator/controllers/storagecluster/volume_watch.h"

#include <fmt/format.h>

#include <utility>

#include "base/http/http_client.h"
#include "operator/resources/names.h"

namespace holdfast::storagecluster {
namespace {

constexpr std::size_t kMaxAnswerBytes = 1u << 20;

class HttpVolumeProbe : public VolumeProbe {
 public:
  explicit HttpVolumeProbe(std::uint16_t admin_port) : admin_port_(admin_port) {}

  std::optional<VolumeUsage> Ask(const std::string& address, Deadline deadline) override {
    http::ClientOptions options;
    const bool brackets = address.find(':') != std::string::npos;
    options.base_url = fmt::format("http://{}{}{}:{}", brackets ? "[" : "", address, brackets ? "]" : "", admin_port_);
    options.max_response_bytes = kMaxAnswerBytes;
    http::HttpClient client(std::move(options));
    // An unhealthy service answers 503, and tells all the same: a full disk makes it unhealthy.
    const auto response = client.Send({"GET", "/healthz", {}, {}}, deadline);
    return response.ok() ? ParseVolumeUsage(response->body) : std::nullopt;
  }

 private:
  const std::uint16_t admin_port_;
};

std::optional<std::uint64_t> Number(const Json& object, const char* name) {
  const auto member = object.find(name);
  if (member == object.end() || !member->is_number_unsigned()) return std::nullopt;
  return member->get<std::uint64_t>();
}

// Of the pod that the volume is mounted in; "" while there is none to ask.
std::string AddressOf(const api::StorageCluster& cluster, const Observed& observed) {
  const std::string name = cluster.name + "-0";
  for (const Json& pod : observed.pods) {
    if (kube::KeyOf(pod).name != name || kube::LabelOf(pod, resources::kRoleLabel) != resources::kServiceRole) continue;
    return kube::IsBeingDeleted(pod) ? std::string() : kube::StringAt(pod, "/status/podIP");
  }
  return {};
}

std::string CapacityOf(const api::StorageCluster& cluster, const Observed& observed) {
  const std::string name = resources::ClaimName(cluster.name, 0);
  for (const Json& claim : observed.claims) {
    if (kube::KeyOf(claim).name == name) return kube::StringAt(claim, "/status/capacity/storage");
  }
  return {};
}

}  // namespace

std::shared_ptr<VolumeProbe> MakeVolumeProbe(std::uint16_t admin_port) {
  return std::make_shared<HttpVolumeProbe>(admin_port);
}

std::optional<VolumeUsage> ParseVolumeUsage(const std::string& body) {
  const Json report = Json::parse(body, nullptr, false);
  if (!report.is_object() || !report.contains("volumes") || !report.at("volumes").is_array()) return std::nullopt;
  if (report.at("volumes").empty() || !report.at("volumes").front().is_object()) return std::nullopt;
  const Json& volume = report.at("volumes").front();
  const auto capacity = Number(volume, "capacity_bytes");
  const auto available = Number(volume, "available_bytes");
  if (!capacity || !available || *capacity == 0 || *available > *capacity) return std::nullopt;
  return VolumeUsage{.capacity_bytes = *capacity, .available_bytes = *available};
}

VolumeWatch::VolumeWatch(std::shared_ptr<VolumeProbe> probe, const VolumeWatchOptions& options, const Clock& clock)
    : probe_(std::move(probe)), options_(options), clock_(clock) {}

VolumeView VolumeWatch::Look(const api::StorageCluster& cluster, const Observed& observed, bool anew) {
  if (!GrowthPolicyOf(cluster.spec)) return {};
  const kube::ObjectKey key{cluster.ns, cluster.name};
  const std::string address = AddressOf(cluster, observed);
  const std::string capacity = CapacityOf(cluster, observed);
  const MonotonicTime now = clock_.Monotonic();
  bool ask = false;
  {
    const std::lock_guard lock(mutex_);
    Memory& memory = memories_[key];
    // What was known of another cluster of this name, or before the volume grew, is true no more.
    if (memory.uid != cluster.uid) memory = Memory{.uid = cluster.uid};
    if (memory.capacity != capacity) {
      memory.capacity = capacity;
      memory.asked.reset();
      memory.usage.reset();
    }
    ask = !address.empty() && (anew || !memory.asked || now - *memory.asked >= options_.interval);
    if (ask) memory.asked = now;
  }
  // Without the lock: others are not to wait for a service that does not answer.
  const std::optional<VolumeUsage> told =
      ask ? probe_->Ask(address, Deadline::After(options_.timeout)) : std::optional<VolumeUsage>();
  const std::lock_guard lock(mutex_);
  Memory& memory = memories_[key];
  if (told) {
    memory.usage = told;
    memory.told = now;
  }
  if (memory.usage && now - memory.told > options_.lifetime) memory.usage.reset();
  if (memory.refusal && now >= memory.refused_until) memory.refusal.reset();
  // Whoever asks anew is about to act on the answer, and an old one is none.
  return {anew ? told : memory.usage, memory.refusal};
}

void VolumeWatch::Refused(const kube::ObjectKey& cluster, Problem refusal, std::chrono::microseconds patience) {
  const std::lock_guard lock(mutex_);
  Memory& memory = memories_[cluster];
  memory.refusal = std::move(refusal);
  memory.refused_until = clock_.Monotonic() + patience;
}

void VolumeWatch::Forget(const kube::ObjectKey& cluster) {
  const std::lock_guard lock(mutex_);
  memories_.erase(cluster);
}

}  // namespace holdfast::storagecluster
