#include "tests/integration/http_framing/raw_client.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <utility>

#include "service/http/ascii.h"

namespace holdfast::api::testing {
namespace {

constexpr std::chrono::milliseconds kPatience{60'000};

}  // namespace

RawClient::RawClient(std::uint16_t port, int receive_buffer_bytes, const char* from)
    : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
  if (receive_buffer_bytes > 0) {
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof receive_buffer_bytes);
  }
  const int on = 1;
  ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_in own{};
  own.sin_family = AF_INET;
  ::inet_pton(AF_INET, from, &own.sin_addr);
  // The port is chosen when connecting, so that thousands of clients may share one.
  ::setsockopt(socket_, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  ::bind(socket_, reinterpret_cast<const sockaddr*>(&own), sizeof own);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) ended_ = true;
}

RawClient::RawClient(RawClient&& other) noexcept
    : tls_(std::move(other.tls_)),
      socket_(std::exchange(other.socket_, -1)),
      ended_(other.ended_),
      reset_(other.reset_),
      received_(std::move(other.received_)) {}

RawClient::~RawClient() {
  if (socket_ >= 0) ::close(socket_);
}

bool RawClient::StartTls(SSL_CTX* context) {
  // A server that falls silent in the middle of a record ends the test and does not hang it.
  const timeval patience{std::chrono::duration_cast<std::chrono::seconds>(kPatience).count(), 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  tls_.reset(SSL_new(context));
  SSL_set_fd(tls_.get(), socket_);
  return SSL_connect(tls_.get()) == 1;
}

bool RawClient::Send(std::string_view bytes) {
  if (tls_ && !bytes.empty()) return SSL_write(tls_.get(), bytes.data(), static_cast<int>(bytes.size())) > 0;
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

void RawClient::FinishSending() {
  if (tls_) SSL_shutdown(tls_.get());
  ::shutdown(socket_, SHUT_WR);
}

void RawClient::Reset() {
  const linger at_once{1, 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  ::close(std::exchange(socket_, -1));
  ended_ = true;
}

bool RawClient::Exchange(std::string_view request, std::size_t answer_bytes) {
  if (::send(socket_, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size()))
    return false;
  std::array<char, 4096> answer;
  std::size_t got = 0;
  while (got < answer_bytes && Readable(kPatience)) {
    const ssize_t bytes = ::recv(socket_, answer.data(), answer.size(), 0);
    if (bytes <= 0) return false;
    got += static_cast<std::size_t>(bytes);
  }
  return got == answer_bytes;
}

bool RawClient::Readable(std::chrono::milliseconds wait) const {
  pollfd entry{socket_, POLLIN, 0};
  return ::poll(&entry, 1, static_cast<int>(wait.count())) > 0;
}

bool RawClient::Receive() {
  if (ended_) return false;
  const bool buffered = tls_ && SSL_pending(tls_.get()) > 0;
  if (!buffered && !Readable(kPatience)) return false;
  std::array<char, 65536> bytes;
  const ssize_t got = tls_ ? SSL_read(tls_.get(), bytes.data(), static_cast<int>(bytes.size()))
                           : ::recv(socket_, bytes.data(), bytes.size(), 0);
  if (got <= 0) {
    reset_ = got < 0 && errno == ECONNRESET;
    ended_ = true;
    return false;
  }
  received_.append(bytes.data(), static_cast<std::size_t>(got));
  return true;
}

std::optional<std::string> RawClient::ReadToEnd() {
  while (Receive()) {
  }
  if (!ended_) return std::nullopt;
  return std::exchange(received_, {});
}

std::optional<RawResponse> RawClient::ReadHead() {
  std::size_t head_end = 0;
  while ((head_end = received_.find("\r\n\r\n")) == std::string::npos) {
    if (!Receive()) return std::nullopt;
  }
  RawResponse response;
  response.status = std::atoi(received_.substr(9, 3).c_str());
  std::size_t line = received_.find("\r\n") + 2;
  while (line < head_end + 2) {
    const std::size_t end = received_.find("\r\n", line);
    const std::size_t colon = received_.find(": ", line);
    std::string name = received_.substr(line, colon - line);
    for (char& c : name) c = LowerAscii(c);
    response.headers[name] = received_.substr(colon + 2, end - colon - 2);
    line = end + 2;
  }
  received_.erase(0, head_end + 4);
  return response;
}

std::optional<std::string> RawClient::ReadBytes(std::size_t bytes) {
  while (received_.size() < bytes) {
    if (!Receive()) return std::nullopt;
  }
  std::string taken = received_.substr(0, bytes);
  received_.erase(0, bytes);
  return taken;
}

std::optional<std::string> RawClient::ReadChunk() {
  std::size_t line_end = 0;
  while ((line_end = received_.find("\r\n")) == std::string::npos) {
    if (!Receive()) return std::nullopt;
  }
  const std::size_t bytes = std::strtoul(received_.c_str(), nullptr, 16);
  received_.erase(0, line_end + 2);
  auto chunk = ReadBytes(bytes + 2);
  if (chunk) chunk->resize(bytes);
  return chunk;
}

std::optional<RawResponse> RawClient::ReadResponse(bool to_head) {
  auto response = ReadHead();
  if (!response || to_head) return response;
  if (const auto length = response->headers.find("content-length"); length != response->headers.end()) {
    auto body = ReadBytes(std::strtoul(length->second.c_str(), nullptr, 10));
    if (!body) return std::nullopt;
    response->body = std::move(*body);
  } else if (response->headers.count("transfer-encoding") > 0) {
    for (;;) {
      const auto chunk = ReadChunk();
      if (!chunk) return std::nullopt;
      if (chunk->empty()) break;
      response->body += *chunk;
    }
  }
  return response;
}

std::string Get(std::string_view path, std::string_view headers) {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: x\r\n" + std::string(headers) + "\r\n";
}

}  // namespace holdfast::api::testing
