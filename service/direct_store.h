// One store of the settings, opened past the service and beside the services that run on it, for the commands that move
// many items. Only where services share their backend: PostgreSQL and Redis.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/time/backoff.h"
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
  std::shared_ptr<storage::Backend> backend;
  std::shared_ptr<const storage::TenantView> view;
};

// How often a call is made again whose failure may pass, and after what pauses.
inline constexpr int kTransferAttempts = 5;
inline constexpr BackoffPolicy kTransferPauses{std::chrono::milliseconds{400}, std::chrono::seconds{10}, 1.0};
bool MayPass(const Error& error);

inline constexpr cli::Option kStoreOption{"--store", "NAME", "the store; default: that of the settings"};
inline constexpr cli::Option kNamespaceOption{"--namespace", "NAME", "default: default"};
inline constexpr cli::Option kHelpOption{"--help", "", "this text"};

// Reads `words` for `command`, whose options have kStoreOption and kNamespaceOption among them, opens what they name,
// has `work` done on it and closes it. The exit code: that of `work`, or kTransferUsage or kStoreUnreachable with the
// reason on standard error.
int OnDirectStore(const cli::Command& command, const std::vector<std::string>& words, const SettingsLoader& load,
                  const std::function<int(const cli::Arguments& arguments, const DirectStore& store)>& work);

}  // namespace holdfast::service
