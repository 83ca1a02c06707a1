// health, get, put, delete, scan, migration, bench: small clients of a running service, over HTTP.
//
// Exit codes: 0 ok · 1 there is no such key, or a precondition does not hold · 2 wrong usage or a request the service
// refuses · 3 the service cannot be reached or cannot answer now · 4 a write was sent and its outcome is not known.
#pragma once

#include <string>
#include <vector>

namespace holdfast::cli {

// Values go to standard output as they are; everything for people goes to standard error.
int RunClientCommand(const std::string& name, const std::vector<std::string>& words);

}  // namespace holdfast::cli
