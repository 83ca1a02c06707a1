// Rules about stores that acknowledge writes before their backend has them.
#pragma once

#include <vector>

#include "operator/api/v1/field.h"

namespace holdfast::api {

// Of `tiered`: which fields go with which `write`.
std::vector<Rule> WriteModeRules();
// Of a store: a queue in which writes may wait is not left.
Rule WriteQueueStaysRule();
// Of the spec: the queue is on a volume that outlives the pod.
Rule WriteQueueIsEmbeddedRule();

}  // namespace holdfast::api
