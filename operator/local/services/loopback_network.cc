#include "operator/local/services/loopback_network.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>

namespace holdfast::local {
namespace {

constexpr int kNetworks = 100;
constexpr int kHostsPerNetwork = 254;
constexpr int kServiceNetworks = 4;

}  // namespace

Result<std::unique_ptr<LoopbackNetwork>> LoopbackNetwork::Claim() {
  for (int number = 0; number < kNetworks; ++number) {
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) {
      return Error(ErrorCode::kResourceExhausted, std::string("cannot make a socket: ") + std::strerror(errno));
    }
    // Abstract: begins with a zero byte and is no file.
    std::string name = fmt::format("holdfast-local/127.{}", number);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::copy(name.begin(), name.end(), address.sun_path + 1);
    auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
    if (bind(descriptor, reinterpret_cast<const sockaddr*>(&address), size) == 0) {
      return std::unique_ptr<LoopbackNetwork>(new LoopbackNetwork(descriptor, number));
    }
    close(descriptor);
  }
  return Error(ErrorCode::kResourceExhausted,
               fmt::format("each of the {} loopback networks is held by another local cluster", kNetworks));
}

LoopbackNetwork::~LoopbackNetwork() {
  close(descriptor_);
}

std::string LoopbackNetwork::pods() const {
  return fmt::format("127.{}.1", number_);
}

std::string LoopbackNetwork::ServiceAddress(const std::string& ns, const std::string& name) {
  std::lock_guard lock(mutex_);
  std::string key = fmt::format("{}/{}", ns, name);
  auto known = services_.find(key);
  if (known == services_.end()) {
    if (services_.size() >= kServiceNetworks * kHostsPerNetwork) return "";
    known = services_.emplace(key, static_cast<int>(services_.size())).first;
  }
  int number = known->second;
  return fmt::format("127.{}.{}.{}", number_, 2 + number / kHostsPerNetwork, 1 + number % kHostsPerNetwork);
}

}  // namespace holdfast::local
