#include "base/redis/resolve.h"

#include <fmt/format.h>
#include <netdb.h>
#include <sys/un.h>

#include <cstring>
#include <memory>
#include <string>
#include <system_error>
#include <thread>

#include "base/redis/wait.h"

namespace holdfast::redis {
namespace {

Result<std::vector<SocketAddress>> OfPath(const std::string& path) {
  sockaddr_un local{};
  if (path.size() >= sizeof local.sun_path) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("the path of the Unix socket has {} bytes, the system allows {}", path.size(),
                             sizeof local.sun_path - 1));
  }
  local.sun_family = AF_UNIX;
  std::memcpy(local.sun_path, path.data(), path.size());
  SocketAddress found;
  std::memcpy(&found.storage, &local, sizeof local);
  found.size = sizeof local;
  return std::vector<SocketAddress>{found};
}

struct Found {
  std::vector<SocketAddress> addresses;
  int failure = 0;
};

// Shared with the thread that looks up.
struct LookUp {
  Found found;
  Interrupt done;
};

void LookUpNow(const std::string& host, std::uint16_t port, int flags, Found* result) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  result->failure = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
  if (result->failure != 0) return;
  for (const addrinfo* each = list; each != nullptr; each = each->ai_next) {
    SocketAddress found;
    std::memcpy(&found.storage, each->ai_addr, each->ai_addrlen);
    found.size = each->ai_addrlen;
    result->addresses.push_back(found);
  }
  ::freeaddrinfo(list);
}

}  // namespace

Result<std::vector<SocketAddress>> Resolve(const Address& address, Deadline deadline, const Interrupt* interrupt) {
  if (!address.unix_path.empty()) return OfPath(address.unix_path);
  Found numeric;
  LookUpNow(address.host, address.port, AI_NUMERICHOST, &numeric);
  if (numeric.failure == 0) return std::move(numeric.addresses);
  std::shared_ptr<LookUp> look_up;
  try {
    look_up = std::make_shared<LookUp>();
    std::thread([look_up, host = address.host, port = address.port] {
      LookUpNow(host, port, AI_ADDRCONFIG, &look_up->found);
      look_up->done.Trigger();
    }).detach();
  } catch (const std::system_error& thrown) {
    return Error(ErrorCode::kUnavailable,
                 fmt::format("no descriptor or thread to look up the host {}: {}", address.host, thrown.what()));
  }
  HOLDFAST_RETURN_IF_ERROR(AwaitReadable(look_up->done.descriptor(), deadline, interrupt)
                               .WithContext(fmt::format("looking up the host {}", address.host)));
  if (look_up->found.failure != 0) {
    return Error(ErrorCode::kUnavailable,
                 fmt::format("the host {} cannot be found: {}", address.host, ::gai_strerror(look_up->found.failure)));
  }
  return std::move(look_up->found.addresses);
}

}  // namespace holdfast::redis
