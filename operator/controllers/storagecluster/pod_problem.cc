#include "operator/controllers/storagecluster/pod_problem.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "operator/kube/object.h"

namespace holdfast::storagecluster {
namespace {

using kube::Json;

constexpr std::size_t kMostWords = 700;

// What a container gave as the reason for its end: only those that mean the status to say it do.
std::string LastWords(const Json& status) {
  std::string words = kube::StringAt(status, "/lastState/terminated/message");
  while (!words.empty() && words.back() == '\n') words.pop_back();
  if (words.size() > kMostWords) words.erase(0, words.size() - kMostWords);
  std::replace(words.begin(), words.end(), '\n', ' ');
  return words;
}

std::string Trouble(const Json& status) {
  static constexpr std::array<std::string_view, 8> kLasting = {
      "CrashLoopBackOff", "ImagePullBackOff",           "ErrImagePull",         "ErrImageNeverPull",
      "InvalidImageName", "CreateContainerConfigError", "CreateContainerError", "RunContainerError"};
  const std::string reason = kube::StringAt(status, "/state/waiting/reason");
  if (std::find(kLasting.begin(), kLasting.end(), reason) == kLasting.end()) return {};
  const std::string message = kube::StringAt(status, "/state/waiting/message");
  const std::string exit = kube::StringAt(status, "/lastState/terminated/reason");
  if (const std::string words = LastWords(status); !words.empty()) return reason + ": " + words;
  return reason + (message.empty() ? "" : ": " + message) + (exit.empty() ? "" : " (ended before with " + exit + ")");
}

}  // namespace

std::optional<Problem> PodProblem(const std::vector<Json>& pods) {
  static const Json::json_pointer statuses("/status/containerStatuses");
  static const Json::json_pointer conditions("/status/conditions");
  std::optional<Problem> silent;
  for (const Json& pod : pods) {
    const std::string name = "Pod " + kube::KeyOf(pod).ToString();
    if (pod.contains(conditions) && pod.at(conditions).is_array()) {
      for (const Json& condition : pod.at(conditions)) {
        if (kube::StringAt(condition, "/reason") != "Unschedulable") continue;
        return Problem{"PodFailing", name + " finds no node: " + kube::StringAt(condition, "/message")};
      }
    }
    if (!pod.contains(statuses) || !pod.at(statuses).is_array()) continue;
    for (const Json& status : pod.at(statuses)) {
      const std::string trouble = Trouble(status);
      if (trouble.empty()) continue;
      Problem problem{"PodFailing", name + ", container " + kube::StringAt(status, "/name") + ": " + trouble};
      // One that says why may be what the others fail for.
      if (!LastWords(status).empty()) return problem;
      if (!silent) silent = std::move(problem);
    }
  }
  return silent;
}

std::optional<Problem> UnboundClaim(const std::vector<Json>& claims) {
  for (const Json& claim : claims) {
    if (kube::StringAt(claim, "/status/phase") != "Pending" || claim.at("spec").contains("storageClassName")) continue;
    return Problem{"NoStorageClass", "PersistentVolumeClaim " + kube::KeyOf(claim).ToString() +
                                         " gets no volume: it names no StorageClass and none is the default; make one "
                                         "the default (kubectl get storageclass), or make the StorageCluster anew with "
                                         "storage.storageClassName"};
  }
  return std::nullopt;
}

}  // namespace holdfast::storagecluster
