#include "tests/integration/postgres/cutting_proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string_view>

namespace holdfast {
namespace {

constexpr int kLook = 20;  // milliseconds between two looks at whether to stop

// ReadyForQuery outside a transaction: whatever was asked for is committed.
constexpr std::string_view kCommitted("Z\0\0\0\5I", 6);

sockaddr_in Loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// False when the peer has gone.
bool SendAll(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(descriptor, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

// Empty when the peer has gone.
std::string Receive(int descriptor) {
  std::array<char, 65'536> buffer{};
  const ssize_t got = recv(descriptor, buffer.data(), buffer.size(), 0);
  return got <= 0 ? std::string() : std::string(buffer.data(), static_cast<std::size_t>(got));
}

}  // namespace

CuttingProxy::CuttingProxy(std::uint16_t server_port)
    : server_port_(server_port), listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof address;
  if (bind(listener_, reinterpret_cast<const sockaddr*>(&address), size) != 0 || listen(listener_, 64) != 0 ||
      getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    std::abort();  // a test has nothing to add
  }
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { AcceptLoop(); });
}

CuttingProxy::~CuttingProxy() {
  stopping_ = true;
  acceptor_.join();
  for (std::thread& pump : pumps_) pump.join();
  close(listener_);
}

void CuttingProxy::CutNext(const std::string& statement, Cut cut, int pass) {
  std::lock_guard lock(mutex_);
  // As it stands in a Bind message: the unnamed portal, then the statement's name. Preparing it does not look like
  // this.
  trigger_.assign(1, '\0').append(statement).push_back('\0');
  cut_ = cut;
  pass_ = pass;
}

void CuttingProxy::LetPass() {
  std::lock_guard lock(mutex_);
  trigger_.clear();
}

void CuttingProxy::Accept() {
  refuse_behind_the_cut_ = false;
  refusing_ = false;
}

void CuttingProxy::CountCut() {
  if (refuse_behind_the_cut_) refusing_ = true;
  ++cuts_;
}

bool CuttingProxy::Triggers(const std::string& bytes, Cut* cut) {
  std::lock_guard lock(mutex_);
  if (trigger_.empty() || bytes.find(trigger_) == std::string::npos) return false;
  if (pass_-- > 0) return false;
  trigger_.clear();
  *cut = cut_;
  return true;
}

void CuttingProxy::AcceptLoop() {
  while (!stopping_) {
    pollfd waiting{listener_, POLLIN, 0};
    if (poll(&waiting, 1, kLook) <= 0) continue;
    Pair pair;
    pair.client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (pair.client < 0) continue;
    pair.server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = Loopback(server_port_);
    if (refusing_ || connect(pair.server, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      close(pair.client);
      close(pair.server);
      continue;
    }
    pumps_.emplace_back([this, pair] { Pump(pair); });
  }
}

void CuttingProxy::Pump(Pair pair) {
  std::string held;  // what the server said since the trigger
  bool holding = false;
  for (bool open = true; open && !stopping_ && !refusing_;) {
    std::array<pollfd, 2> both{pollfd{pair.client, POLLIN, 0}, pollfd{pair.server, POLLIN, 0}};
    if (poll(both.data(), both.size(), kLook) <= 0) continue;
    if (both[0].revents != 0) {
      const std::string bytes = Receive(pair.client);
      Cut cut{};
      if (Triggers(bytes, &cut)) {
        holding = true;
        open = cut == Cut::kBehindTheCommit;
        if (!open) CountCut();
      }
      open = open && !bytes.empty() && SendAll(pair.server, bytes);
    }
    if (open && both[1].revents != 0) {
      const std::string bytes = Receive(pair.server);
      open = !bytes.empty() && (holding || SendAll(pair.client, bytes));
      if (holding) held.append(bytes);
      if (holding && held.ends_with(kCommitted)) {
        CountCut();
        open = false;
      }
    }
  }
  close(pair.client);
  close(pair.server);
}

}  // namespace holdfast
