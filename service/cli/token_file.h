// The bearer token that a client of the service sends.
#pragma once

#include <string>

#include "base/result/result.h"
#include "service/cli/arguments.h"

namespace holdfast::cli {

inline constexpr Option kTokenFileOption{"--token-file", "FILE", "holds the bearer token to send"};

// What is in the file of kTokenFileOption; empty without the option. kInvalidArgument when it holds no token.
Result<std::string> ReadTokenFile(const Arguments& arguments);

}  // namespace holdfast::cli
