#include "base/redis/plain_stream.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/redis/resolve.h"
#include "base/redis/wait.h"

namespace holdfast::redis {
namespace {

bool WouldBlock() {
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

Error Lost(std::string_view doing) {
  return {ErrorCode::kUnavailable, fmt::format("{}: {}", doing, std::strerror(errno))};
}

void SetOption(int descriptor, int level, int name, int value) {
  // Each only makes it better: a connection without them works.
  static_cast<void>(::setsockopt(descriptor, level, name, &value, sizeof value));
}

// Zero, or the reason.
int FailureOf(int descriptor) {
  int failure = 0;
  socklen_t size = sizeof failure;
  return ::getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &failure, &size) == 0 ? failure : errno;
}

// The descriptor.
Result<int> ConnectTo(const SocketAddress& address, Deadline deadline, const Interrupt* interrupt) {
  const int descriptor = ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return Lost("no socket");
  if (address.storage.ss_family != AF_UNIX) {
    SetOption(descriptor, IPPROTO_TCP, TCP_NODELAY, 1);
    SetOption(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1);
    SetOption(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, kKeepAliveIdleSeconds);
    SetOption(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, kKeepAliveIntervalSeconds);
    SetOption(descriptor, IPPROTO_TCP, TCP_KEEPCNT, kKeepAliveProbes);
  }
  Status connected;
  if (::connect(descriptor, reinterpret_cast<const sockaddr*>(&address.storage), address.size) != 0) {
    // A Unix socket whose backlog is full says EAGAIN and never becomes writable: it is tried again later.
    if (errno == EINPROGRESS || errno == EINTR) {
      connected = Await(descriptor, POLLOUT, deadline, interrupt);
      if (connected.ok()) errno = FailureOf(descriptor);
    }
    if (connected.ok() && errno != 0) connected = Lost("connecting");
  }
  if (connected.ok()) return descriptor;
  ::close(descriptor);
  return std::move(connected).error();
}

}  // namespace

Result<std::unique_ptr<PlainStream>> PlainStream::Connect(const Address& address, Deadline deadline,
                                                          const Interrupt* interrupt) {
  HOLDFAST_ASSIGN_OR_RETURN(const std::vector<SocketAddress> candidates, Resolve(address, deadline, interrupt));
  Result<int> descriptor = Error(ErrorCode::kUnavailable, "no address");
  std::size_t left = candidates.size();
  for (const SocketAddress& candidate : candidates) {
    // One that swallows packets must not use up the time of those behind it.
    const Deadline share =
        deadline.infinite() ? deadline : Deadline::After(deadline.Remaining() / static_cast<long>(left));
    descriptor = ConnectTo(candidate, share, interrupt);
    if (descriptor.ok()) return std::unique_ptr<PlainStream>(new PlainStream(*descriptor, interrupt));
    if (descriptor.error().code() == ErrorCode::kCancelled) break;
    --left;
  }
  return std::move(descriptor).error();
}

PlainStream::~PlainStream() {
  ::close(descriptor_);
}

long PlainStream::TryWrite(const char* bytes, std::size_t size) const {
  return ::send(descriptor_, bytes, size, MSG_NOSIGNAL);
}

long PlainStream::TryRead(char* buffer, std::size_t size) const {
  return ::recv(descriptor_, buffer, size, 0);
}

Status PlainStream::AwaitEvents(short events, Deadline deadline) const {
  return Await(descriptor_, events, deadline, interrupt_);
}

Result<std::size_t> PlainStream::Write(std::string_view bytes, Deadline deadline) {
  while (true) {
    const long written = TryWrite(bytes.data(), bytes.size());
    if (written > 0) return static_cast<std::size_t>(written);
    if (written < 0 && !WouldBlock()) return Lost("sending");
    HOLDFAST_RETURN_IF_ERROR(AwaitEvents(POLLOUT, deadline));
  }
}

Result<std::size_t> PlainStream::Read(char* buffer, std::size_t size, Deadline deadline) {
  while (true) {
    const long read = TryRead(buffer, size);
    if (read > 0) return static_cast<std::size_t>(read);
    if (read == 0) return Error(ErrorCode::kUnavailable, "the server closed the connection");
    if (!WouldBlock()) return Lost("receiving");
    HOLDFAST_RETURN_IF_ERROR(AwaitEvents(POLLIN, deadline));
  }
}

bool PlainStream::HungUp() {
  char byte = 0;
  return ::recv(descriptor_, &byte, 1, MSG_PEEK) >= 0 || !WouldBlock();
}

}  // namespace holdfast::redis
