#include "service/direct_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/log/log.h"
#include "service/schema_check.h"

namespace holdfast::service {
namespace {

Error Usage(std::string message) {
  return {ErrorCode::kInvalidArgument, std::move(message)};
}

const StoreSettings* FindStore(const ServiceSettings& settings, const std::string& name) {
  const auto found = std::find_if(settings.stores.begin(), settings.stores.end(),
                                  [&](const StoreSettings& each) { return each.name == name; });
  return found == settings.stores.end() ? nullptr : &*found;
}

Status CheckRocksDb(const StoreWanted& wanted, const storage::RocksDbOptions& options) {
  std::error_code error;
  if (wanted.create || std::filesystem::exists(options.path, error)) return {};
  return Usage(fmt::format("store {} has no database in {}: check path and data_dir", wanted.name, options.path));
}

// Whether its backend alone has what the store has, and whether that is for others than the service to open.
Status CheckUse(const ServiceSettings& settings, const StoreWanted& wanted) {
  const StoreSettings* const store = FindStore(settings, wanted.name);
  if (store == nullptr) return Usage(fmt::format("there is no store {} in the settings", wanted.name));
  if (store->move) {
    return Usage(
        fmt::format("store {} moves to another backend (migrate_to), and only the service knows which of the "
                    "two has what; end the migration and take the setting out first",
                    store->name));
  }
  const auto backend = std::find_if(settings.backends.begin(), settings.backends.end(),
                                    [&](const BackendSettings& each) { return each.name == store->backend; });
  if (std::holds_alternative<storage::MemoryOptions>(backend->options)) {
    return Usage(fmt::format(
        "store {} is in the memory of the service and not on PostgreSQL, Redis or RocksDB; send the service "
        "lists and batches",
        store->name));
  }
  const auto* const rocksdb = std::get_if<storage::RocksDbOptions>(&backend->options);
  return rocksdb != nullptr ? CheckRocksDb(wanted, *rocksdb) : Status();
}

// The settings with the backends of these stores alone; others may be held by the service.
ServiceSettings Only(const ServiceSettings& settings, const std::vector<StoreWanted>& wanted) {
  ServiceSettings only = settings;
  std::erase_if(only.backends, [&](const BackendSettings& backend) {
    return std::none_of(wanted.begin(), wanted.end(), [&](const StoreWanted& each) {
      return FindStore(settings, each.name)->backend == backend.name;
    });
  });
  for (BackendSettings& backend : only.backends) {
    // Nobody waits in front of a terminal for a service to end.
    if (auto* const rocksdb = std::get_if<storage::RocksDbOptions>(&backend.options)) rocksdb->lock_wait = {};
  }
  return only;
}

int Unreachable(const Error& error) {
  fmt::print(stderr, "holdfast: {}\n", error.ToString());
  return kStoreUnreachable;
}

Status CheckHealth(const std::vector<OpenBackend>& backends, Deadline deadline) {
  for (const OpenBackend& open : backends) {
    HOLDFAST_RETURN_IF_ERROR(open.backend->CheckHealth(deadline).WithContext(fmt::format("backend {}", open.name)));
  }
  return {};
}

std::vector<DirectStore> StoresOf(const ServiceSettings& settings, const std::vector<StoreWanted>& wanted,
                                  const std::vector<OpenBackend>& backends) {
  std::vector<DirectStore> stores;
  for (const StoreWanted& each : wanted) {
    const StoreSettings& store = *FindStore(settings, each.name);
    const auto open = std::find_if(backends.begin(), backends.end(),
                                   [&](const OpenBackend& backend) { return backend.name == store.backend; });
    stores.push_back({store.name, open->backend, store.limits});
  }
  return stores;
}

}  // namespace

std::shared_ptr<const storage::TenantView> DirectStore::View(const std::string& name_space) const {
  return storage::TenantViews(backend, name, limits).Find(name_space);
}

Status CheckNamespace(std::string_view option, std::string_view name) {
  if (storage::IsValidNamespace(name)) return {};
  return Usage(fmt::format("{}: \"{}\" is no name of one", option, name));
}

int OnDirectStores(const cli::Command& command, const std::vector<std::string>& words, const SettingsLoader& load,
                   const StoresWanted& wanted, const StoresWork& work) {
  const auto usage_error = [&](const Error& error) { return cli::UsageError(command.name, error); };
  const cli::DividedWords divided = cli::Divide(command.options, words);
  const auto arguments = cli::Parse(command, {}, divided.own);
  if (!arguments.ok()) return usage_error(arguments.error());
  if (arguments->Has("--help")) {
    fmt::print("{}", cli::HelpOf(command, {}));
    return kTransferred;
  }
  const auto server_arguments = cli::ParseServerArguments(divided.settings);
  if (!server_arguments.ok()) return usage_error(server_arguments.error());
  const auto settings = load(*server_arguments);
  if (!settings) return kTransferUsage;
  log::Configure(settings->log);
  const auto names = wanted(*arguments, *settings);
  if (!names.ok()) return usage_error(names.error());
  for (const StoreWanted& each : *names) {
    if (const Status usable = CheckUse(*settings, each); !usable.ok()) return usage_error(usable.error());
  }

  const ServiceSettings only = Only(*settings, *names);
  if (Status schema = CheckSchemas(only, [] { return false; }); !schema.ok()) return Unreachable(schema.error());
  const auto backends = OpenBackends(only.backends);
  if (!backends.ok()) return Unreachable(backends.error());
  int code = kStoreUnreachable;
  if (Status healthy = CheckHealth(*backends, Deadline::After(only.start_timeout)); !healthy.ok()) {
    code = Unreachable(healthy.error());
  } else {
    code = work(*arguments, StoresOf(*settings, *names, *backends));
  }
  if (Status closed = CloseBackends(*backends); !closed.ok()) return Unreachable(closed.error());
  return code;
}

int OnDirectStore(const cli::Command& command, const std::vector<std::string>& words, const SettingsLoader& load,
                  bool create, const std::function<int(const cli::Arguments&, const DirectStore&)>& work) {
  const auto wanted = [&](const cli::Arguments& arguments,
                          const ServiceSettings& settings) -> Result<std::vector<StoreWanted>> {
    HOLDFAST_RETURN_IF_ERROR(CheckNamespace("--namespace", arguments.Get("--namespace", storage::kDefaultNamespace)));
    return std::vector<StoreWanted>{{arguments.Get("--store", settings.default_store), create}};
  };
  return OnDirectStores(command, words, load, wanted,
                        [&](const cli::Arguments& arguments, const std::vector<DirectStore>& stores) {
                          return work(arguments, stores[0]);
                        });
}

}  // namespace holdfast::service
