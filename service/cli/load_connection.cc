#include "service/cli/load_connection.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

namespace holdfast::cli {
namespace {

constexpr std::size_t kLargestHead = 64u << 10;

char Lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool EqualIgnoringCase(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return Lower(x) == Lower(y); });
}

std::string_view Trimmed(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  return text;
}

template <typename Number>
bool ReadNumber(std::string_view text, Number* number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

LoadConnection::LoadConnection(LoadConnection&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      open_error_(other.open_error_),
      connecting_(other.connecting_),
      busy_(other.busy_),
      keep_alive_(other.keep_alive_),
      unsent_(std::move(other.unsent_)),
      sent_(other.sent_),
      received_(std::move(other.received_)),
      status_(other.status_),
      body_left_(other.body_left_) {}

void LoadConnection::Open(const addrinfo& address) {
  Close();
  open_error_ = 0;
  descriptor_ = ::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor_ < 0) {
    open_error_ = errno;
    return;
  }
  const int on = 1;
  static_cast<void>(::setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)));
  connecting_ = true;
  if (::connect(descriptor_, address.ai_addr, address.ai_addrlen) == 0) {
    connecting_ = false;
  } else if (errno != EINPROGRESS) {
    open_error_ = errno;
  }
}

void LoadConnection::Close() {
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
  connecting_ = busy_ = false;
  keep_alive_ = true;
  unsent_.clear();
  received_.clear();
  sent_ = 0;
  status_ = 0;
  body_left_.reset();
}

void LoadConnection::Send(std::string_view request) {
  unsent_.assign(request);
  sent_ = 0;
  busy_ = true;
  // What goes wrong here is seen again, with its reason, by Advance.
  if (!connecting_) static_cast<void>(Flush());
}

short LoadConnection::PollEvents() const {
  const bool writes = connecting_ || sent_ < unsent_.size();
  return static_cast<short>(writes ? POLLIN | POLLOUT : POLLIN);
}

LoadConnection::Event LoadConnection::Fail(std::string failure) {
  Close();
  return {0, std::move(failure)};
}

// False when the connection is broken; errno says why.
bool LoadConnection::Flush() {
  while (sent_ < unsent_.size()) {
    const ssize_t sent = ::send(descriptor_, unsent_.data() + sent_, unsent_.size() - sent_, MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN || errno == EINTR;
    sent_ += static_cast<std::size_t>(sent);
  }
  return true;
}

bool LoadConnection::TakeHead() {
  const std::size_t end = received_.find("\r\n\r\n");
  if (end == std::string::npos) return received_.size() <= kLargestHead;
  std::string_view head = std::string_view(received_).substr(0, end + 2);
  if (!head.starts_with("HTTP/1.1 ") || head.size() < 12 || !ReadNumber(head.substr(9, 3), &status_)) return false;
  if (status_ < 200) return false;  // nothing here asks for one
  if (status_ == 204 || status_ == 304) body_left_ = 0;
  head.remove_prefix(head.find("\r\n") + 2);
  while (!head.empty()) {
    const std::string_view line = head.substr(0, head.find("\r\n"));
    head.remove_prefix(line.size() + 2);
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return false;
    const std::string_view name = line.substr(0, colon);
    const std::string_view value = Trimmed(line.substr(colon + 1));
    if (EqualIgnoringCase(name, "Content-Length")) {
      std::uint64_t length = 0;
      if (!ReadNumber(value, &length)) return false;
      body_left_ = length;
    } else if (EqualIgnoringCase(name, "Connection") && EqualIgnoringCase(value, "close")) {
      keep_alive_ = false;
    }
  }
  if (!body_left_) return false;
  received_.erase(0, end + 4);
  return true;
}

LoadConnection::Event LoadConnection::Advance() {
  if (open_error_ != 0) return Fail(fmt::format("cannot connect: {}", std::strerror(open_error_)));
  if (connecting_) {
    pollfd probe{descriptor_, POLLOUT, 0};
    if (::poll(&probe, 1, 0) == 0) return {};
    int error = 0;
    socklen_t size = sizeof(error);
    static_cast<void>(::getsockopt(descriptor_, SOL_SOCKET, SO_ERROR, &error, &size));
    if (error != 0) return Fail(fmt::format("cannot connect: {}", std::strerror(error)));
    connecting_ = false;
  }
  // A server that refuses a request may close while it is still being sent: its answer is read first.
  const bool writable = Flush();
  const int write_error = errno;
  std::array<char, 64u << 10> piece;
  while (true) {
    const ssize_t count = ::recv(descriptor_, piece.data(), piece.size(), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) break;
    if (count <= 0) {
      if (!busy_) return Fail("");
      return Fail(count == 0 ? "the service closed the connection instead of answering"
                             : fmt::format("reading the answer: {}", std::strerror(errno)));
    }
    if (!busy_) return Fail("the service sent what nobody asked for");
    std::uint64_t of_body = static_cast<std::uint64_t>(count);
    if (status_ == 0) {
      received_.append(piece.data(), static_cast<std::size_t>(count));
      if (!TakeHead()) return Fail("the answer is not HTTP/1.1 with a Content-Length; is this a Holdfast service?");
      if (status_ == 0) continue;
      of_body = received_.size();
      received_.clear();
    }
    if (of_body > *body_left_) return Fail("the answer is longer than its Content-Length");
    *body_left_ -= of_body;
    if (*body_left_ > 0) continue;
    Event answered{status_, {}};
    if (!keep_alive_ || sent_ < unsent_.size()) {
      Close();
      return answered;
    }
    busy_ = false;
    status_ = 0;
    body_left_.reset();
    return answered;
  }
  if (!writable) return Fail(fmt::format("sending the request: {}", std::strerror(write_error)));
  return {};
}

}  // namespace holdfast::cli
