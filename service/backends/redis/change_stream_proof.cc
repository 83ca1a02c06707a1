// What lets a stream of changes say that everything has been told.
#include "base/redis/reply.h"
#include "service/backends/redis/change_stream.h"
#include "service/backends/redis/script_call.h"
#include "service/backends/redis/stream_stand.h"

namespace holdfast::storage::redis_backend {

std::uint64_t ChangeStream::MasterChanges() const {
  return options_.client.target.topology == redis::Target::Topology::kCluster ? 0 : client_.master_changes();
}

Result<StreamStand> ChangeStream::AskStand(Deadline deadline) {
  redis::Pipeline pipeline;
  AddScript(pipeline, redis::Effect::kRead, scripts_.look, options_, prefix_, {instance_, "", ""});
  redis::Replies replies = client_.Run(pipeline, deadline);
  return StandOf(std::move(replies[0]));
}

Result<ChangeStream::Server> ChangeStream::AskServer(Deadline deadline) {
  redis::Pipeline pipeline;
  pipeline.For(prefix_).Add(redis::Effect::kRead, {"INFO", "server"});
  pipeline.Add(redis::Effect::kRead, {"INFO", "replication"});
  redis::Replies replies = client_.Run(pipeline, deadline);
  std::string info;
  for (Result<redis::Value>& reply : replies) {
    HOLDFAST_ASSIGN_OR_RETURN(const std::string section, redis::AsString(std::move(reply), "INFO"));
    info.append(section).append("\n");
  }
  const ServerFacts facts = FactsOf(info);
  return Server{facts.run_id, facts.history, MasterChanges()};
}

bool ChangeStream::AwaitCaughtUp(Deadline deadline) {
  // Whoever is alone tells of its changes itself, under the locks of their keys.
  locks_.AwaitHolders();
  const Result<StreamStand> stand = AskStand(deadline);
  if (!stand.ok() || !stand->here) return false;
  // Behind the stand: a history that is still the one that was joined was so at the stand, since none comes back.
  const Result<Server> server = AskServer(deadline);
  if (!server.ok() || server->history.empty()) return false;
  bool elsewhere = false;
  {
    std::unique_lock lock(mutex_);
    const auto decided = [&] {
      return stopping() || !joined_ || joined_to_ != *server || read_.epoch != stand->epoch ||
             read_.position >= stand->position;
    };
    if (!changed_.wait_until(lock, deadline.WaitUntil(), decided) || stopping() || !joined_) return false;
    if (joined_to_ == *server) {
      return read_.epoch == stand->epoch && MasterChanges() == server->changes;
    }
    elsewhere = joined_to_.changes <= server->changes;
  }
  // Reads and writes go to another server than the one whose changes are read, or to the same after it was a replica.
  if (elsewhere) Doubt("reads and writes go to another server than the one whose changes were read");
  return false;
}

void ChangeStream::Doubt(std::string_view why) {
  {
    const std::lock_guard lock(mutex_);
    reconnect_ = true;
  }
  Forget(why);
}

}  // namespace holdfast::storage::redis_backend
