// Waiting for a descriptor, for a deadline, and for whoever wants the waiting to end.
#pragma once

#include <poll.h>

#include "base/redis/interrupt.h"
#include "base/result/result.h"
#include "base/time/deadline.h"

namespace holdfast::redis {

// Until one of `events` (poll) is there, or the peer is gone, which the next read or write says. kDeadlineExceeded,
// kCancelled. `interrupt` may be null.
Status Await(int descriptor, short events, Deadline deadline, const Interrupt* interrupt);
inline Status AwaitReadable(int descriptor, Deadline deadline, const Interrupt* interrupt) {
  return Await(descriptor, POLLIN, deadline, interrupt);
}

}  // namespace holdfast::redis
