// One line of a watch: {"type": "ADDED", "object": {...}}.
#pragma once

#include <string_view>

#include "operator/kube/client.h"

namespace holdfast::kube {

// An ERROR event gives the error its Status stands for; a line that is no event of this kind gives kCorruption.
Result<WatchEvent> ParseWatchEvent(const ResourceKind& kind, std::string_view line);

}  // namespace holdfast::kube
