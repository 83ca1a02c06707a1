// What a Redis client is told. Plain data.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

#include "base/redis/url.h"

namespace holdfast::redis {

// Which server of a master and its replicas is wanted.
enum class Role {
  kMaster,
  kReplica,  // reads that may be late; only with sentinels, which know them
};

// PEM files, read at every connect, so that they can be renewed. Used when the target says TLS.
struct TlsFiles {
  std::string ca;           // whom to trust; empty: the system's authorities
  std::string certificate;  // ours, if the server asks for one; needs `key`
  std::string key;
  std::string server_name;  // what the certificate has to name; empty: the host that is connected to
  std::string ca_pem = {};  // whom to trust, in place of the file `ca`
};

struct Options {
  Target target;
  Role role = Role::kMaster;
  std::string password_file;  // its first line replaces the target's password; read at every connect
  // What the sentinels themselves ask for; empty: nothing.
  std::string sentinel_user;
  std::string sentinel_password;
  std::string sentinel_password_file;
  TlsFiles tls;

  std::chrono::milliseconds connect_timeout{5'000};  // with TLS, login and the question for the role
  std::chrono::milliseconds write_timeout{5'000};    // in which the server has to take some bytes
  std::chrono::milliseconds read_timeout{5'000};     // in which some of an answer has to come; not of Receive
  // A peer that sends more in one reply is taken for a liar and left.
  std::size_t max_reply_bytes = std::size_t{256} << 20;
  std::size_t max_reply_elements = std::size_t{1} << 20;  // of all arrays of a reply together

  int min_connections = 1;
  int max_connections = 8;
  std::chrono::milliseconds acquire_timeout{5'000};  // for a connection when all are in use
  std::chrono::milliseconds idle_timeout{300'000};   // an unused one above min_connections is closed
  std::chrono::milliseconds max_lifetime{
      1'800'000};  // then it is replaced, so that a new address is noticed; 0 = never
  // Between attempts to connect while the server refuses: doubles, with jitter.
  std::chrono::milliseconds reconnect_initial{50};
  std::chrono::milliseconds reconnect_maximum{1'000};
};

}  // namespace holdfast::redis
