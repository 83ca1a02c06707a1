// The service that a command speaks to, as its options name it.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "base/http/http_client.h"
#include "base/result/result.h"
#include "service/cli/arguments.h"

namespace holdfast::cli {

inline constexpr Option kUrlOption{"--url", "URL", "the service; default: $HOLDFAST_URL or http://127.0.0.1:8080"};
inline constexpr Option kStoreNameOption{"--store", "NAME", "default: _default"};

struct ServiceClient {
  std::shared_ptr<http::HttpClient> client;
  std::string store;                    // /v1/stores/NAME
  std::chrono::microseconds timeout{};  // that the service is given
};

// Of kUrlOption, kStoreNameOption, kTokenFileOption and --timeout, whose default is `timeout`. kInvalidArgument.
Result<ServiceClient> MakeServiceClient(const Arguments& arguments, std::string_view timeout);

// One request with the timeout, and its answer.
Result<http::ClientResponse> Ask(const ServiceClient& service, std::string_view method, const std::string& path,
                                 std::string body = "");

}  // namespace holdfast::cli
