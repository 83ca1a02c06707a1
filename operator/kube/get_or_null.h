// Reading what need not be there.
#pragma once

#include "base/result/result.h"
#include "base/time/deadline.h"
#include "operator/kube/client.h"

namespace holdfast::kube {

// Null when there is none.
Result<Json> GetOrNull(Client& client, const ResourceKind& kind, const ObjectKey& key, Deadline deadline);

}  // namespace holdfast::kube
