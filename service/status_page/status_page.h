// The read-only page that shows people how the service is doing, for its admin port: health, stores and rates. It is
// made of files inside the binary, needs no other network, and reads nothing but /healthz and /metrics, which are
// public there anyway.
#pragma once

#include <vector>

#include "base/http/admin_listener.h"

namespace holdfast::status_page {

// "/", "/status.css" and "/status.js".
std::vector<http::StaticPage> Pages();

}  // namespace holdfast::status_page
