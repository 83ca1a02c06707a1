// Whether something listens on a TCP port.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "base/result/result.h"

namespace holdfast::local {

// Nothing when a connection was made (and closed again), else why not. IPv4 addresses only.
std::optional<std::string> TryTcpConnect(const std::string& address, std::uint16_t port,
                                         std::chrono::milliseconds timeout);

// ok when the port can be listened on right now; kUnavailable naming address and port otherwise.
Status CheckPortFree(const std::string& address, std::uint16_t port);

}  // namespace holdfast::local
