// Where a Redis is and as whom to log in, as redis-cli, redis-py and the other clients spell it:
//
//   redis://[[user]:password@]host[:port][/database]        6379 and 0 when left out; [::1] for IPv6
//   rediss://...                                            the same over TLS
//   unix://[[user]:password@]/path/to/socket[?db=database]  also redis+unix://
//   redis+sentinel://[[user]:password@]host[:port],host[:port]/master[/database]
//                                     26379; user and password are those of the servers (options.h for the sentinels')
//   rediss+sentinel://...             TLS to sentinels and servers
//   redis+cluster://[[user]:password@]host[:port],host[:port]
//                                     6379; some nodes of a Redis Cluster, which know the others
//   rediss+cluster://...              TLS to all of its nodes
//
// User, password, path and master may be percent-encoded, and have to be where they hold '@', '/', ':', '?', '#' or
// '%'.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result/result.h"

namespace holdfast::redis {

inline constexpr std::uint16_t kDefaultPort = 6379;
inline constexpr std::uint16_t kDefaultSentinelPort = 26379;
inline constexpr int kMaxDatabase = 65'535;
inline constexpr std::size_t kMaxUrlSize = 8'192;

// One server: a path, or host and port.
struct Address {
  std::string host;  // a name or an address, without brackets
  std::uint16_t port = kDefaultPort;
  std::string unix_path;  // not empty: a Unix socket, and host and port mean nothing

  // "host:port", "[::1]:6379" or "unix:/path".
  std::string ToString() const;
  friend bool operator==(const Address& a, const Address& b) = default;
};

struct Target {
  enum class Topology { kStandalone, kSentinel, kCluster };

  Topology topology = Topology::kStandalone;
  std::vector<Address> addresses;  // the server; or sentinels, or nodes of a cluster: at least one
  std::string master;              // the name that the sentinels know it by
  bool tls = false;
  std::string user;  // empty: the default user
  std::string password;
  int database = 0;
};

// kInvalidArgument begins with `field`, names the part that is wrong and quotes nothing behind "://".
Result<Target> ParseUrl(std::string_view url, std::string_view field = "url");

}  // namespace holdfast::redis
