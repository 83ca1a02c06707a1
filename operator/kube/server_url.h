// The address of an API server, as kubeconfig files and --server write it.
#pragma once

#include <string>
#include <string_view>

#include "base/result/result.h"

namespace holdfast::kube {

struct ServerUrl {
  std::string base;  // "https://10.0.0.1:6443"
  std::string path;  // "" or "/k8s/clusters/c-1", without a trailing slash
  std::string host;  // "10.0.0.1:6443", for metrics and messages
};

// kInvalidArgument for anything but http and https URLs, and for those with a user, a query or a fragment.
Result<ServerUrl> ParseServerUrl(std::string_view text);

}  // namespace holdfast::kube
