// Who is the master of a Redis backend with sentinels, as most of them say, and how that stands in the status of its
// StorageCluster. Pure, but for WriteView.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/redis/value.h"
#include "base/result/result.h"
#include "base/time/deadline.h"
#include "operator/kube/client.h"
#include "operator/sentinel/server_report.h"

namespace holdfast::sentinel {

// What one sentinel says.
struct Report {
  std::string master;  // its host
  std::int64_t epoch = 0;
  bool down = false;  // the master does not answer it
  bool failover = false;
  std::chrono::milliseconds silent{};  // since the master last answered it
  struct Replica {
    std::string host;
    bool in_step = false;
    bool away = false;  // it does not reach it, so it would not choose it
    std::int64_t priority = kUsualPriority;
    bool operator==(const Replica&) const = default;
  };
  std::vector<Replica> replicas = {};
  std::int64_t others = 0;  // sentinels that it knows
};

// Of the answers to SENTINEL MASTER and SENTINEL REPLICAS. kCorruption when they are none.
Result<Report> ParseReport(const redis::Value& master, const redis::Value& replicas);

enum class State { kServing, kFailingOver, kNoMaster, kSentinelsSilent };
const char* NameOf(State state);

// What is known of a backend.
struct View {
  std::string backend;
  State state = State::kSentinelsSilent;
  std::string master = {};  // the pod; of one that is down too. Empty: not known
  std::int64_t replicas = 0;
  std::int64_t in_step = 0;
  struct Member {
    std::string pod;
    std::string role;  // Master, Replica, or Behind: a replica that is not in step
    bool operator==(const Member&) const = default;
  };
  std::vector<Member> members = {};

  bool operator==(const View&) const = default;
};

// "demo-cache-0" of "demo-cache-0.prod.svc".
std::string PodOf(const std::string& host);

// `reports`: of those of the `sentinels` that answered. The newest is believed once most of them did; the master is
// down when most of those that answered say so. `instances`: servers that the spec asks for.
View Judge(std::string backend, const std::vector<Report>& reports, std::int64_t sentinels, std::int64_t instances);

// From status.redis; nothing while there is none of sentinels.
std::optional<View> ViewOf(const kube::Json& cluster_object, std::string_view backend);

// Puts it there, and the pod that takes writes into status.backends; writes nothing when it stands there. A conflict is
// read again. Returns the object as written or read last.
Result<kube::Json> WriteView(kube::Client& client, kube::Json cluster_object, const View& view, Deadline deadline);
// Likewise takes it away, of a backend that does not run.
Result<kube::Json> EraseView(kube::Client& client, kube::Json cluster_object, const std::string& backend,
                             Deadline deadline);

}  // namespace holdfast::sentinel
