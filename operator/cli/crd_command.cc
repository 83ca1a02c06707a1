#include <algorithm>
#include <iterator>
#include <ostream>
#include <string>
#include <utility>

#include "base/config/yaml.h"
#include "operator/api/v1/crd.h"
#include "operator/api/v1/storage_backup.h"
#include "operator/api/v1/storage_cluster.h"
#include "operator/api/v1/storage_migration.h"
#include "operator/api/v1/storage_restore.h"
#include "operator/cli/commands.h"
#include "operator/cli/flags.h"

namespace holdfast::cli {
namespace {

using api::Json;

constexpr char kCommand[] = "holdfast-operator crd";
constexpr char kUsage[] = R"(usage: holdfast-operator crd [KIND] [--reference]

Prints the CustomResourceDefinitions, ready for `kubectl apply -f -`: of StorageCluster, StorageMigration, StorageBackup
and StorageRestore, or of the KIND that is named alone.

  --reference  print the field reference of the KIND instead (docs/storagecluster.md and so on); without a KIND that
               of StorageCluster
)";

struct Kind {
  const char* name;
  Json (*definition)();
  std::string (*reference)();
};
constexpr Kind kKinds[] = {
    {api::kStorageClusterKind, api::StorageClusterDefinition, api::StorageClusterReference},
    {api::kStorageMigrationKind, api::StorageMigrationDefinition, api::StorageMigrationReference},
    {api::kStorageBackupKind, api::StorageBackupDefinition, api::StorageBackupReference},
    {api::kStorageRestoreKind, api::StorageRestoreDefinition, api::StorageRestoreReference}};

}  // namespace

int RunCrd(const Arguments& arguments, const Streams& streams) {
  if (WantsHelp(arguments)) {
    streams.out << kUsage;
    return 0;
  }
  Arguments flags = arguments;
  const Kind* kind = nullptr;
  if (!flags.empty() && !flags.front().starts_with("-")) {
    const auto* found = std::find_if(std::begin(kKinds), std::end(kKinds),
                                     [&](const Kind& each) { return flags.front() == each.name; });
    if (found == std::end(kKinds)) {
      streams.error << kCommand << ": there is no kind " << flags.front()
                    << "; name StorageCluster, StorageMigration, StorageBackup or StorageRestore\n";
      return 2;
    }
    kind = found;
    flags.erase(flags.begin());
  }
  bool reference = false;
  if (!ParseFlags(kCommand, flags, {SwitchFlag({"--reference"}, &reference)}, streams.error)) return 2;
  if (reference) {
    streams.out << (kind == nullptr ? std::begin(kKinds) : kind)->reference();
    return 0;
  }
  const char* separator = "";
  for (const Kind& each : kKinds) {
    if (kind != nullptr && kind != &each) continue;
    streams.out << std::exchange(separator, "---\n") << config::ToYaml(each.definition());
  }
  return 0;
}

}  // namespace holdfast::cli
