// A whole local cluster with our StorageCluster controller, as `holdfast-operator local` puts it together:
//   local_cluster_program <root> <address> <ready seconds> <manifest>...
#include <string>

#include "base/config/yaml.h"
#include "operator/api/v1/crd.h"
#include "operator/controllers/storagecluster/setup.h"
#include "operator/local/local_command.h"

int main(int argc, char** argv) {
  if (argc < 5) return 64;
  holdfast::local::LocalOptions options;
  options.root = argv[1];
  options.address = argv[2];
  options.ready_deadline = std::chrono::seconds(std::stoi(argv[3]));
  options.api_port = 0;
  options.manifests.assign(argv + 4, argv + argc);
  return holdfast::local::RunLocal(
      options, holdfast::config::ToYaml(holdfast::api::StorageClusterDefinition()),
      [](holdfast::runtime::Manager& manager, std::shared_ptr<holdfast::kube::Client> client) {
        holdfast::storagecluster::AddStorageClusterController(manager, std::move(client), {});
      });
}
