// One request to the state service of a cluster. Thread-safe.
#pragma once

#include <string>

#include "base/http/http_client.h"
#include "base/result/result.h"
#include "base/time/deadline.h"
#include "operator/service_access/endpoint.h"

namespace holdfast::service_access {

// As HttpClient::Send; answers of at most 1 MiB.
Result<http::ClientResponse> Call(const Endpoint& service, const http::ClientRequest& request, Deadline deadline);

// What the service says is wrong, at most 512 characters.
std::string DetailOf(const http::ClientResponse& response);

// Whether the same would be answered again as long as nobody does anything about it. Nothing was done.
bool IsRefusal(int status);

}  // namespace holdfast::service_access
