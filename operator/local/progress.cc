#include "operator/local/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <utility>

#include "base/time/duration.h"
#include "operator/local/api_server/json_access.h"

namespace holdfast::local {
namespace {

struct Watched {
  const char* path;
  const char* name;
};

constexpr Watched kWatched[] = {
    {"/api/v1/serviceaccounts", "service account"},
    {"/api/v1/configmaps", "configuration"},
    {"/api/v1/services", "service"},
    {"/apis/policy/v1/poddisruptionbudgets", "disruption budget"},
    {"/apis/apps/v1/statefulsets", "stateful set"},
    {"/apis/apps/v1/deployments", "deployment"},
    {"/apis/batch/v1/jobs", "job"},
    {"/api/v1/persistentvolumeclaims", "volume"},
    {"/api/v1/pods", "pod"},
};

bool IsReady(const Json& object) {
  for (const Json& condition : ArrayAt(object, {"status", "conditions"})) {
    if (TextAt(condition, {"type"}) == "Ready") return TextAt(condition, {"status"}) == "True";
  }
  return false;
}

}  // namespace

void Progress::Say(const std::string& event, const std::string& line, Json details) {
  if (for_people_) {
    std::cout << line << std::endl;
    return;
  }
  details["time"] = FormatTimestamp(SystemClock().Now());
  details["event"] = event;
  if (!details.contains("message"))
    details["message"] = line.substr(std::min(line.find_first_not_of(" +*"), line.size()));
  std::cout << details.dump(-1, ' ', false, Json::error_handler_t::replace) << std::endl;
}

void Progress::Fail(const std::string& line) {
  std::cerr << "holdfast-operator local: " << line << std::endl;
}

void Progress::TellOfObjects(ApiServer& api) {
  if (std::uint64_t now = api.revision(); std::exchange(seen_, now) == now) return;
  for (const Watched& each : kWatched) {
    Json list = api.Call("GET", each.path).body;
    for (const Json& object : ArrayAt(list, {"items"})) {
      std::string id = fmt::format("{} {}/{}", each.name, NamespaceOf(object), NameOf(object));
      Json details = {{"kind", each.name}, {"namespace", NamespaceOf(object)}, {"name", NameOf(object)}};
      if (told_.insert(id + UidOf(object)).second) Say("created", fmt::format("  + {}", id), details);
      if (std::string(each.name) != "pod" || !IsReady(object)) continue;
      if (told_.insert("ready" + id + UidOf(object)).second) {
        std::string address = TextAt(object, {"status", "podIP"});
        details["address"] = address;
        Say("ready", fmt::format("  * {} is ready at {}", id, address), details);
      }
    }
  }
}

}  // namespace holdfast::local
