// What the controllers of workloads ask about pods and the objects that make them. Pure.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "base/time/clock.h"
#include "operator/local/api_server/json_access.h"

namespace holdfast::local {

bool IsReadyPod(const Json& pod);
// Its containers have ended for good.
bool HasEndedPod(const Json& pod);
bool IsControlledBy(const Json& object, const std::string& uid);

// When it has been ready for `min_ready`; nothing while it is not ready.
std::optional<Timestamp> AvailableSince(const Json& pod, std::chrono::seconds min_ready);

// metadata.ownerReferences of what a controller makes.
Json ControllerReference(const char* api_version, const char* kind, const Json& owner);

// A pod from the template of `owner`, without name; labels and annotations are the template's.
Json PodFromTemplate(const Json& owner, const Json& reference);

// Of the pod template, without letters that spell words; the same in every process.
std::string TemplateHash(const Json& owner);

// A name that nothing else has, as the API server makes one from generateName.
std::string RandomName(const std::string& prefix);

// An RFC 3339 time of a status; nothing when there is none.
std::optional<Timestamp> TimeAt(const Json& object, FieldPath path);

}  // namespace holdfast::local
