// A PostgreSQL cluster under Patroni, on real processes, whose Kubernetes is an API server of the test: pods stand for
// the members, and what a kubelet and a StatefulSet controller would do for them is done here. A container that ends is
// reaped and told of in its pod's status, then started again; a pod that is deleted gets SIGTERM, after its grace
// period SIGKILL, its last status, and only then goes; a pod that is missing is made anew over the same data.
//
//   local::ApiServer api;  api.Listen();
//   auto cluster = PatroniCluster::Start(api, {.members = 2}).value();
//   cluster->Kill(cluster->Leader());
//
// Thread-safe.
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "base/result/result.h"
#include "operator/local/api_server/api_server.h"
#include "tests/patroni/member.h"

namespace holdfast::patroni_cluster {

struct KubeletSettings {
  // Between two looks at the containers; a kubelet's is a second.
  std::chrono::milliseconds period{1000};
};

class PatroniCluster {
 public:
  // With a primary, every member streaming from it and the synchronous standbys in place at return. `api` listens, and
  // outlives it.
  static Result<std::unique_ptr<PatroniCluster>> Start(local::ApiServer& api, const Settings& settings,
                                                       const KubeletSettings& kubelet = {});
  ~PatroniCluster();

  const Settings& settings() const { return settings_; }
  std::vector<std::string> names() const;
  // The holder of Patroni's lock, or "".
  std::string Leader() const;
  // The standbys a commit waits for, as Patroni has published them.
  std::vector<std::string> SynchronousStandbys() const;
  // Those who have taken no part in the lock.
  std::vector<std::string> Standbys() const;
  // Waits, at most two minutes, until somebody else than `former` holds the lock and takes writes; its name.
  Result<std::string> AwaitPrimary(const std::string& former = "");
  // Waits, at most two minutes, until there is a primary, everybody else follows it on its timeline, and the
  // synchronous standbys are in place.
  Status AwaitSettled();

  // To the whole container.
  void Kill(const std::string& member);
  void Freeze(const std::string& member);
  void Thaw(const std::string& member);
  // See Member.
  void Cut(const std::string& member);
  void Heal(const std::string& member);
  // The node does not answer the API server any more: nothing of what its kubelet would do happens.
  void SetKubeletReachable(const std::string& member, bool reachable);
  // A container that ended stays down.
  void SetRestarts(const std::string& member, bool restarts);

  // The template of the members' StatefulSet has changed, as its controller tells it: pods that are made from now on
  // carry this revision. Nobody is replaced for it.
  void ChangeTemplate(const std::string& revision);
  // The revision of a member's pod, "first" before any change; "" while it has none.
  std::string RevisionOf(const std::string& member) const;

  // All members, for a client that looks for the writable one.
  std::string Url() const;
  Result<postgres_servers::Session> Connect(const std::string& member) const { return Of(member).Connect(); }
  const std::string& address(const std::string& member) const { return Of(member).address(); }
  // What Patroni and PostgreSQL of all members wrote, for a test that fails.
  std::string Logs() const;

 private:
  struct Seat {
    std::unique_ptr<Member> member;
    std::string pod_uid;  // of the pod its container was started for; empty: none
    std::string container_id;
    std::string started_at;
    int restarts = 0;
    nlohmann::json last_end;  // the terminated state of the container before this one
    bool ended = false;       // the container ended, and the pod says so
    bool terminating = false;
    std::chrono::steady_clock::time_point kill_at;
    bool kubelet_reachable = true;
    bool restarts_allowed = true;
  };

  PatroniCluster(local::ApiServer& api, const Settings& settings, const KubeletSettings& kubelet);
  const Member& Of(const std::string& member) const;

  void Run(const std::stop_token& stop);
  void Keep(Seat* seat);                            // requires mutex_
  void Launch(Seat* seat, const std::string& uid);  // requires mutex_
  void ReportRunning(const Seat& seat);             // requires mutex_
  void ReportEnded(Seat* seat, int code);           // requires mutex_
  void MakePod(const Seat& seat);                   // requires mutex_
  nlohmann::json Labels() const;
  void PatchStatus(const Seat& seat, nlohmann::json status);  // requires mutex_
  nlohmann::json ReadPod(const std::string& name) const;
  nlohmann::json Annotations(const std::string& key) const;

  local::ApiServer& api_;
  const Settings settings_;
  const KubeletSettings kubelet_;
  mutable std::mutex mutex_;
  std::condition_variable_any wake_;
  std::map<std::string, Seat> seats_;  // the keys never change; the rest is guarded by mutex_
  int containers_ = 0;                 // guarded by mutex_
  std::string revision_ = "first";     // guarded by mutex_
  int wanted_ = 1;                     // guarded by mutex_; members from the first on that are to run
  std::jthread keeper_;
};

}  // namespace holdfast::patroni_cluster
