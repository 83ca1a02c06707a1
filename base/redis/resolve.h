// Names to addresses, in time: getaddrinfo knows no deadline.
#pragma once

#include <sys/socket.h>

#include <vector>

#include "base/redis/interrupt.h"
#include "base/redis/url.h"
#include "base/result/result.h"
#include "base/time/deadline.h"

namespace holdfast::redis {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

// In the order in which they are to be tried; at least one. A path is an address. kUnavailable names the host;
// kDeadlineExceeded, kCancelled. A look-up that nobody waits for any more ends by itself.
Result<std::vector<SocketAddress>> Resolve(const Address& address, Deadline deadline, const Interrupt* interrupt);

}  // namespace holdfast::redis
