// The rows of backends of type redis, and what they come to. Those of connections are shared with postgres.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/config/settings.h"
#include "service/backends/redis/redis_options.h"

namespace holdfast::service {

// Only those that postgres has not.
void AddRedis(std::vector<config::Setting>* rows);
// All that mean something, behind "backends.NAME.".
std::span<const std::string_view> RedisRows();
// Of the backend of this name; what cannot be is added to `problems`.
storage::RedisOptions RedisOf(const config::Settings& settings, const std::string& name, const storage::Limits& limits,
                              std::vector<config::Problem>* problems);

}  // namespace holdfast::service
