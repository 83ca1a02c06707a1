// Which of the hosts of a url is asked first, and whether the one that answered may be taken for the primary. libpq
// finds a host that takes writes (target_session_attrs=read-write); what it does not know is told here:
//
// The host that was the primary last is asked first, so that one that hangs holds up the first connection after a
// failover and not every one. A primary that a promotion has left behind and that came back without having become a
// standby takes writes that will be thrown away; its timeline, which every promotion raises, gives it away.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/result/result.h"

namespace holdfast::storage::postgres {

struct HostAndPort {
  std::string host;
  std::string port;
  bool operator==(const HostAndPort&) const = default;
};

// In the order of the url, with libpq's defaults; empty when the url is none, or names addresses (hostaddr) that stand
// for the hosts. Never holds a password.
std::vector<HostAndPort> HostsOf(const std::string& url);

// The history of a cluster that a server writes: which cluster, and after how many promotions.
struct TimelineOf {
  std::string system;  // identifier of the cluster
  std::int64_t timeline = 0;
};

// Thread-safe. What it knows ends with the process.
class PrimaryChoice {
 public:
  // As they stand in the url, the last primary in front and those that were refused behind.
  std::vector<HostAndPort> Order(const std::string& url) const;
  // A server that says it takes writes: how often the primary had changed when it was taken. The error says that it is
  // a primary of old.
  Result<std::uint64_t> Take(const HostAndPort& host, const TimelineOf& written);
  // How often the primary has changed: connections from before lead to one of old, even where that still answers.
  std::uint64_t changes() const { return changes_.load(std::memory_order_acquire); }

 private:
  std::atomic<std::uint64_t> changes_{0};
  mutable std::mutex mutex_;
  HostAndPort last_;                  // guarded by mutex_; empty: none yet
  std::vector<HostAndPort> refused_;  // guarded by mutex_
  TimelineOf newest_;                 // guarded by mutex_
};

}  // namespace holdfast::storage::postgres
