#include <ostream>

#include "base/config/yaml.h"
#include "operator/api/v1/crd.h"
#include "operator/cli/commands.h"
#include "operator/cli/flags.h"

namespace holdfast::cli {
namespace {

constexpr char kUsage[] = R"(usage: holdfast-operator crd [--reference]

Prints the CustomResourceDefinition of StorageCluster, ready for `kubectl apply -f -`.

  --reference  print the field reference (docs/storagecluster.md) instead
)";

}  // namespace

int RunCrd(const Arguments& arguments, const Streams& streams) {
  if (WantsHelp(arguments)) {
    streams.out << kUsage;
    return 0;
  }
  bool reference = false;
  if (!ParseFlags("holdfast-operator crd", arguments, {SwitchFlag({"--reference"}, &reference)}, streams.error)) {
    return 2;
  }
  streams.out << (reference ? api::StorageClusterReference() : config::ToYaml(api::StorageClusterDefinition()));
  return 0;
}

}  // namespace holdfast::cli
