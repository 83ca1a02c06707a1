#include "operator/local/workloads/pod_facts.h"

#include <fmt/format.h>

#include <random>

#include "base/time/duration.h"

namespace holdfast::local {
namespace {

// Kubernetes' own alphabet for what is generated: no vowels, nothing that looks like another letter.
constexpr std::string_view kLetters = "bcdfghjklmnpqrstvwxz2456789";
constexpr int kRandomLetters = 5;
constexpr int kHashLetters = 10;

const Json* ConditionOf(const Json& pod, const char* type) {
  for (const Json& condition : ArrayAt(pod, {"status", "conditions"})) {
    if (TextAt(condition, {"type"}) == type) return &condition;
  }
  return nullptr;
}

}  // namespace

bool IsReadyPod(const Json& pod) {
  const Json* ready = ConditionOf(pod, "Ready");
  return ready != nullptr && TextAt(*ready, {"status"}) == "True";
}

bool HasEndedPod(const Json& pod) {
  std::string phase = TextAt(pod, {"status", "phase"});
  return phase == "Failed" || phase == "Succeeded";
}

bool IsControlledBy(const Json& object, const std::string& uid) {
  for (const Json& owner : ArrayAt(object, {"metadata", "ownerReferences"})) {
    if (BoolAt(owner, {"controller"}) && TextAt(owner, {"uid"}) == uid) return true;
  }
  return false;
}

std::optional<Timestamp> AvailableSince(const Json& pod, std::chrono::seconds min_ready) {
  if (!IsReadyPod(pod)) return std::nullopt;
  std::optional<Timestamp> ready = TimeAt(*ConditionOf(pod, "Ready"), {"lastTransitionTime"});
  return ready.value_or(Timestamp()) + min_ready;
}

Json ControllerReference(const char* api_version, const char* kind, const Json& owner) {
  return {{"apiVersion", api_version},  {"kind", kind},      {"name", NameOf(owner)}, {"uid", UidOf(owner)},
          {"blockOwnerDeletion", true}, {"controller", true}};
}

Json PodFromTemplate(const Json& owner, const Json& reference) {
  const Json& from = ObjectAt(owner, {"spec", "template"});
  Json pod = {{"apiVersion", "v1"}, {"kind", "Pod"}, {"spec", ObjectAt(from, {"spec"})}};
  pod["metadata"] = {{"namespace", NamespaceOf(owner)}, {"ownerReferences", Json::array({reference})}};
  for (const char* field : {"labels", "annotations"}) {
    if (const Json* found = FindField(from, {"metadata", field})) pod["metadata"][field] = *found;
  }
  return pod;
}

std::string TemplateHash(const Json& owner) {
  // FNV-1a: the same in every process, which std::hash does not promise.
  std::uint64_t hash = 14695981039346656037ull;
  for (char each : ObjectAt(owner, {"spec", "template"}).dump()) {
    hash = (hash ^ static_cast<unsigned char>(each)) * 1099511628211ull;
  }
  std::string text;
  for (int i = 0; i < kHashLetters; ++i, hash /= kLetters.size()) text += kLetters[hash % kLetters.size()];
  return text;
}

std::string RandomName(const std::string& prefix) {
  thread_local std::mt19937_64 random{std::random_device{}()};
  std::string name = prefix;
  for (int i = 0; i < kRandomLetters; ++i) name += kLetters[random() % kLetters.size()];
  return name;
}

std::optional<Timestamp> TimeAt(const Json& object, FieldPath path) {
  auto time = ParseTimestamp(TextAt(object, path));
  if (!time.ok()) return std::nullopt;
  return *time;
}

}  // namespace holdfast::local
