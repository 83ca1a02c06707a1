// Which slots move from whom to whom, so that each shard that the spec asks for has an equal part of them: a pure
// function of what the servers say, as decision.h, so that a move that was stopped anywhere goes on from there.
//
// - The parts are those of the beginning: the i-th of n shards has [i * 16384 / n, (i + 1) * 16384 / n). Who has most
// of
//   a part already keeps it; what is left goes to new masters.
// - The new masters are the first servers of new shards, of those that follow nobody and have nothing.
// - Of fewer shards, those keep a part whose masters stay (scale_in.h), and of these those who have most of one.
// - What somebody has begun is finished first. A slot between two servers belongs to the one that gives until that one
//   has none of its keys (CLUSTER SETSLOT; redis.io/docs/reference/cluster-spec, "Live resharding").
// - Nothing moves while a server does not answer, or a slot has no master. A new master gets one slot, and more when a
//   replica of its is in step: so that keys never lie on one server alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "operator/shards/decision.h"

namespace holdfast::shards {

// The slots that one server gives another in one round.
struct SlotMove {
  std::int64_t from = 0;  // ordinals
  std::int64_t to = 0;
  std::vector<int> slots;
  bool operator==(const SlotMove&) const = default;
};

struct SlotPlan {
  std::vector<SlotMove> moves;
  std::vector<Command> commands;  // for slots that are no longer between two servers
  std::int64_t left = 0;          // slots that are not yet where they belong
  std::string waits;              // why nothing moves although some are left; else empty
};

// Ordinals of the servers that are to become masters of new shards; they follow nobody.
std::vector<std::int64_t> NewMasters(const Facts& facts, const Owners& owners);

// At most `at_once` slots in all moves together.
SlotPlan PlanSlots(const Facts& facts, std::size_t at_once);

}  // namespace holdfast::shards
