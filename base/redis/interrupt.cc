#include "base/redis/interrupt.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <system_error>

namespace holdfast::redis {

Interrupt::Interrupt() : descriptor_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (descriptor_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}

Interrupt::~Interrupt() {
  ::close(descriptor_);
}

void Interrupt::Trigger() {
  const std::uint64_t one = 1;
  // It fails only when the counter is full, and then it has been triggered.
  static_cast<void>(!::write(descriptor_, &one, sizeof one));
}

bool Interrupt::triggered() const {
  pollfd look{descriptor_, POLLIN, 0};
  return ::poll(&look, 1, 0) == 1;
}

}  // namespace holdfast::redis
