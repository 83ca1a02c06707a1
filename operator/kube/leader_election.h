// Leader election on a coordination.k8s.io/v1 Lease, as client-go's tools/leaderelection does it: expiry is judged by
// how long this process has itself seen the record unchanged, never by the holder's clock. A lease is no fence: what a
// leader writes is guarded by resourceVersion and by field ownership as well.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>

#include "base/result/result.h"
#include "base/time/clock.h"
#include "operator/kube/client.h"

namespace holdfast::kube {

struct LeaderElectionOptions {
  std::string ns;
  std::string name = "holdfast-operator";
  std::string identity;  // unique per process: pod name and a random part
  std::chrono::milliseconds lease_duration{15'000};
  std::chrono::milliseconds renew_deadline{10'000};
  std::chrono::milliseconds retry_period{2'000};
};

// Blocks until `stop` or until a lease once held is lost. Calls `lead` on a thread of its own once the lease is held,
// with a token that is stopped when it must end; returns after `lead` has. ok after `stop` or after `lead` returned by
// itself (the lease, renewed until then, was released), kFailedPrecondition when it was lost, kInvalidArgument for
// durations out of order (lease > renew > 1.2 * retry) or missing names. The Lease says its duration in whole seconds,
// rounded up.
Status RunAsLeader(Client& client, const LeaderElectionOptions& options, std::stop_token stop,
                   const std::function<void(std::stop_token)>& lead, const Clock& clock = SystemClock());

}  // namespace holdfast::kube
