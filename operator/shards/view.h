// How a Redis Cluster is, as its servers say, and how that stands in the status of its StorageCluster (status.redis).
// Pure, but for WriteView and EraseView.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result/result.h"
#include "base/time/deadline.h"
#include "operator/kube/client.h"
#include "operator/shards/decision.h"

namespace holdfast::shards {

enum class State {
  kForming,      // not all slots have been given yet; there are no data
  kServing,      // every slot has a master that takes writes
  kFailingOver,  // some have none, and a replica may take over
  kShardLost,    // some have none, and nobody takes over by itself
  kSilent,       // too few servers answer
};
const char* NameOf(State state);

struct View {
  struct Shard {
    std::string slots;        // "0-5460"
    std::string master = {};  // its pod, of one that is down too; empty: nobody has ever had these slots
    bool serves = false;
    std::int64_t in_step = 0;      // replicas
    bool replica_answers = false;  // one that may take over
    bool operator==(const Shard&) const = default;
  };
  struct Member {
    std::string pod;
    std::string role;  // Master, Replica, Behind: a replica that is not in step; or of who has no slots and follows
                       // nobody New, or Leaving: it is none that the spec asks for
    bool operator==(const Member&) const = default;
  };

  std::string backend;
  State state = State::kSilent;
  std::int64_t replicas = 0;  // of all shards, that the spec asks for
  std::int64_t in_step = 0;
  std::int64_t covered = 0;          // slots with a master that serves
  std::int64_t to_move = 0;          // slots that another shard is to have
  std::string waits = {};            // why none of them moves, or servers that should go are there
  std::vector<Shard> shards = {};    // by their first slot
  std::vector<Member> members = {};  // that answer

  bool operator==(const View&) const = default;
  // What a person should know and do; empty while every slot is served or a failover is under way, and none waits to be
  // moved.
  std::string Remedy() const;
};

// A shard without a master counts as kFailingOver while a replica of it answers: whether it has done so for too long is
// for the caller to say (AsLost).
View Look(std::string backend, const Facts& facts);
View AsLost(View view);

// From status.redis, as far as it is told again; nothing while there is none of a Redis Cluster.
std::optional<View> ViewOf(const kube::Json& cluster_object, std::string_view backend);

// Puts it there; writes nothing when it stands there. A conflict is read again. Returns the object as written or read
// last.
Result<kube::Json> WriteView(kube::Client& client, kube::Json cluster_object, const View& view, Deadline deadline);
// Likewise takes it away, of a backend that does not run.
Result<kube::Json> EraseView(kube::Client& client, kube::Json cluster_object, const std::string& backend,
                             Deadline deadline);

}  // namespace holdfast::shards
