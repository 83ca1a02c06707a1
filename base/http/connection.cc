#include "base/http/connection.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/error.hpp>
#include <cerrno>
#include <cstring>

namespace holdfast::http {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kLingerTime{500};
constexpr std::size_t kLingerBytes = 1u << 20;

int PollTimeout(steady_clock::time_point until) {
  if (until == steady_clock::time_point::max()) return -1;
  const auto left = std::chrono::ceil<milliseconds>(until - steady_clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 3'600'000));
}

bool WouldBlock(int error) {
  return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

}  // namespace

Connection::~Connection() {
  ::close(socket_);
}

int Connection::WaitFor(short events, steady_clock::time_point until) const {
  while (true) {
    std::array<pollfd, 2> waited{{{socket_, events, 0}, {stopped_, POLLIN, 0}}};
    const int ready = ::poll(waited.data(), waited.size(), PollTimeout(until));
    if (ready < 0 && errno != EINTR) return errno;
    if (waited[1].revents != 0 && ready > 0) return ECANCELED;
    // An error or a hang-up is found out by the read or write that follows.
    if (ready > 0) return 0;
    if (steady_clock::now() >= until) return ETIMEDOUT;
  }
}

std::size_t Connection::ReadSome(void* data, std::size_t size, boost::system::error_code& error) {
  error = {};
  while (true) {
    if (const int why = WaitFor(POLLIN, read_deadline_); why != 0) {
      error.assign(why, boost::system::system_category());
      return 0;
    }
    const ssize_t got = ::recv(socket_, data, size, MSG_DONTWAIT);
    if (got > 0) return static_cast<std::size_t>(got);
    if (got == 0) {
      error = boost::asio::error::eof;
      return 0;
    }
    if (WouldBlock(errno)) continue;
    error.assign(errno, boost::system::system_category());
    return 0;
  }
}

bool Connection::Write(std::string_view bytes, milliseconds patience) {
  while (!bytes.empty()) {
    if (WaitFor(POLLOUT, steady_clock::now() + patience) != 0) return false;
    const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    } else if (!WouldBlock(errno)) {
      return false;
    }
  }
  return true;
}

bool Connection::Stopped() const {
  pollfd waited{stopped_, POLLIN, 0};
  return ::poll(&waited, 1, 0) > 0;
}

bool Connection::Gone() const {
  pollfd waited{socket_, POLLRDHUP, 0};
  return Stopped() || (::poll(&waited, 1, 0) > 0 && waited.revents != 0);
}

void Connection::Linger() {
  ::shutdown(socket_, SHUT_WR);
  SetReadDeadline(steady_clock::now() + kLingerTime);
  std::array<char, 16'384> discarded;
  boost::system::error_code error;
  for (std::size_t total = 0; total < kLingerBytes && !error;) {
    total += ReadSome(discarded.data(), discarded.size(), error);
  }
}

std::string Connection::Peer() const {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  if (::getpeername(socket_, reinterpret_cast<sockaddr*>(&address), &size) != 0) return "unknown";
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.ss_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &address, sizeof(v4));
    ::inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
    return fmt::format("{}:{}", text.data(), ntohs(v4.sin_port));
  }
  sockaddr_in6 v6{};
  std::memcpy(&v6, &address, sizeof(v6));
  ::inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
  return fmt::format("[{}]:{}", text.data(), ntohs(v6.sin6_port));
}

}  // namespace holdfast::http
