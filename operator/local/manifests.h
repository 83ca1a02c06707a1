// The documents given to `local`: read, checked and applied all or none.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/result/result.h"
#include "operator/local/api_server/api_server.h"

namespace holdfast::local {

struct Manifest {
  std::string source;  // "crds/samples/embedded.yaml"
  Json object;
};

// "-" is standard input. kInvalidArgument naming file and line, or when there is no document at all.
Result<std::vector<Manifest>> ReadManifests(const std::vector<std::string>& paths);
// The documents of one text; `source` names it.
Result<std::vector<Manifest>> ParseManifests(const std::string& text, const std::string& source);

// Where an object is in the API: "/apis/<group>/<version>/namespaces/<ns>/<plural>/<name>". Namespaced kinds without a
// namespace are in "default". kInvalidArgument naming the source for a kind that is not served.
Result<std::string> PathOf(ApiServer& api, const Manifest& manifest);

// A server-side apply of every document, as kubectl would; first all as a dry run, so that a mistake in the last leaves
// nothing of the first. Namespaces that are missing are made.
Status ApplyManifests(ApiServer& api, const std::vector<Manifest>& manifests);

}  // namespace holdfast::local
