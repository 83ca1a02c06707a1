// Makes StatefulSets so: pods and claims of every set in the API server, and its status. The part of
// kube-controller-manager that our operator depends on. Level-based: everything is looked at again after any change.
#pragma once

#include <stop_token>
#include <thread>

#include "operator/local/api_server/api_server.h"

namespace holdfast::local {

class StatefulSetController {
 public:
  // `api` must outlive it.
  explicit StatefulSetController(ApiServer& api);
  // Stops before the next set is looked at; pods stay as they are.
  ~StatefulSetController();

 private:
  void Run(std::stop_token stop);
  void Pass(std::stop_token stop);
  void Sync(const Json& set, const Json& pods, const Json& claims);

  ApiServer& api_;
  std::jthread thread_;
};

}  // namespace holdfast::local
