#include "base/http/http_listener.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <list>
#include <system_error>
#include <thread>
#include <utility>

#include "base/http/connection.h"
#include "base/http/session.h"
#include "base/log/log.h"

namespace holdfast::http {
namespace {

constexpr std::string_view kBusy =
    "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 1\r\nConnection: close\r\n\r\n";
// When the process has no descriptors left, accepting fails at once; this keeps it from spinning until it has.
constexpr int kAcceptPauseMilliseconds = 100;

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  int get() const { return number_; }

 private:
  int number_;
};

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

Result<SocketAddress> ParseAddress(const std::string& address, std::uint16_t port) {
  SocketAddress parsed;
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  if (::inet_pton(AF_INET, address.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    parsed.size = sizeof(v4);
    std::memcpy(&parsed.storage, &v4, sizeof(v4));
  } else if (::inet_pton(AF_INET6, address.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    parsed.size = sizeof(v6);
    std::memcpy(&parsed.storage, &v6, sizeof(v6));
  } else {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("'{}' is no address to listen on; write it like 127.0.0.1, 0.0.0.0 or ::1", address));
  }
  return parsed;
}

std::uint16_t BoundPort(int socket) {
  SocketAddress bound;
  bound.size = sizeof(bound.storage);
  if (::getsockname(socket, bound.get(), &bound.size) != 0) return 0;
  // The port is at the same place in both families.
  sockaddr_in v4{};
  std::memcpy(&v4, &bound.storage, sizeof(v4));
  return ntohs(v4.sin_port);
}

Result<Descriptor> Listen(const ListenerOptions& options) {
  HOLDFAST_ASSIGN_OR_RETURN(SocketAddress address, ParseAddress(options.address, options.port));
  Descriptor socket(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  // SO_REUSEADDR: a restart must not wait for the old process's connections to leave TIME_WAIT.
  if (socket.get() < 0 || ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
      ::bind(socket.get(), address.get(), address.size) != 0 || ::listen(socket.get(), SOMAXCONN) != 0) {
    return Error(ErrorCode::kUnavailable,
                 fmt::format("cannot listen on {} port {}: {}; choose another port or stop whoever has it",
                             options.address, options.port, std::strerror(errno)));
  }
  return socket;
}

}  // namespace

class HttpListener::Impl {
 public:
  Impl(Descriptor socket, Descriptor stopped, ListenerOptions options, ListenerHandler handler)
      : socket_(std::move(socket)),
        stopped_(std::move(stopped)),
        options_(std::move(options)),
        handler_(std::move(handler)),
        port_(BoundPort(socket_.get())),
        acceptor_([this] { Accept(); }) {}

  ~Impl() {
    const std::uint64_t one = 1;
    // Never read again: it stays readable for everybody who polls it.
    while (::write(stopped_.get(), &one, sizeof(one)) < 0 && errno == EINTR) {
    }
    acceptor_.join();
    for (Served& served : served_) served.thread.join();
  }

  std::uint16_t port() const { return port_; }

 private:
  struct Served {
    std::atomic<bool> done = false;
    std::thread thread;
  };

  void Accept() {
    while (true) {
      std::array<pollfd, 2> waited{{{socket_.get(), POLLIN, 0}, {stopped_.get(), POLLIN, 0}}};
      if (::poll(waited.data(), waited.size(), -1) < 0) continue;
      if (waited[1].revents != 0) return;
      const int accepted = ::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC);
      if (accepted >= 0) {
        Serve(accepted);
      } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        log::Error("cannot accept a connection", {{"port", port_}, {"error", std::strerror(errno)}});
        pollfd stop{stopped_.get(), POLLIN, 0};
        ::poll(&stop, 1, kAcceptPauseMilliseconds);
      }
    }
  }

  void Serve(int accepted) {
    const int on = 1;
    ::setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    served_.remove_if([](Served& served) {
      if (!served.done) return false;
      served.thread.join();
      return true;
    });
    if (served_.size() >= options_.max_connections) {
      TurnAway(accepted);
      return;
    }
    Served& served = served_.emplace_back();
    try {
      served.thread = std::thread([this, &served, accepted] {
        {
          Connection connection(accepted, stopped_.get());
          ServeConnection(connection, options_, handler_);
        }
        served.done = true;
      });
    } catch (const std::system_error& error) {
      log::Error("no thread for a connection", {{"port", port_}, {"error", error.what()}});
      served_.pop_back();
      TurnAway(accepted);
    }
  }

  static void TurnAway(int accepted) {
    ::send(accepted, kBusy.data(), kBusy.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    ::close(accepted);
  }

  const Descriptor socket_;
  const Descriptor stopped_;
  const ListenerOptions options_;
  const ListenerHandler handler_;
  const std::uint16_t port_;
  std::list<Served> served_;  // the acceptor's own until it is joined
  std::thread acceptor_;      // last: it uses everything above
};

Result<std::unique_ptr<HttpListener>> HttpListener::Start(const ListenerOptions& options, ListenerHandler handler) {
  HOLDFAST_ASSIGN_OR_RETURN(Descriptor socket, Listen(options));
  Descriptor stopped(::eventfd(0, EFD_CLOEXEC));
  if (stopped.get() < 0) return Error(ErrorCode::kUnavailable, fmt::format("eventfd: {}", std::strerror(errno)));
  auto impl = std::make_unique<Impl>(std::move(socket), std::move(stopped), options, std::move(handler));
  return std::unique_ptr<HttpListener>(new HttpListener(std::move(impl)));
}

HttpListener::HttpListener(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpListener::~HttpListener() = default;

std::uint16_t HttpListener::port() const {
  return impl_->port();
}

}  // namespace holdfast::http
