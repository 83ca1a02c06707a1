// How a client of the service ends: its exit codes (client_commands.h), and what it tells people when it is not 0.
#pragma once

#include <string_view>

#include "base/http/http_client.h"
#include "base/result/result.h"

namespace holdfast::cli {

inline constexpr int kOk = 0;
inline constexpr int kNo = 1;
inline constexpr int kUsage = 2;
inline constexpr int kNotAvailable = 3;
inline constexpr int kUnknown = 4;

// To standard error, behind the name of the command; kNotAvailable.
int Complain(std::string_view command, std::string_view what);
// Says why there is no answer, and which exit code that is.
int NotAnswered(std::string_view command, const Error& error);
// Says what the service said, and what that means for a script.
int Refused(std::string_view command, const http::ClientResponse& response);

}  // namespace holdfast::cli
