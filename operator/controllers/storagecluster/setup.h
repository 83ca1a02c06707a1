// Adds the StorageCluster controller and the informers it needs to a manager.
#pragma once

#include <memory>

#include "operator/controllers/storagecluster/controller.h"
#include "operator/kube/client.h"
#include "operator/runtime/manager.h"

namespace holdfast::storagecluster {

// Per namespace of `config` (or once for all): StorageClusters, and of children, claims and pods only those that carry
// our label, cut down to what is read.
void AddStorageClusterController(runtime::Manager& manager, std::shared_ptr<kube::Client> client,
                                 const ControllerConfig& config);

}  // namespace holdfast::storagecluster
