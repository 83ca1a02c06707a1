// How the servers of shards go when the spec asks for fewer, those with the highest numbers: pure functions of what the
// servers say. Nothing is remembered: whoever was stopped anywhere goes on from there.
//
// 1. Their slots move to masters that stay (slot_plan.h), with their keys and under load. When too few of the masters
//    stay, a replica that stays takes a shard over first, in order (CLUSTER FAILOVER).
// 2. When those that stay are a whole cluster without them, all that stay forget them (CLUSTER FORGET), in one round
// and
//    again until nobody knows them: Redis hears of a forgotten server from others after a minute. From then on none of
//    them can be elected, or be given a slot.
// 3. Only then the StatefulSet is told that those that are wanted are enough (operator/resources/redis_servers.h), and
//    their pods end. Their volumes stay, as wherever a backend gets fewer servers.
#pragma once

#include <string>

#include "operator/shards/decision.h"

namespace holdfast::shards {

// It is none of the servers that the spec asks for.
bool Leaves(const Facts& facts, const Report& report);
// Of an owner of slots: it stays, as far as anybody knows.
bool Stays(const Facts& facts, const std::string& id);

// Whoever has slots answers and stays.
bool IsEvacuated(const Facts& facts, const Owners& owners);
// Why those that stay are not a whole cluster without the others; empty: they are, and the others may be forgotten.
std::string WhyNotWithout(const Facts& facts, const Owners& owners);
// Nobody that stays knows anybody else.
bool AreForgotten(const Facts& facts);

}  // namespace holdfast::shards
