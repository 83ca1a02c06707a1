// `holdfast migrate`: brings the schema of a PostgreSQL backend from step to step, and tells where it stands.
//
// Exit codes: 0 done, or the schema is as this binary needs it · 1 a step failed and was undone, or the server cannot
// be reached · 2 wrong usage or settings · 3 the schema is not what this binary needs (behind, interrupted, changed,
// newer) · 4 the outcome of a step is not known; run it again.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "service/cli/arguments.h"
#include "service/settings.h"

namespace holdfast::service {

// Nothing when the settings are wrong; the problems have been printed then.
using SettingsLoader = std::function<std::optional<ServiceSettings>(const cli::ServerArguments&)>;

// `words` is what stands behind "migrate". What was asked for goes to standard output, progress to standard error.
int RunMigrateCommand(const std::vector<std::string>& words, const std::string& release, const SettingsLoader& load);

}  // namespace holdfast::service
