// The rules of stores: on what they may stand, and what their backends ask of the service's pods. On spec, but for the
// first two.
#pragma once

#include <string>

#include "operator/api/v1/field.h"

namespace holdfast::api {

// The backend that keeps a store's entries; empty when it names none. In CEL it is that of a store `s`.
std::string RecordOf(const Json& store);
std::string RecordInCel();
// Whether the store names the backend anywhere. In CEL: store `s` and backend `b`.
bool Uses(const Json& store, const std::string& backend);
std::string UsesInCel();

Rule TieredOfTwoBackendsRule();    // on stores[].tiered
Rule FailoverOfTwoBackendsRule();  // on stores[].failover

Rule StoresReferToBackendsRule();
// Redis may have a cache where it can say how far its changes have been told, and has no room for versions of writes
// that wait. What it loses when it fails, the copy of a failover store would not.
Rule ComposedStoresOverRedisRule();
// What gives way when it is full would seem not to be there in a store of its own.
Rule MemoryCacheIsOnlyCacheRule();
// Of a secondary that several pods reach each would overwrite the other's copies.
Rule SecondaryBelongsToPodRule();
Rule OneReplicaPerOwnDataRule();
Rule AutoscalingNeedsSharedDataRule();

}  // namespace holdfast::api
