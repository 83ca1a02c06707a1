// What leader election keeps in a coordination.k8s.io/v1 Lease.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "base/time/clock.h"
#include "operator/kube/object.h"

namespace holdfast::kube {

struct LeaseRecord {
  std::string holder;                // empty = released
  std::chrono::seconds duration{0};  // 0 = not said
  std::optional<Timestamp> acquired;
  std::optional<Timestamp> renewed;
  std::int64_t transitions = 0;
  bool never_held = true;  // no holder was ever written
};

// Fields of the wrong type count as absent.
LeaseRecord RecordOf(const Json& lease);
// `lease` with the record in its spec: an existing one keeps its metadata (resourceVersion: the precondition), an empty
// one gets apiVersion, kind and name.
Json WithRecord(Json lease, const ObjectKey& key, const LeaseRecord& record);

// metav1.MicroTime: RFC 3339 in UTC with exactly six digits; servers refuse any other number of them.
std::string FormatMicroTime(Timestamp when);

}  // namespace holdfast::kube
