// What the sentinels know of a master and its replicas.
#pragma once

#include <cstdint>
#include <mutex>
#include <vector>

#include "base/redis/connection.h"
#include "base/redis/options.h"

namespace holdfast::redis {

// How long one sentinel may take before the next is asked.
inline constexpr std::chrono::seconds kSentinelPatience{1};

struct KnownMaster {
  Address address;
  std::uint64_t epoch = 0;  // config-epoch: one failover more, one number more
  // No sentinel in reach knew a newer one, though a newer one was asked for: they have begun anew.
  bool older = false;
};

// Thread-safe.
class Sentinels {
 public:
  // The target of `options` has their addresses.
  explicit Sentinels(const Options& options);

  // Asks in turn, the one that answered last first, until one knows a master of at least `epoch`: one that was cut off
  // during a failover still names the old one. kUnavailable names the reason of the last that was asked.
  Result<KnownMaster> FindMaster(std::uint64_t epoch, Deadline deadline, const Interrupt* interrupt);
  // Of one sentinel.
  Result<KnownMaster> Ask(const Address& sentinel, Deadline deadline, const Interrupt* interrupt) const;
  // Replicas that the first sentinel to answer holds for alive and in touch with the master.
  Result<std::vector<Address>> FindReplicas(Deadline deadline, const Interrupt* interrupt);

  // A connection to one of them.
  Result<std::unique_ptr<Connection>> Open(const Address& sentinel, Deadline deadline,
                                           const Interrupt* interrupt) const;
  // The one that answered last first.
  std::vector<Address> InOrder() const;
  const std::string& master() const { return options_.target.master; }

 private:
  void Answered(const Address& sentinel);
  Result<Value> Question(const Address& sentinel, std::string_view about, Deadline deadline,
                         const Interrupt* interrupt) const;

  const Options options_;  // with the sentinels' login instead of the servers'
  mutable std::mutex mutex_;
  std::vector<Address> order_;  // guarded by mutex_
};

}  // namespace holdfast::redis
