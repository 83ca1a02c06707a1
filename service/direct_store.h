// Stores of the settings, opened past the service, for the commands that move many items. Beside the services that run
// on them where these share their backend (PostgreSQL, Redis); RocksDB belongs to one process, so while none runs.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "service/assembly.h"
#include "service/cli/arguments.h"
#include "service/migrate_command.h"
#include "service/storage/tenant_view.h"

namespace holdfast::service {

// Exit codes of these commands.
inline constexpr int kTransferred = 0;
inline constexpr int kTransferredInPart = 1;
inline constexpr int kTransferUsage = 2;
inline constexpr int kStoreUnreachable = 3;

struct DirectStore {
  std::string name;
  std::shared_ptr<storage::Backend> backend;
  storage::Limits limits;

  // Of a namespace.
  std::shared_ptr<const storage::TenantView> View(const std::string& name_space) const;
};

// Which store a command asks for.
struct StoreWanted {
  std::string name;
  // Where there is no database of RocksDB yet, one is made; otherwise that is an error: a path was mistyped.
  bool create = false;
};

inline constexpr cli::Option kStoreOption{"--store", "NAME", "the store; default: that of the settings"};
inline constexpr cli::Option kNamespaceOption{"--namespace", "NAME", "default: default"};
inline constexpr cli::Option kFormatOption{"--format", "FORMAT", "json or cbor; default: json"};
inline constexpr cli::Option kHelpOption{"--help", "", "this text"};

// Reads `words` for `command`, opens the stores that `wanted` names and has `work` done on them, in that order; two on
// one backend share it. Closes them. The exit code: that of `work`, or kTransferUsage or kStoreUnreachable with the
// reason on standard error.
using StoresWanted =
    std::function<Result<std::vector<StoreWanted>>(const cli::Arguments& arguments, const ServiceSettings& settings)>;
using StoresWork = std::function<int(const cli::Arguments& arguments, const std::vector<DirectStore>& stores)>;
int OnDirectStores(const cli::Command& command, const std::vector<std::string>& words, const SettingsLoader& load,
                   const StoresWanted& wanted, const StoresWork& work);

// The same for the store of kStoreOption. The namespace of kNamespaceOption has been checked.
int OnDirectStore(const cli::Command& command, const std::vector<std::string>& words, const SettingsLoader& load,
                  bool create,
                  const std::function<int(const cli::Arguments& arguments, const DirectStore& store)>& work);

// kInvalidArgument when the value of `option` is no name of a namespace.
Status CheckNamespace(std::string_view option, std::string_view name);

}  // namespace holdfast::service
