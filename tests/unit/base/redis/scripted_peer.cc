#include "tests/unit/base/redis/scripted_peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <utility>

namespace holdfast::redis {

bool ScriptedPeer::Talk::Say(std::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

std::string ScriptedPeer::Talk::Hear() const {
  std::array<char, 65'536> buffer;
  const ssize_t read = ::recv(descriptor_, buffer.data(), buffer.size(), 0);
  return {buffer.data(), read > 0 ? static_cast<std::size_t>(read) : 0};
}

void ScriptedPeer::Talk::HearUntil(std::string_view text) const {
  std::string heard;
  while (heard.find(text) == std::string::npos) {
    const std::string more = Hear();
    if (more.empty()) return;
    heard += more;
  }
}

ScriptedPeer::ScriptedPeer(std::function<void(const Talk&)> behave)
    : behave_(std::move(behave)), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(listener_, reinterpret_cast<const sockaddr*>(&address), size) != 0 || ::listen(listener_, 16) != 0 ||
      ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    std::abort();
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { Serve(); });
}

ScriptedPeer::~ScriptedPeer() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    ::shutdown(listener_, SHUT_RDWR);
    if (current_ >= 0) ::shutdown(current_, SHUT_RDWR);
  }
  thread_.join();
  ::close(listener_);
}

Address ScriptedPeer::address() const {
  Address address;
  address.host = "127.0.0.1";
  address.port = port_;
  return address;
}

void ScriptedPeer::Serve() {
  while (true) {
    const int descriptor = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    {
      std::lock_guard lock(mutex_);
      if (stopping_ || descriptor < 0) {
        if (descriptor >= 0) ::close(descriptor);
        return;
      }
      current_ = descriptor;
    }
    ++connections_;
    behave_(Talk(descriptor));
    std::lock_guard lock(mutex_);
    current_ = -1;
    ::close(descriptor);
  }
}

}  // namespace holdfast::redis
