#include "tests/patroni/partition_proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>

namespace holdfast::patroni_cluster {
namespace {

constexpr int kLook = 20;  // milliseconds between two looks at whether to stop

sockaddr_in AddressOf(const Endpoint& endpoint) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(endpoint.port);
  if (inet_pton(AF_INET, endpoint.address.c_str(), &address.sin_addr) != 1) std::abort();
  return address;
}

// Bytes from one side to the other; false when either has gone.
bool Forward(int from, int to) {
  std::array<char, 65'536> buffer{};
  const ssize_t got = recv(from, buffer.data(), buffer.size(), 0);
  if (got <= 0) return false;
  for (ssize_t sent = 0; sent < got;) {
    const ssize_t part = send(to, buffer.data() + sent, static_cast<std::size_t>(got - sent), MSG_NOSIGNAL);
    if (part <= 0) return false;
    sent += part;
  }
  return true;
}

}  // namespace

PartitionProxy::PartitionProxy(const Endpoint& here, Endpoint there)
    : there_(std::move(there)), listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address = AddressOf(here);
  socklen_t size = sizeof address;
  const int yes = 1;
  setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (bind(listener_, reinterpret_cast<const sockaddr*>(&address), size) != 0 || listen(listener_, 64) != 0 ||
      getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    std::abort();  // a test has nothing to add
  }
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { AcceptLoop(); });
}

PartitionProxy::~PartitionProxy() {
  stopping_ = true;
  acceptor_.join();
  for (std::thread& pump : pumps_) pump.join();
  close(listener_);
}

void PartitionProxy::AcceptLoop() {
  while (!stopping_) {
    pollfd waiting{listener_, POLLIN, 0};
    if (poll(&waiting, 1, kLook) <= 0) continue;
    const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client >= 0) pumps_.emplace_back([this, client] { Pump(client); });
  }
}

void PartitionProxy::Pump(int client) {
  const int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const auto hold_while_cut = [this] {
    while (cut_ && !stopping_) std::this_thread::sleep_for(std::chrono::milliseconds{kLook});
  };
  hold_while_cut();
  const sockaddr_in address = AddressOf(there_);
  bool open = connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  const int yes = 1;
  for (const int each : {client, server}) setsockopt(each, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  while (open && !stopping_) {
    std::array<pollfd, 2> both{pollfd{client, POLLIN, 0}, pollfd{server, POLLIN, 0}};
    if (poll(both.data(), both.size(), kLook) <= 0) continue;
    // Also the end of one side is something the other does not hear of behind a cut.
    hold_while_cut();
    if (both[0].revents != 0) open = Forward(client, server);
    if (open && both[1].revents != 0) open = Forward(server, client);
  }
  close(client);
  close(server);
}

}  // namespace holdfast::patroni_cluster
