// Moves slots with their keys from one master of a Redis Cluster to another, over a connection to each.
//
// The order is that of the cluster specification: the one that takes is told first that it will (IMPORTING), then the
// one that gives sends clients there for what it does not have (MIGRATING), then the keys go over (MIGRATE), then the
// one that takes owns the slot, and last the other knows. Each step may be made again, so that a transfer that was
// stopped anywhere is begun anew. Redis keeps no key twice but of a MIGRATE that was cut off; the giver's is right
// then, and replaces the other (REPLACE).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/redis/connection.h"
#include "base/result/result.h"

namespace holdfast::shards {

// The first two and the pause are the StorageCluster's to say (spec.backends[].redis.cluster).
struct TransferLimits {
  std::size_t slots_at_once = 256;                // in one round, of all servers together
  std::size_t keys_at_once = 100;                 // of one MIGRATE, in which both servers do nothing else
  std::chrono::milliseconds key_timeout{10'000};  // of one MIGRATE
  std::chrono::milliseconds round_budget{5'000};  // after that no further MIGRATE is begun in this round; one always is
  std::chrono::milliseconds pause{100};           // between two rounds
};

struct Transfer {
  std::vector<int> slots;
  std::string from_id;
  std::string to_id;
  // How the giver reaches the taker.
  std::string to_address;
  std::uint16_t to_port = 0;
  std::string user;
  std::string password;
};

// Slots without keys go over together, those with keys one after the other. Not an error: the budget was over. What was
// done shows in the servers' next answers.
Status TransferSlots(redis::Connection& from, redis::Connection& to, const Transfer& transfer,
                     const TransferLimits& limits);

}  // namespace holdfast::shards
