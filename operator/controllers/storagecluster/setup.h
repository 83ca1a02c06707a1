// Adds the StorageCluster controller and the informers it needs to a manager.
#pragma once

#include <functional>
#include <memory>

#include "operator/controllers/storagecluster/controller.h"
#include "operator/kube/client.h"
#include "operator/runtime/manager.h"

namespace holdfast::storagecluster {

// What the reconciler reads of one namespace, each part from whatever `add` gives for its kind: of our own kind all, of
// the others only what carries our label. `trim` cuts objects down to what is read.
using AddLister =
    std::function<const kube::Lister*(const kube::ResourceKind& kind, bool ours_only, std::function<void(Json&)> trim)>;
Copies CopiesFrom(const AddLister& add);

// Per namespace of `config` (or once for all): StorageClusters, and of children, claims and pods only those that carry
// our label, cut down to what is read.
void AddStorageClusterController(runtime::Manager& manager, std::shared_ptr<kube::Client> client,
                                 const ControllerConfig& config);

}  // namespace holdfast::storagecluster
