// Who is let in: how many connections there are, altogether and of one client, how many requests are in progress, and
// whether enough descriptors are left for everything else that opens files. Thread-safe.
#pragma once

#include <atomic>
#include <boost/asio/ip/address.hpp>
#include <cstddef>
#include <map>
#include <mutex>

#include "service/http/http_server.h"

namespace holdfast::api {

class Admission {
 public:
  // `max_descriptors`: the process's limit on open files; connections leave the last reserved_descriptors of them free,
  // though never more than half of all. `limits` outlives this.
  Admission(const ServerLimits& limits, std::size_t max_descriptors);

  enum class Verdict { kAdmitted, kTooMany, kTooManyOfAddress, kFewDescriptors };
  // For a connection that was just accepted. What was admitted leaves once.
  Verdict Enter(const boost::asio::ip::address& address, int descriptor);
  // True when it was the last one.
  bool Leave(const boost::asio::ip::address& address);
  std::size_t connections() const { return connections_; }

  // Requests that a handler did not answer at once; those that it did never count. Nothing is refused here: whoever
  // takes the next request asks first.
  bool overloaded() const { return requests_.load(std::memory_order_relaxed) >= limits_.max_requests; }
  void BeginRequest() { requests_.fetch_add(1, std::memory_order_relaxed); }
  void EndRequest() { requests_.fetch_sub(1, std::memory_order_relaxed); }

 private:
  bool EnterAddress(const boost::asio::ip::address& address);

  const ServerLimits& limits_;
  const std::size_t first_reserved_;  // descriptors from here on are not for connections
  std::atomic<std::size_t> connections_{0};
  std::atomic<std::size_t> requests_{0};
  std::mutex mutex_;
  std::map<boost::asio::ip::address, std::size_t> of_address_;  // guarded by mutex_; empty without a limit
};

// The limit on open files in force; a very large number where there is none.
std::size_t MaxDescriptors();

}  // namespace holdfast::api
