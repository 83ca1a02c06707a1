// Which node of a Redis Cluster serves which slot, as one of its nodes sees it, and what a node says that is not the
// one to ask.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/redis/slot.h"
#include "base/redis/url.h"
#include "base/redis/value.h"
#include "base/result/result.h"

namespace holdfast::redis {

// More are taken for a lie; Redis itself recommends no more.
inline constexpr std::size_t kMaxClusterNodes = 1'000;

// Immutable once it is made.
class SlotMap {
 public:
  // From CLUSTER SLOTS, asked of `asked`: a node that does not know its own address has that one. kUnavailable when the
  // answer is none, names no master at all, or more than kMaxClusterNodes.
  static Result<SlotMap> FromClusterSlots(const Value& answer, const Address& asked);

  // The master of the slot; null when nobody serves it.
  const Address* MasterOf(std::uint16_t slot) const;
  // Every master with slots, each once.
  const std::vector<Address>& masters() const { return masters_; }

 private:
  static constexpr std::uint16_t kNobody = 0xffff;
  SlotMap() { owners_.fill(kNobody); }

  std::vector<Address> masters_;
  std::array<std::uint16_t, kSlots> owners_{};  // places in masters_
};

// Why a node did not do a command: nothing was done.
struct Refusal {
  enum class Kind {
    kNone,
    kMoved,  // the slot is another node's
    kAsk,    // this once another node is to be asked, with ASKING in front: the slot is being moved there
    kLater,  // TRYAGAIN, CLUSTERDOWN, READONLY, MASTERDOWN, LOADING: something changes just now
  };
  Kind kind = Kind::kNone;
  Address address;  // kMoved, kAsk
};
// Of an error line that `asked` answered with: "MOVED 3999 127.0.0.1:6381". A node without a host, or with '?' for one,
// is taken to be on the host that was asked.
Refusal RefusalOf(std::string_view line, const Address& asked);

}  // namespace holdfast::redis
