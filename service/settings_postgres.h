// The rows of backends of type postgres, and what they come to.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/config/settings.h"
#include "base/result/result.h"
#include "service/backends/postgres/postgres_options.h"

namespace holdfast::service {

void AddPostgres(std::vector<config::Setting>* rows);
// Their names behind "backends.NAME.".
std::span<const std::string_view> PostgresRows();
// Of the backend of this name; what cannot be is added to `problems`.
storage::PostgresOptions PostgresOf(const config::Settings& settings, const std::string& name,
                                    const storage::Limits& limits, std::vector<config::Problem>* problems);

// The first line of a file, such as one that holds a password. kInvalidArgument names the file.
Result<std::string> FirstLine(const std::string& path);

}  // namespace holdfast::service
