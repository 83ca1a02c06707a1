// What is being done about the primary of one backend, as the StorageCluster's status tells it (status.failover): it
// stands there before the first act, so that whoever comes after a crash knows what was begun, and people can read
// along. It is a record and never evidence: every step is decided on facts read anew.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result/result.h"
#include "base/time/clock.h"
#include "base/time/deadline.h"
#include "operator/kube/client.h"

namespace holdfast::failover {

namespace steps {
inline constexpr char kFencing[] = "Fencing";      // the old primary's container is being ended
inline constexpr char kPromoting[] = "Promoting";  // the lock is, or is about to be, cleared
inline constexpr char kSwitching[] = "Switching";  // Patroni was asked to switch over
inline constexpr char kWaiting[] = "Waiting";      // nothing may be done; the reason says why
inline constexpr char kRefused[] = "Refused";      // the same, and a person is needed
inline constexpr char kDone[] = "Done";
}  // namespace steps

struct Intent {
  std::string backend;
  std::string primary;       // the last one seen serving
  bool ready = false;        // a standby provably holds every acknowledged write now
  std::string ready_reason;  // CamelCase
  std::int64_t epoch = 0;    // rises with every failover and switchover
  std::string kind;          // Failover or Switchover; empty before the first
  std::string step;
  std::string from;
  std::string from_uid;  // of its pod
  std::string to;        // who is expected, later who became primary
  std::string reason;    // CamelCase
  std::string message;
  std::string started_at;  // RFC 3339
  std::string finished_at;
  std::string rollout;  // how far the replacement of members is; empty: none is under way
  std::string scaling;  // likewise of servers that go because fewer are wanted

  bool Open() const { return !step.empty() && step != steps::kDone; }
  friend bool operator==(const Intent&, const Intent&) = default;
};

// The one of that backend in a StorageCluster; nothing when there is none or it is damaged.
std::optional<Intent> IntentOf(const kube::Json& cluster_object, std::string_view backend);

// Replaces it in the status, and makes the condition FailoverReady say what all backends together say. Only when
// something differs; reads again after a conflict, as long as it is the same cluster (else ok, nothing written).
// Returns the object as it is then.
Result<kube::Json> WriteIntent(kube::Client& client, kube::Json cluster_object, const Intent& intent,
                               const Clock& clock, Deadline deadline);

}  // namespace holdfast::failover
