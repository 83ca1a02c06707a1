#include "tests/loopback/reservation.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <random>
#include <utility>

namespace holdfast::loopback {
namespace {

constexpr const char* kLoopback = "127.0.0.1";
// Between the kubelet's ports and net.ipv4.ip_local_port_range: from 32768 on Linux, from 16000 in some sandboxes.
constexpr unsigned kFirstPort = 10'500;
constexpr unsigned kPorts = 5'500;
constexpr unsigned kFirstNetwork = 200;
constexpr unsigned kNetworks = 50;
constexpr unsigned kPerPart = 250;
constexpr unsigned kTries = 5'000;

// A number to begin with that differs between processes; one that goes on, so that what has just been given back is not
// the next: its old clients may still try it.
unsigned Next() {
  static std::atomic<unsigned> next{std::random_device()()};
  return next++;
}

// Whether a listener could have it; without SO_REUSEADDR, so that no connection of a former one is left there either.
bool IsFree(const std::string& address, std::uint16_t port) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_port = htons(port);
  inet_pton(AF_INET, address.c_str(), &name.sin_addr);
  const bool free = bind(socket, reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0;
  close(socket);
  return free;
}

}  // namespace

std::optional<Claim> Claim::Take(const std::string& name) {
  const std::string whole = "holdfast-test/" + name;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (whole.size() >= sizeof address.sun_path) std::abort();
  // Abstract: begins with a zero byte and is no file.
  std::copy(whole.begin(), whole.end(), address.sun_path + 1);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + whole.size());
  const int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (bind(descriptor, reinterpret_cast<const sockaddr*>(&address), size) == 0) return Claim(descriptor);
  close(descriptor);
  return std::nullopt;
}

Claim::~Claim() {
  if (descriptor_ >= 0) close(descriptor_);
}

Claim::Claim(Claim&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

Claim& Claim::operator=(Claim&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

ReservedPort::ReservedPort() {
  for (unsigned tries = 0; tries < kTries; ++tries) {
    number_ = static_cast<std::uint16_t>(kFirstPort + Next() % kPorts);
    claim_ = Claim::Take(fmt::format("{}:{}", kLoopback, number_));
    if (claim_ && IsFree(kLoopback, number_)) return;
    claim_.reset();
  }
  std::abort();  // a test has nothing to add
}

ReservedAddress::ReservedAddress(const std::vector<std::uint16_t>& ports) {
  for (unsigned tries = 0; tries < kTries; ++tries) {
    const unsigned number = Next();
    text_ = fmt::format("127.{}.{}.{}", kFirstNetwork + number / kPerPart / kPerPart % kNetworks,
                        number / kPerPart % kPerPart, 1 + number % kPerPart);
    claim_ = Claim::Take(text_);
    const auto free = [this](std::uint16_t port) { return IsFree(text_, port); };
    if (claim_ && std::all_of(ports.begin(), ports.end(), free)) return;
    claim_.reset();
  }
  std::abort();
}

}  // namespace holdfast::loopback
