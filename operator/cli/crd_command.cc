#include <ostream>

#include "base/config/yaml.h"
#include "operator/api/v1/crd.h"
#include "operator/cli/commands.h"

namespace holdfast::cli {
namespace {

constexpr char kUsage[] = R"(usage: holdfast-operator crd [--reference]

Prints the CustomResourceDefinition of StorageCluster, ready for `kubectl apply -f -`.

  --reference  print the field reference (docs/storagecluster.md) instead
)";

}  // namespace

int RunCrd(const Arguments& arguments, const Streams& streams) {
  if (arguments.empty()) {
    streams.out << config::ToYaml(api::StorageClusterDefinition());
    return 0;
  }
  if (arguments.size() == 1 && arguments.front() == "--reference") {
    streams.out << api::StorageClusterReference();
    return 0;
  }
  const bool help = arguments.front() == "--help" || arguments.front() == "-h";
  (help ? streams.out : streams.error) << kUsage;
  return help ? 0 : 2;
}

}  // namespace holdfast::cli
