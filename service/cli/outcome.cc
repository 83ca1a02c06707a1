#include "service/cli/outcome.h"

#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

namespace holdfast::cli {

int Complain(std::string_view command, std::string_view what) {
  fmt::print(stderr, "holdfast {}: {}\n", command, what);
  return kNotAvailable;
}

int NotAnswered(std::string_view command, const Error& error) {
  const bool unknown = error.code() == ErrorCode::kOutcomeUnknown;
  Complain(command, fmt::format("{}; {}", error.message(),
                                unknown ? "the write may have happened: read the key before you repeat it"
                                        : "is the service running there? Say where with --url"));
  return unknown ? kUnknown : kNotAvailable;
}

int Refused(std::string_view command, const http::ClientResponse& response) {
  const nlohmann::json problem = nlohmann::json::parse(response.body, nullptr, false);
  const bool readable = problem.is_object() && problem.contains("code") && problem.contains("detail");
  const std::string code = readable ? problem.value("code", "") : std::string("no problem document");
  const std::string detail = readable ? problem.value("detail", "") : std::string("is this a Holdfast service?");
  Complain(command, fmt::format("{} {}: {}", response.status, code, detail));
  if (code == "outcome_unknown") return kUnknown;
  if (response.status == 404 || response.status == 409 || response.status == 412) return kNo;
  return response.status < 500 && response.status != 408 && response.status != 429 ? kUsage : kNotAvailable;
}

}  // namespace holdfast::cli
