#include "operator/local/process_runner/tcp_connect.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace holdfast::local {
namespace {

struct Socket {
  int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  Socket() = default;
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket() {
    if (descriptor >= 0) close(descriptor);
  }
};

std::optional<sockaddr_in> Endpoint(const std::string& address, std::uint16_t port) {
  sockaddr_in endpoint{};
  endpoint.sin_family = AF_INET;
  endpoint.sin_port = htons(port);
  if (inet_pton(AF_INET, address.c_str(), &endpoint.sin_addr) != 1) return std::nullopt;
  return endpoint;
}

}  // namespace

std::optional<std::string> TryTcpConnect(const std::string& address, std::uint16_t port,
                                         std::chrono::milliseconds timeout) {
  std::optional<sockaddr_in> endpoint = Endpoint(address, port);
  if (!endpoint) return fmt::format("{} is no IPv4 address", address);
  Socket tcp;
  if (connect(tcp.descriptor, reinterpret_cast<const sockaddr*>(&*endpoint), sizeof *endpoint) == 0)
    return std::nullopt;
  if (errno != EINPROGRESS) return std::string(std::strerror(errno));
  pollfd wait{tcp.descriptor, POLLOUT, 0};
  if (poll(&wait, 1, static_cast<int>(timeout.count())) <= 0) return "the connection timed out";
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(tcp.descriptor, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return std::string(std::strerror(error));
  return std::nullopt;
}

Status CheckPortFree(const std::string& address, std::uint16_t port) {
  std::optional<sockaddr_in> endpoint = Endpoint(address, port);
  if (!endpoint) return Error(ErrorCode::kInvalidArgument, fmt::format("{} is no IPv4 address", address));
  Socket tcp;
  // As the service does, so that a port left in TIME_WAIT by a former run counts as free.
  int on = 1;
  setsockopt(tcp.descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(tcp.descriptor, reinterpret_cast<const sockaddr*>(&*endpoint), sizeof *endpoint) != 0 ||
      listen(tcp.descriptor, 1) != 0) {
    return Error(ErrorCode::kUnavailable, fmt::format("{}:{}: {}", address, port, std::strerror(errno)));
  }
  return Status::Ok();
}

}  // namespace holdfast::local
