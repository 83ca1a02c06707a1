#include "service/direct_store.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log/log.h"
#include "service/schema_check.h"

namespace holdfast::service {
namespace {

Error Usage(std::string message) {
  return {ErrorCode::kInvalidArgument, std::move(message)};
}

bool IsShared(const BackendSettings& backend) {
  return std::holds_alternative<storage::PostgresOptions>(backend.options) ||
         std::holds_alternative<storage::RedisOptions>(backend.options);
}

// The settings with the backend of the store alone; others may be held by the service.
Result<ServiceSettings> Only(const ServiceSettings& settings, const StoreSettings& store) {
  ServiceSettings only = settings;
  std::erase_if(only.backends, [&](const BackendSettings& backend) { return backend.name != store.backend; });
  if (only.backends.size() != 1 || !IsShared(only.backends[0])) {
    return Usage(
        fmt::format("store {} is not on PostgreSQL or Redis: only the service may use its backend; send it lists and "
                    "batches",
                    store.name));
  }
  return only;
}

int Unreachable(const Error& error) {
  fmt::print(stderr, "holdfast: {}\n", error.ToString());
  return kStoreUnreachable;
}

}  // namespace

bool MayPass(const Error& error) {
  const ErrorCode code = error.code();
  return code == ErrorCode::kUnavailable || code == ErrorCode::kDeadlineExceeded || code == ErrorCode::kOutcomeUnknown;
}

int OnDirectStore(const cli::Command& command, const std::vector<std::string>& words, const SettingsLoader& load,
                  const std::function<int(const cli::Arguments&, const DirectStore&)>& work) {
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
  const std::string name = arguments->Get("--store", settings->default_store);
  const std::string name_space = arguments->Get("--namespace", storage::kDefaultNamespace);
  if (!storage::IsValidNamespace(name_space)) {
    return usage_error(Usage(fmt::format("--namespace: \"{}\" is no name of one", name_space)));
  }
  const auto store = std::find_if(settings->stores.begin(), settings->stores.end(),
                                  [&](const StoreSettings& each) { return each.name == name; });
  if (store == settings->stores.end())
    return usage_error(Usage(fmt::format("there is no store {} in the settings", name)));
  const auto only = Only(*settings, *store);
  if (!only.ok()) return usage_error(only.error());

  if (Status schema = CheckSchemas(*only, [] { return false; }); !schema.ok()) return Unreachable(schema.error());
  const auto backends = OpenBackends(only->backends);
  if (!backends.ok()) return Unreachable(backends.error());
  const std::shared_ptr<storage::Backend> backend = backends->front().backend;
  int code = kStoreUnreachable;
  if (Status healthy = backend->CheckHealth(Deadline::After(only->start_timeout)); !healthy.ok()) {
    code = Unreachable(healthy.error());
  } else {
    code = work(*arguments, {backend, storage::TenantViews(backend, store->name, store->limits).Find(name_space)});
  }
  if (Status closed = CloseBackends(*backends); !closed.ok()) return Unreachable(closed.error());
  return code;
}

}  // namespace holdfast::service
