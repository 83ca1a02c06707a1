// What the real cluster's controllers clean up after a delete: dependents of owners that are gone (judged by uid, so
// an owner made again under the old name adopts nothing), foreground and orphan deletions, the contents of namespaces
// and of CustomResourceDefinitions, and Events past their time. Works in the background, after every write.
#pragma once

#include <stop_token>
#include <thread>

#include "operator/local/api_server/object_service.h"

namespace holdfast::local {

class GarbageCollector {
 public:
  GarbageCollector(ObjectStore& store, ResourceRegistry& registry, ObjectService& service, const Clock& clock);
  ~GarbageCollector();

 private:
  struct Snapshot;
  void Run(std::stop_token stop);
  void Pass();
  void CollectDependents(const Snapshot& all);
  void FinishPropagation(const Snapshot& all);
  void FinishNamespaces(const Snapshot& all);
  void FinishDefinitions(const Snapshot& all);
  void ExpireEvents(const Snapshot& all);

  ObjectStore& store_;
  ResourceRegistry& registry_;
  ObjectService& service_;
  const Clock& clock_;
  std::jthread thread_;
};

}  // namespace holdfast::local
