#include "operator/local/process_runner/process_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/log/log.h"
#include "operator/local/api_server/json_access.h"

namespace holdfast::local {
namespace {

constexpr std::string_view kAgent = "holdfast-local-kubelet";
// How late the end of a stopped pod may be noticed.
constexpr std::chrono::milliseconds kPoll{50};
constexpr const char* kClaimProtection = "kubernetes.io/pvc-protection";

std::string PodPath(const Json& pod) {
  return fmt::format("/api/v1/namespaces/{}/pods/{}", NamespaceOf(pod), NameOf(pod));
}

std::set<std::string> ClaimsOf(const Json& pod) {
  std::set<std::string> claims;
  for (const Json& volume : ArrayAt(pod, {"spec", "volumes"})) {
    std::string claim = TextAt(volume, {"persistentVolumeClaim", "claimName"});
    if (!claim.empty()) claims.insert(NamespaceOf(pod) + "/" + claim);
  }
  return claims;
}

std::chrono::seconds GraceOf(const Json& pod) {
  std::int64_t otherwise = IntegerAt(pod, {"spec", "terminationGracePeriodSeconds"}, 30);
  return std::chrono::seconds(IntegerAt(pod, {"metadata", "deletionGracePeriodSeconds"}, otherwise));
}

}  // namespace

ProcessRunner::ProcessRunner(ApiServer& api, RunnerOptions options, const Clock& clock)
    : api_(api),
      options_(std::move(options)),
      clock_(clock),
      addresses_(options_.root / "addresses.json", options_.network) {
  if (options_.contain) {
    std::string why_not;
    ability_ = FindContainmentAbility(options_.root, &why_not);
    if (ability_ == ContainmentAbility::kNone) {
      log::Info("pods are not contained on this machine", {{"why", why_not}});
    }
  }
  thread_ = std::jthread([this](std::stop_token stop) { Run(stop); });
}

ProcessRunner::~ProcessRunner() {
  Stop();
}

void ProcessRunner::Stop() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  thread_.join();
}

void ProcessRunner::Run(std::stop_token stop) {
  std::uint64_t seen = 0;
  while (!stop.stop_requested()) {
    std::uint64_t now = api_.WaitBeyond(seen, kPoll);
    bool ended =
        std::any_of(workers_.begin(), workers_.end(), [](const auto& each) { return each.second->finished(); });
    if (now == seen && !ended) continue;
    bool written = now != seen;
    seen = now;
    if (written) {
      for (auto& [uid, worker] : workers_) worker->Refresh();
    }
    Pass();
  }
  StopAll();
}

void ProcessRunner::Pass() {
  SyncPods();
  SyncClaims();
}

void ProcessRunner::SyncPods() {
  std::set<std::string> present;
  Json list = api_.Call("GET", "/api/v1/pods").body;
  for (const Json& pod : ArrayAt(list, {"items"})) {
    std::string uid = UidOf(pod);
    std::string node = TextAt(pod, {"spec", "nodeName"});
    present.insert(uid);
    auto worker = workers_.find(uid);
    if (node.empty() && !IsTerminating(pod)) {
      Json binding = {
          {"apiVersion", "v1"}, {"kind", "Binding"}, {"target", {{"kind", "Node"}, {"name", options_.node}}}};
      (void)api_.Call("POST", PodPath(pod) + "/binding", binding, "", kAgent);
    } else if (node != options_.node) {
      continue;
    } else if (worker == workers_.end() && !IsTerminating(pod)) {
      workers_[uid] = std::make_unique<PodWorker>(api_, options_, ability_, addresses_, clock_, pod);
    } else if (worker == workers_.end() || worker->second->finished()) {
      // Nothing of it runs any more: only now may the name be used again.
      if (!IsTerminating(pod)) continue;
      Json last = {{"apiVersion", "v1"},
                   {"kind", "DeleteOptions"},
                   {"gracePeriodSeconds", 0},
                   {"preconditions", {{"uid", uid}}}};
      workers_.erase(uid);
      (void)api_.Call("DELETE", PodPath(pod), last, "", kAgent);
    } else if (IsTerminating(pod)) {
      worker->second->Terminate(GraceOf(pod));
    }
  }
  // Deleted without grace: what runs has no pod any more.
  for (auto& [uid, worker] : workers_) {
    if (!present.contains(uid)) worker->Terminate(std::chrono::seconds(0));
  }
  std::erase_if(workers_, [&](const auto& each) { return !present.contains(each.first) && each.second->finished(); });
}

void ProcessRunner::SyncClaims() {
  std::set<std::string> used;
  Json pods = api_.Call("GET", "/api/v1/pods").body;
  for (const Json& pod : ArrayAt(pods, {"items"})) used.merge(ClaimsOf(pod));
  Json claims = api_.Call("GET", "/api/v1/persistentvolumeclaims").body;
  for (const Json& claim : ArrayAt(claims, {"items"})) {
    std::string ns = NamespaceOf(claim);
    std::string name = NameOf(claim);
    std::string path = fmt::format("/api/v1/namespaces/{}/persistentvolumeclaims/{}", ns, name);
    if (IsTerminating(claim)) {
      if (used.contains(ns + "/" + name) || !HasFinalizer(claim, kClaimProtection)) continue;
      // The data goes before the claim does: a claim made anew must never find it.
      std::error_code error;
      std::filesystem::remove_all(ClaimFolder(options_.root, ns, name), error);
      if (error) {
        log::Warn("the data of a deleted claim could not be removed",
                  {{"claim", ns + "/" + name}, {"error", error.message()}});
        continue;
      }
      Json finalizers = ArrayAt(claim, {"metadata", "finalizers"});
      finalizers.erase(std::remove(finalizers.begin(), finalizers.end(), Json(kClaimProtection)), finalizers.end());
      Json patch = {{"metadata",
                     {{"uid", UidOf(claim)},
                      {"resourceVersion", TextAt(claim, {"metadata", "resourceVersion"})},
                      {"finalizers", finalizers}}}};
      (void)api_.Call("PATCH", path, patch, "application/merge-patch+json", kAgent);
    } else if (TextAt(claim, {"status", "phase"}) == "Pending") {
      Json status = {{"phase", "Bound"},
                     {"accessModes", ArrayAt(claim, {"spec", "accessModes"})},
                     {"capacity", ObjectAt(claim, {"spec", "resources", "requests"})}};
      (void)api_.Call("PATCH", path + "/status", {{"metadata", {{"uid", UidOf(claim)}}}, {"status", status}},
                      "application/merge-patch+json", kAgent);
    }
  }
}

void ProcessRunner::StopAll() {
  std::map<std::string, std::chrono::seconds> grace;
  Json list = api_.Call("GET", "/api/v1/pods").body;
  for (const Json& pod : ArrayAt(list, {"items"})) grace[UidOf(pod)] = GraceOf(pod);
  for (auto& [uid, worker] : workers_) worker->Terminate(grace[uid]);
  auto left = [&] {
    return std::any_of(workers_.begin(), workers_.end(), [](const auto& each) { return !each.second->finished(); });
  };
  while (left() && !hurry_) std::this_thread::sleep_for(kPoll);
  workers_.clear();
}

std::optional<std::string> ProcessRunner::PodLogTail(const std::string& ns, const std::string& pod,
                                                     std::uintmax_t max_bytes) const {
  std::filesystem::path path = PodLogPath(options_.root, ns, pod);
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return std::nullopt;
  return TailOf(path, max_bytes);
}

}  // namespace holdfast::local
