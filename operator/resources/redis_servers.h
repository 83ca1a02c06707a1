// How many servers a Redis backend with sentinels or shards has while its spec asks for fewer. Pure.
//
// Two controllers share it through the StatefulSet of the servers. The one that makes the objects keeps as many pods
// and Services as there are, until the one that watches the sentinels (operator/sentinel/scale_decision.h) or the
// shards (operator/shards/scale_in.h) has written down that what the spec asks for is enough. What it writes holds for
// one generation of the StatefulSet: whatever changes there, another template too, makes it look again. So it is said
// twice of each time that servers go: first that the pods may, and behind that, when no sentinel knows those servers
// any more, that their names may.
#pragma once

#include <cstdint>
#include <string>

#include "operator/kube/object.h"

namespace holdfast::resources {

struct RedisServers {
  std::int64_t pods = 0;
  std::int64_t names = 0;  // Services, and lines of the file of servers; never less than pods

  bool operator==(const RedisServers&) const = default;
};

// That there are, by the live StatefulSet (null: there is none), with what was decided before counted in. Of one that
// hibernates: those that wake up.
RedisServers PresentServers(std::int64_t wanted, const kube::Json* set);

// That there should be now. Never more than there are, or than are wanted.
RedisServers DesiredServers(std::int64_t wanted, const kube::Json* set);

// That `servers` are enough for the StatefulSet as it is here. A merge patch, which a changed StatefulSet refuses.
kube::Json EnoughServersPatch(std::int64_t servers, const kube::Json& set);
bool AreEnoughServers(std::int64_t servers, const kube::Json& set);

// Of a StatefulSet of servers, where `servers` is RedisServers::names.
inline constexpr char kServersAnnotation[] = "storage.holdfast.dev/servers";
inline constexpr char kEnoughServersAnnotation[] = "storage.holdfast.dev/enough-servers";

}  // namespace holdfast::resources
