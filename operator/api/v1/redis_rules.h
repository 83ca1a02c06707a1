// The rules over several fields of a Redis backend, and those of stores on one.
#pragma once

#include <string>

#include "operator/api/v1/field.h"

namespace holdfast::api {

Rule RedisModeIsImmutableRule();
// When Redis 7 starts it reads either the append-only file or the snapshot, whichever it is configured for: another
// choice would begin with nothing, or with what was long ago.
Rule RedisPersistenceIsImmutableRule();
// A server whose data fits and whose pod does not is killed, again and again.
Rule RedisLimitHoldsMemoryRule();

Rule SentinelFieldsNeedSentinelModeRule();
Rule MinReplicasBelowInstancesRule();
// A majority is one of all sentinels that were ever known.
Rule SentinelsAreImmutableRule();
// Servers that were all down at once would all come back with nothing, and wait for one that has something.
Rule SentinelNeedsAppendOnlyRule();
Rule SentinelsAreOddRule();  // on sentinel

// Whether an acknowledged write to a provisioned server outlives the loss of power, and no failover can lose it; in CEL
// of a backend `b` with such a server.
bool IsDurableServer(const Json& redis);
std::string DurableServerInCel();

// Of the spec: a store that is declared durable needs a backend that can keep that promise.
Rule DurableStoresRule();

}  // namespace holdfast::api
