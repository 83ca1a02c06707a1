// The volumes of a pod as folders: configMap, secret, downwardAPI and projected written out, emptyDir made and removed
// with the pod, claims under <root>/volumes/<namespace>/<claim>, where they outlive everything but the claim. Used by
// one thread at a time.
//
// As root, modes and fsGroup are what the kubelet makes of them. As another user everything belongs to that user, whom
// a container takes for its own, and nobody else may read it.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "base/result/result.h"
#include "operator/local/api_server/api_server.h"

namespace holdfast::local {

class Volumes {
 public:
  // `pod_folder` is this pod's own, under <root>/pods.
  Volumes(ApiServer& api, std::filesystem::path root, std::filesystem::path pod_folder);

  // By volume name. Writes what changed since the last call, each file in one step. kFailedPrecondition naming the
  // volume when what it refers to is not there (yet).
  Result<std::map<std::string, std::filesystem::path>> Materialize(const Json& pod, const std::string& address);

 private:
  Result<std::filesystem::path> MaterializeOne(const Json& pod, const Json& volume, const std::string& address);

  ApiServer& api_;
  std::filesystem::path root_;
  std::filesystem::path pod_folder_;
  std::map<std::string, bool> shared_;  // folders whose group has been set in this pod's life
};

// Where a claim's data is.
std::filesystem::path ClaimFolder(const std::filesystem::path& root, const std::string& ns, const std::string& claim);

}  // namespace holdfast::local
