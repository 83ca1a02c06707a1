#include "service/bench/load_connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <optional>

namespace holdfast::bench {
namespace {

constexpr std::size_t kReadBytes = 64u << 10;

bool IsName(std::string_view line, std::string_view lower_case_name) {
  if (line.size() <= lower_case_name.size() || line[lower_case_name.size()] != ':') return false;
  for (std::size_t i = 0; i < lower_case_name.size(); ++i) {
    const char c = line[i] >= 'A' && line[i] <= 'Z' ? static_cast<char>(line[i] + ('a' - 'A')) : line[i];
    if (c != lower_case_name[i]) return false;
  }
  return true;
}

// nullopt: no length, or none that we understand.
std::optional<std::size_t> ContentLength(std::string_view head) {
  constexpr std::string_view kName = "content-length";
  for (std::size_t at = head.find("\r\n"); at != head.npos; at = head.find("\r\n", at)) {
    at += 2;
    std::string_view line = head.substr(at, head.find("\r\n", at) - at);
    if (!IsName(line, kName)) continue;
    line.remove_prefix(kName.size() + 1);
    while (line.starts_with(' ')) line.remove_prefix(1);
    std::size_t length = 0;
    const auto parsed = std::from_chars(line.data(), line.data() + line.size(), length);
    if (parsed.ec != std::errc()) return std::nullopt;
    return length;
  }
  return std::nullopt;
}

}  // namespace

bool LoadConnection::Open(const addrinfo& address) {
  Close();
  socket_ = ::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, address.ai_protocol);
  if (socket_ < 0) return false;
  const int on = 1;
  setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (connect(socket_, address.ai_addr, address.ai_addrlen) != 0 && errno != EINPROGRESS) {
    Close();
    return false;
  }
  state_ = State::kConnecting;
  since_ = std::chrono::steady_clock::now();
  return true;
}

void LoadConnection::Close() {
  if (socket_ >= 0) close(socket_);
  socket_ = -1;
  state_ = State::kClosed;
  out_.clear();
  in_.clear();
  written_ = answer_bytes_ = 0;
}

void LoadConnection::Send(std::string_view request, bool is_put, Time due) {
  out_.assign(request);
  written_ = 0;
  is_put_ = is_put;
  due_ = due;
  since_ = std::chrono::steady_clock::now();
  state_ = State::kBusy;
  // A failure shows when the socket is read.
  static_cast<void>(Write());
}

bool LoadConnection::Write() {
  while (written_ < out_.size()) {
    const ssize_t sent = send(socket_, out_.data() + written_, out_.size() - written_, MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN || errno == EINTR;
    written_ += static_cast<std::size_t>(sent);
  }
  return true;
}

LoadConnection::Event LoadConnection::OnReady() {
  if (state_ == State::kConnecting) {
    int error = 0;
    socklen_t size = sizeof(error);
    getsockopt(socket_, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return Event::kBroken;
    state_ = State::kIdle;
    return Event::kOpened;
  }
  if (!Write()) return Event::kBroken;
  return Read();
}

LoadConnection::Event LoadConnection::Read() {
  while (true) {
    const std::size_t before = in_.size();
    in_.resize(before + kReadBytes);
    const ssize_t got = recv(socket_, in_.data() + before, kReadBytes, 0);
    in_.resize(before + static_cast<std::size_t>(got > 0 ? got : 0));
    if (got < 0) return errno == EAGAIN || errno == EINTR ? Event::kNothing : Event::kBroken;
    // Bytes that nobody asked for, or the end.
    if (got == 0 || state_ != State::kBusy) return Event::kBroken;
    const Event event = TakeAnswer();
    if (event != Event::kNothing) return event;
  }
}

LoadConnection::Event LoadConnection::TakeAnswer() {
  if (answer_bytes_ == 0) {
    const std::size_t end = in_.find("\r\n\r\n");
    if (end == std::string::npos) return Event::kNothing;
    const std::string_view head = std::string_view(in_).substr(0, end + 2);
    constexpr std::string_view kStatusAt = "HTTP/1.1 ";
    if (!head.starts_with("HTTP/1.") || head.size() < kStatusAt.size() + 3) return Event::kBroken;
    const char* const digits = head.data() + kStatusAt.size();
    if (std::from_chars(digits, digits + 3, status_).ptr != digits + 3) return Event::kBroken;
    const bool no_body = status_ == 204 || status_ == 304;
    const auto length = no_body ? std::optional<std::size_t>(0) : ContentLength(head);
    if (!length) return Event::kBroken;
    answer_bytes_ = end + 4 + *length;
  }
  if (in_.size() < answer_bytes_) return Event::kNothing;
  if (in_.size() > answer_bytes_) return Event::kBroken;  // more than one answer to one request
  in_.clear();
  answer_bytes_ = 0;
  state_ = State::kIdle;
  return Event::kAnswered;
}

}  // namespace holdfast::bench
