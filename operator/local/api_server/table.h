// The Table form of objects, which kubectl get asks for: one row of cells per object. Pure.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/time/clock.h"
#include "operator/local/api_server/object_store.h"
#include "operator/local/api_server/resource_registry.h"

namespace holdfast::local {

// How much of each object a row carries: includeObject=None|Metadata|Object.
enum class RowObject { kNone, kMetadata, kObject };

Json TableOf(const ResourceType& type, const std::vector<StoredObject>& objects, const Json& list_metadata,
             RowObject row_object, Timestamp now);

// "42s", "3m10s", "5h", "2d": as k8s.io/apimachinery/pkg/util/duration.HumanDuration.
std::string HumanDuration(std::chrono::seconds duration);

}  // namespace holdfast::local
