// Loaded into a process with LD_PRELOAD, this has every second look at the first byte of a connection (recv(2) with
// MSG_PEEK of one byte) come a moment too early: it waits until the byte is there and then says that it is not. That is
// what a service sees whose client sends just after it looked.
#include <dlfcn.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>

namespace {

constexpr int kPatienceMilliseconds = 10'000;
std::atomic<unsigned> looks{0};

}  // namespace

extern "C" ssize_t recv(int descriptor, void* buffer, size_t size, int flags) {
  using Receive = ssize_t (*)(int, void*, size_t, int);
  static const auto real_recv = reinterpret_cast<Receive>(dlsym(RTLD_NEXT, "recv"));
  if (size == 1 && (flags & MSG_PEEK) != 0 && looks++ % 2 == 0) {
    pollfd waiting{descriptor, POLLIN, 0};
    poll(&waiting, 1, kPatienceMilliseconds);
    errno = EAGAIN;
    return -1;
  }
  return real_recv(descriptor, buffer, size, flags);
}
