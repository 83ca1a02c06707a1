#include "operator/controllers/storagecluster/volume_watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <future>
#include <utility>

#include "base/http/http_client.h"
#include "operator/resources/names.h"

namespace holdfast::storagecluster {
namespace {

constexpr std::size_t kMaxAnswerBytes = 1u << 20;

class HttpVolumeProbe : public VolumeProbe {
 public:
  std::optional<VolumeUsage> Ask(const std::string& address, std::uint16_t port, const std::string& backend,
                                 Deadline deadline) override {
    http::ClientOptions options;
    const bool brackets = address.find(':') != std::string::npos;
    options.base_url = fmt::format("http://{}{}{}:{}", brackets ? "[" : "", address, brackets ? "]" : "", port);
    options.max_response_bytes = kMaxAnswerBytes;
    http::HttpClient client(std::move(options));
    // An unhealthy service answers 503, and tells all the same: a full disk makes it unhealthy.
    const auto response = client.Send({"GET", "/healthz", {}, {}}, deadline);
    return response.ok() ? ParseVolumeUsage(response->body, backend) : std::nullopt;
  }
};

std::optional<std::uint64_t> Number(const Json& object, const char* name) {
  const auto member = object.find(name);
  if (member == object.end() || !member->is_number_unsigned()) return std::nullopt;
  return member->get<std::uint64_t>();
}

// Of the pod that the volume is mounted in; "" while there is none to ask.
std::string AddressOf(const GrowingVolume& volume, const Observed& observed) {
  for (const Json& pod : observed.pods) {
    if (kube::KeyOf(pod).name != volume.pod || kube::LabelOf(pod, resources::kRoleLabel) != volume.role) continue;
    return kube::IsBeingDeleted(pod) ? std::string() : kube::StringAt(pod, "/status/podIP");
  }
  return {};
}

std::string CapacityOf(const GrowingVolume& volume, const Observed& observed) {
  for (const Json& claim : observed.claims) {
    if (kube::KeyOf(claim).name == volume.claim) return kube::StringAt(claim, "/status/capacity/storage");
  }
  return {};
}

}  // namespace

std::shared_ptr<VolumeProbe> MakeVolumeProbe() {
  return std::make_shared<HttpVolumeProbe>();
}

std::optional<VolumeUsage> ParseVolumeUsage(const std::string& body, const std::string& backend) {
  const Json report = Json::parse(body, nullptr, false);
  if (!report.is_object() || !report.contains("volumes") || !report.at("volumes").is_array()) return std::nullopt;
  const Json& volumes = report.at("volumes");
  const auto of_backend = std::find_if(volumes.begin(), volumes.end(), [&](const Json& each) {
    return backend.empty() || kube::StringAt(each, "/backend") == backend;
  });
  if (of_backend == volumes.end() || !of_backend->is_object()) return std::nullopt;
  const Json& volume = *of_backend;
  const auto capacity = Number(volume, "capacity_bytes");
  const auto available = Number(volume, "available_bytes");
  if (!capacity || !available || *capacity == 0 || *available > *capacity) return std::nullopt;
  return VolumeUsage{.capacity_bytes = *capacity, .available_bytes = *available};
}

VolumeWatch::VolumeWatch(std::shared_ptr<VolumeProbe> probe, const VolumeWatchOptions& options, const Clock& clock)
    : probe_(std::move(probe)), options_(options), clock_(clock) {}

VolumeViews VolumeWatch::Look(const api::StorageCluster& cluster, const Observed& observed, bool anew) {
  const std::vector<GrowingVolume> volumes = GrowingVolumes(cluster);
  if (volumes.empty()) return {};
  const kube::ObjectKey key{cluster.ns, cluster.name};
  const MonotonicTime now = clock_.Monotonic();
  struct Question {
    std::string address;
    std::uint16_t port = 0;
    std::string backend;
  };
  std::map<std::string, Question> questions;  // by claim
  {
    const std::lock_guard lock(mutex_);
    OfCluster& known = memories_[key];
    // What was known of another cluster of this name, or before a volume grew, is true no more.
    if (known.uid != cluster.uid) known = OfCluster{.uid = cluster.uid};
    for (const GrowingVolume& volume : volumes) {
      Memory& memory = known.volumes[volume.claim];
      const std::string address = AddressOf(volume, observed);
      const std::string capacity = CapacityOf(volume, observed);
      if (memory.capacity != capacity) {
        memory.capacity = capacity;
        memory.asked.reset();
        memory.usage.reset();
      }
      const bool ask = !address.empty() && (anew || !memory.asked || now - *memory.asked >= options_.interval);
      if (!ask) continue;
      memory.asked = now;
      questions[volume.claim] = {address, volume.port, volume.backend};
    }
  }
  // Without the lock, and all at once: nobody is to wait for a pod that does not answer.
  const Deadline patience = Deadline::After(options_.timeout);
  std::map<std::string, std::future<std::optional<VolumeUsage>>> answers;
  for (const auto& [claim, question] : questions) {
    answers[claim] = std::async(std::launch::async, [this, question = question, patience] {
      return probe_->Ask(question.address, question.port, question.backend, patience);
    });
  }
  std::map<std::string, VolumeUsage> told;
  for (auto& [claim, answer] : answers) {
    if (const std::optional<VolumeUsage> usage = answer.get()) told[claim] = *usage;
  }

  VolumeViews views;
  const std::lock_guard lock(mutex_);
  OfCluster& known = memories_[key];
  for (const GrowingVolume& volume : volumes) {
    Memory& memory = known.volumes[volume.claim];
    const auto usage = told.find(volume.claim);
    if (usage != told.end()) {
      memory.usage = usage->second;
      memory.told = now;
    }
    if (memory.usage && now - memory.told > options_.lifetime) memory.usage.reset();
    if (memory.refusal && now >= memory.refused_until) memory.refusal.reset();
    // Whoever asks anew is about to act on the answer, and an old one is none.
    if (!anew || usage != told.end()) views[volume.claim].usage = memory.usage;
    views[volume.claim].refusal = memory.refusal;
  }
  return views;
}

void VolumeWatch::Refused(const kube::ObjectKey& cluster, const std::string& claim, Problem refusal,
                          std::chrono::microseconds patience) {
  const std::lock_guard lock(mutex_);
  Memory& memory = memories_[cluster].volumes[claim];
  memory.refusal = std::move(refusal);
  memory.refused_until = clock_.Monotonic() + patience;
}

void VolumeWatch::Forget(const kube::ObjectKey& cluster) {
  const std::lock_guard lock(mutex_);
  memories_.erase(cluster);
}

}  // namespace holdfast::storagecluster
