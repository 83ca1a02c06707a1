// The next commands that bring the servers of a Redis backend together as the spec asks for: a pure function of what
// they say, so that whoever was stopped between two commands goes on from there.
//
// - A server that the others do not know, or know at another address, is met (CLUSTER MEET), only at an address where
//   somebody just answered to the backend's password and name. So are two who each found a stranger where the other
//   was: Redis 7.0 then knows no address of the other, and takes none from a third.
// - Slots are given to masters without data only while nobody has ever been given any (`begun`): an owner who is gone
//   keeps its slots, until a replica of its shard takes them over, which Redis decides.
// - A server without slots whose shard has a master follows that, wherever in the StatefulSet it is: one that comes
//   back without its volume too. While there are slots that nobody has, none that followed somebody or has data is told
//   to follow another: it would throw away what may be all there is of them.
// - A master whose pod answers as another will not come back. When that is at the former address, Redis 7.0 takes the
//   address for unknown and never finds the master down, so that nobody is elected: the newest of its replicas that
//   lost it lately is told to stand for election (CLUSTER FAILOVER FORCE), in which most masters vote as ever.
// - A replica that copies from an address at which its master no longer is, is told again whom it follows: Redis 7.0
//   changes that address when the master itself tells its new one, and not when another server does.
// - Who will not come back, since its pod answers as another, is forgotten by all, once it has no slots. So are the
//   servers beyond those that the spec asks for, when the others are whole without them (scale_in.h).
// - Of replicas that one master has too many of, those go to a master that has too few.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "operator/shards/nodes.h"

namespace holdfast::shards {

// So many pairs that everybody else knows are introduced in one round; a connection each.
inline constexpr std::size_t kMeetingsAtOnce = 32;

struct Facts {
  std::string set;              // the StatefulSet, "demo-cache"; pods are named after it
  std::int64_t shards = 0;      // that the spec asks for
  std::int64_t replicas = 0;    // of each
  std::int64_t recent = 60;     // seconds: a replica that lost its master longer ago does not take over
  bool begun = false;           // there may be data
  bool beyond = false;          // there are pods of more servers
  std::vector<Report> reports;  // of those that answered, by rising ordinal

  std::int64_t servers() const { return shards * (1 + replicas); }
};

struct Command {
  std::int64_t ordinal = 0;  // of the server that is told
  std::vector<std::string> words;
  bool operator==(const Command&) const = default;
};

// Those of one round: the next is decided on what the servers say after it. Empty: nothing to do, or nothing that can
// be done now.
std::vector<Command> Decide(const Facts& facts);

}  // namespace holdfast::shards
