// A Redis Cluster to talk to: who serves which slot, a pool of connections to each node, and pipelines that go out to
// all of their nodes before an answer is awaited (Redis Cluster specification, "Redirection and resharding").
//
// Who serves what is asked by a thread: at the start, after MOVED, and after a connection could not be had or was lost,
// no more often than every kRefreshInterval, and every kSlowRefresh in any case. Callers go by what is known. A node
// that is cut off from the majority says so (cluster_state) and is believed only when no other answers.
//
// A command that was refused because its slot is elsewhere (MOVED, ASK) or is changing (TRYAGAIN, CLUSTERDOWN,
// READONLY, MASTERDOWN, LOADING) was not executed, and is sent again where it belongs, for kRedirectPatience at the
// most. One that was sent and has no answer is not: Connection::Run says what that means.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/redis/connection.h"
#include "base/redis/options.h"
#include "base/redis/slot_map.h"

namespace holdfast::redis {

inline constexpr std::chrono::milliseconds kRefreshInterval{100};
inline constexpr std::chrono::seconds kSlowRefresh{10};
inline constexpr std::chrono::milliseconds kRedirectPatience{500};
// How long one node may take to say who serves what before the next is asked.
inline constexpr std::chrono::seconds kNodePatience{1};

// Thread-safe.
class Cluster {
 public:
  using Prepare = std::function<Status(Connection& connection, Deadline deadline)>;
  using Pool = pool::ConnectionPool<Connection>;

  // The target of `options` has some of the nodes; `node` is the pool of each. `prepare` may be empty; it sees one
  // connection of a node at a time. Throws std::system_error when the system gives no descriptor or thread.
  Cluster(const Options& options, pool::Options node, Prepare prepare);
  ~Cluster() { Close(); }
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  // Commands of one slot take effect in their order as long as none of them is redirected.
  Replies Run(const Pipeline& pipeline, Deadline deadline);
  // A connection beside the pools, to the node that has the key's slot.
  Result<std::unique_ptr<Connection>> Open(std::string_view key, Deadline deadline, const Interrupt* interrupt);

  // Of all pools together.
  pool::Statistics statistics() const;
  // How often a slot was found to have another master.
  std::uint64_t changes() const { return changes_.load(std::memory_order_relaxed); }
  // Refuses further calls; those that run get their answers. Idempotent.
  void Close();

 private:
  struct Node;
  struct Shipment;
  using Map = std::shared_ptr<const SlotMap>;
  // A command that has to be sent, or sent again.
  struct Waiting {
    std::size_t command = 0;
    std::optional<Address> tried;       // no connection to it could be had
    std::optional<Address> redirected;  // where the server says it belongs
    bool asking = false;
  };
  // What a round of a Run has left to do.
  struct Rest {
    std::vector<Waiting> waiting;
    bool later = false;  // something changes just now
    bool newer_map = false;
  };

  Result<Map> CurrentMap(Deadline deadline);
  // Returns when somebody was asked since, in vain or not, or at the deadline.
  void AwaitRefresh(Deadline deadline);
  void MarkStale();
  void RefreshLoop();
  Result<SlotMap> AskNodes();
  struct Said {
    bool serves = false;  // cluster_state:ok
    std::uint64_t epoch = 0;
    std::optional<SlotMap> map;
  };
  Result<Said> AskOne(const Address& node) const;
  void Install(SlotMap found);

  Result<std::shared_ptr<Node>> NodeAt(const Address& address);
  // Where the waiting commands go, by node. What can go nowhere gets its error.
  std::vector<Shipment> Distribute(const Pipeline& pipeline, const SlotMap& map, const std::vector<Waiting>& waiting,
                                   Replies& replies);
  Rest Ship(const Pipeline& pipeline, const std::vector<Shipment>& shipments, Deadline deadline, Replies& replies);

  const Options options_;
  const pool::Options node_options_;
  const Prepare prepare_;
  Interrupt closing_;
  std::atomic<std::uint64_t> changes_{0};
  std::atomic<std::size_t> next_node_{0};  // for commands without a key

  // Touched by the thread only.
  std::uint64_t epoch_ = 0;
  std::vector<Address> order_;  // who answered last first

  mutable std::mutex mutex_;
  std::condition_variable wake_;                          // the thread
  std::condition_variable refreshed_;                     // whoever waits for the thread
  std::map<std::string, std::shared_ptr<Node>> nodes_;    // guarded by mutex_; by address
  Map map_;                                               // guarded by mutex_; null: never asked with success
  bool stale_ = true;                                     // guarded by mutex_
  bool closed_ = false;                                   // guarded by mutex_
  std::uint64_t attempts_ = 0;                            // guarded by mutex_; to ask
  std::chrono::steady_clock::time_point refreshed_at_{};  // guarded by mutex_
  std::optional<Error> failure_;                          // guarded by mutex_; of the last attempt
  std::mutex close_mutex_;                                // one Close joins, others wait for it
  std::thread refresher_;
};

}  // namespace holdfast::redis
