// Who hears of changes. While this instance is alone its writers tell the listener themselves and nothing is logged;
// while there are others every change of every instance stands in a stream, and the listener is told from there, in its
// order. Whether it is alone is decided by the server in the step that writes: a writer says what it knows (how often
// somebody joined, and the newest position), and logs when that is no longer so.
//
// Positions have no gaps, so what was cut off the stream before it was read shows, and the listener is told that it has
// missed changes. So it is when this instance was silent for so long that the others took it out, and when the server
// was started again or emptied: what was read may be lost there, and its positions given again to other changes.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>

#include "base/redis/client.h"
#include "service/backends/redis/beats.h"
#include "service/backends/redis/held_locks.h"
#include "service/backends/redis/layout.h"
#include "service/backends/redis/redis_options.h"
#include "service/backends/redis/scripts.h"
#include "service/backends/redis/server_facts.h"
#include "service/backends/redis/stream_stand.h"
#include "service/storage/change_listener.h"
#include "service/storage/key_locks.h"

namespace holdfast::storage::redis_backend {

// How often the server is asked again whether it is one that may be written to: a setting of it can change while the
// connections stand.
inline constexpr std::chrono::seconds kProbeInterval{1};

struct LogPosition {
  std::int64_t epoch = 0;
  std::int64_t position = 0;
};

// Thread-safe. Has a thread and a connection of its own.
class ChangeStream {
 public:
  // Of the partition whose rows begin with `prefix`. Begins to connect; everything given outlives it. Joins no data of
  // another layout. `beats`, where the rows of this instance are remembered, may be null.
  ChangeStream(redis::Client& client, const Scripts& scripts, const RedisOptions& options, std::string_view prefix,
               Layout& layout, Beats* beats = nullptr);
  ~ChangeStream() { Close(); }
  ChangeStream(const ChangeStream&) = delete;
  ChangeStream& operator=(const ChangeStream&) = delete;

  const std::string& instance() const { return instance_; }
  // The error when the server is none that may be written to (server_facts.h).
  Status MayWrite() const;
  // What the server said when it was connected to last; nothing when it could not be reached until the deadline.
  std::optional<ServerFacts> AwaitFacts(Deadline deadline) const;
  // Waits until this instance is one of the instances. The error is why it is not yet; that of MayWrite comes at once.
  Status AwaitJoined(Deadline deadline);
  // How often it has joined.
  std::uint64_t times_joined() const;
  // The server does not know it, as of a call that began when it had joined so often: joins again.
  Status Rejoin(std::uint64_t times_joined, Deadline deadline);

  // What a writer takes along that may tell the listener itself. The keys are locked while it lives: nobody else tells
  // of them. Not kept while waiting for anything but the server.
  class Turn {
   public:
    Turn(std::atomic<int>& turns, KeyLocks& locks, std::span<const std::string_view> keys);
    ~Turn() { turns_.fetch_sub(1); }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

    std::string joins;
    std::string position;

   private:
    std::atomic<int>& turns_;
    KeyLocks::Held held_;
  };
  // Null while there are others: everything is logged.
  std::unique_ptr<Turn> TakeTurn(std::span<const std::string_view> keys);
  // Returns when the listener has heard of everything up to here; at the deadline it will hear later.
  void Await(const LogPosition& logged, Deadline deadline);
  // True when the listener has heard of everything that was written before the call, with all that
  // Backend::AwaitListener says. The server that answers reads is asked how far the stream goes, and that proves
  // something only when
  //   it is the server that this instance has joined: the same process (run_id), with no time as a replica in between
  //   (master_replid), and no other master was found since. Positions of an epoch are given once on such a server, and
  //   elsewhere they may be given again to other changes;
  //   this instance is still one of the instances there: it was neither taken out nor was the data thrown away;
  //   the listener has heard of all up to there, or that it has missed some.
  // False at once when it is not so, and at the deadline. When the server is another one it is joined anew, over a new
  // connection, which tells the listener that it has missed changes; until then it is false.
  //
  // That copies of reads from another server never count: connections to the one before are of no more use
  // (redis::Client) when this instance joins the next, and only then is the listener told that it has missed changes.
  // Where no sentinels tell, an address must lead to one server at a time. In a cluster the slot may have been
  // elsewhere in between, which nothing shows: true is no proof for copies there.
  bool AwaitCaughtUp(Deadline deadline);
  // A write may have changed something, or may yet, of which nobody will tell: joins again. From the return until then
  // nothing is caught up; then the listener is told that it has missed changes, and what a writer has sent before is
  // logged if it comes to the server later, since somebody has joined meanwhile.
  void Doubt(std::string_view why);

  // Of a change that was not logged; what is logged it sees itself.
  void NoteLock(std::string_view key, const EntryPtr& after) { held_locks_.Note(key, after); }

  void SetListener(std::shared_ptr<ChangeListener> listener);
  std::shared_ptr<ChangeListener> listener() const;

  // Leaves the instances; after the last write. Idempotent.
  void Close();

 private:
  void Loop();
  Status Work();
  Status Connect();
  // Asks what the server is, and refuses writes to one that is none to entrust data to.
  Status Probe();
  Status Join();
  Status Look();
  // Waits for a change, or for the next look.
  Status AwaitChange();
  Status Read();
  Status Deliver(redis::Value& change);
  // What is behind the connections of the pool, which reads and writes use.
  struct Server {
    std::string run_id;
    std::string history;        // server_facts.h
    std::uint64_t changes = 0;  // how often another master was found
    bool operator==(const Server&) const = default;
  };
  // Of Server. In a cluster nothing is counted: what is found of other slots is no news of this one.
  std::uint64_t MasterChanges() const;
  Result<StreamStand> AskStand(Deadline deadline);
  Result<Server> AskServer(Deadline deadline);
  // This instance has to join again.
  void Forget(std::string_view why);
  void Leave();
  void Pause(std::chrono::milliseconds duration);
  Deadline Patience() const;
  bool stopping() const { return stopping_.load(std::memory_order_acquire); }

  redis::Client& client_;
  const Scripts& scripts_;
  const RedisOptions& options_;
  const std::string prefix_;
  Layout& layout_;
  const std::string instance_;
  Beats* const beats_;
  const std::chrono::milliseconds showing_interval_;
  redis::Interrupt interrupt_;
  KeyLocks locks_;
  HeldLocks held_locks_;
  std::atomic<int> turns_{0};
  std::atomic<bool> stopping_{false};

  // Touched by the thread only.
  std::unique_ptr<redis::Connection> connection_;
  Server server_;  // that it was last connected to
  bool failing_ = false;
  std::int64_t shown_ = -1;  // the position that stands in `instances`
  std::chrono::steady_clock::time_point next_showing_{};
  std::chrono::steady_clock::time_point next_probe_{};
  std::string born_;  // of the data it has joined; empty before

  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;   // everything below
  bool joined_ = false;                       // guarded by mutex_
  Server joined_to_;                          // guarded by mutex_
  bool reconnect_ = false;                    // guarded by mutex_; before it joins again
  std::uint64_t times_joined_ = 0;            // guarded by mutex_
  LogPosition read_;                          // guarded by mutex_; the listener has heard of all up to here
  std::optional<std::int64_t> alone_joins_;   // guarded by mutex_; alone as long as nobody has joined since
  Status error_;                              // guarded by mutex_; why it has not joined
  Status refused_;                            // guarded by mutex_; of MayWrite
  std::optional<ServerFacts> facts_;          // guarded by mutex_
  bool attempted_ = false;                    // guarded by mutex_; to connect, in vain
  std::shared_ptr<ChangeListener> listener_;  // guarded by mutex_
  std::mutex close_mutex_;
  std::thread thread_;
};

}  // namespace holdfast::storage::redis_backend
