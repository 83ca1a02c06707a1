// A Redis to talk to: a pool of connections to the server that the target names, or to whatever server the sentinels
// say is the master, found again when that changes; or to the nodes of a Redis Cluster, to each what its slots are
// asked (cluster.h), for which a pipeline names the key that it is about (Pipeline::For).
//
//   HOLDFAST_ASSIGN_OR_RETURN(const std::unique_ptr<redis::Client> client, redis::Client::Make(options));
//   redis::Pipeline pipeline;
//   pipeline.Add(redis::Effect::kRead, {"GET", key});
//   const redis::Replies replies = client->Run(pipeline, deadline);
//
// With sentinels (guidelines for clients, redis.io/docs/reference/sentinel-clients): they are asked in turn, the one
// that answered last first; a server is used only after it called itself a master (ROLE); every connection goes when a
// sentinel reports +switch-master, and idle ones when a server says READONLY. An old master that is cut off from
// sentinels and replicas takes writes until its min-replicas-to-write stops it: these may be lost. Reads may come from
// it until a sentinel tells.
//
// The user needs PING, SELECT where the URL names a database, ROLE with sentinels, and SCRIPT LOAD and EVALSHA for
// scripts, CLUSTER INFO and CLUSTER SLOTS with a cluster, beside the commands that are run.
#pragma once

#include <functional>
#include <memory>

#include "base/redis/connection.h"

namespace holdfast::redis {

// Thread-safe.
class Client {
 public:
  // Returns before anything is connected; min_connections are opened in the background. kInvalidArgument for options
  // that contradict each other, kResourceExhausted when the system gives no descriptor or thread.
  // `prepare`, when there is one, sees each connection of the pool before anybody uses it, so that a server that was
  // replaced behind the address is noticed before the first command reaches it; when it refuses, the connection counts
  // as one that could not be opened. One thread at a time for each server. Not of OpenDedicated.
  using Prepare = std::function<Status(Connection& connection, Deadline deadline)>;
  static Result<std::unique_ptr<Client>> Make(Options options, Prepare prepare = {});
  // Closes.
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  using Pool = pool::ConnectionPool<Connection>;
  // Connection::Run on a connection of the pool, and again on another, up to kMisdirections times, when the server said
  // READONLY to every write and nothing was done. Errors of the pool stand for every command.
  static constexpr int kMisdirections = 3;
  // Of a cluster: Cluster::Run.
  Replies Run(const Pipeline& pipeline, Deadline deadline);
  // words[1], where there is one, is the key.
  Result<Value> Run(Effect effect, std::initializer_list<std::string_view> words, Deadline deadline);
  // For several round trips over one connection. Not of a cluster, whose connections lead to different nodes:
  // kNotSupported.
  Result<Pool::Lease> Acquire(Deadline deadline);
  // A connection beside the pool, to the same server as its next one: to subscribe or to block. Of a cluster: to the
  // node that has the slot of `key`.
  Result<std::unique_ptr<Connection>> OpenDedicated(Deadline deadline, const Interrupt* interrupt = nullptr,
                                                    std::string_view key = {});

  pool::Statistics statistics() const;
  // How often the master, or that of a slot, was found to be another one; 0 without sentinels or cluster.
  std::uint64_t master_changes() const;
  // Refuses further calls; those that run get their answers. Idempotent.
  void Close();

 private:
  class Impl;
  explicit Client(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace holdfast::redis
