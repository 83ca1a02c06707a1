// What all servers of a quorum told at one look at a lock, and what follows from it. Plain data; pure functions.
#pragma once

#include <cstddef>
#include <functional>
#include <string_view>
#include <vector>

#include "service/coordination/quorum_master.h"

namespace holdfast::coordination {

// A lease that has rows, and on which servers.
struct Claim {
  LockRow row;
  std::vector<std::size_t> masters;
  std::vector<Timestamp> expiries;  // of each of these
};

struct Round {
  std::vector<Result<QuorumView>> views;  // of every server
  std::size_t answered = 0;
  std::size_t resting = 0;  // of these, who cannot grant yet
  std::uint64_t newest_token = 0;

  // The rows of this lease; of those the ones of a single token, should an attempt of before have left others.
  Claim OfLease(std::string_view lease) const;
  // Of all other leases the one with the most rows.
  Claim OfOthers(std::string_view lease) const;
  // Where the lock is free and may be granted.
  std::vector<std::size_t> Free() const;
  // Where a row stands that a release did not reach, as far as it is known to be one: a fence above its token was
  // lifted while the lock was free on that server, and the token is never written there again; with a majority of such
  // fences its lease has no majority.
  std::vector<std::size_t> LeftBehind() const;

 private:
  Claim Largest(const std::function<bool(const LockRow& row)>& counts) const;
};

}  // namespace holdfast::coordination
