// Rules about stores on several replicas.
#pragma once

#include <vector>

#include "operator/api/v1/field.h"

namespace holdfast::api {

// Of `replicated`: the quorums meet, no replica is there twice, and what was acknowledged stays where it is.
std::vector<Rule> ReplicatedRules();
// Of a store: its rows are others when it is replicated.
Rule StoreStaysReplicatedRule();
// Of the spec: every replica is an embedded backend.
Rule ReplicasAreEmbeddedRule();
// Of the spec: every replica belongs to one store alone.
Rule ReplicaBelongsToStoreRule();

}  // namespace holdfast::api
