// What is known about one PostgreSQL backend at one moment, in the words a decision needs. Data only. Whoever fills it
// in reads the lock first and everything else afterwards: clearing the lock is conditional on the version read here,
// and a member becomes a primary only behind a write of the lock, so a primary that came into being meanwhile turns the
// clearing into a conflict.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace holdfast::failover {

// What a member's Patroni says of it (GET /patroni).
struct MemberReport {
  std::string state;  // "running", "starting", "restarting", "stopped", "unknown" ...
  bool primary = false;
  std::int64_t timeline = 0;                // 0: not told
  std::uint64_t received = 0;               // bytes of WAL received (a standby's) or written (a primary's)
  std::vector<std::string> streaming = {};  // a primary's: the members that stream from it

  bool Serves() const { return primary && state == "running"; }
};

struct Member {
  std::string name;  // of the pod, and in Patroni
  bool no_failover = false;
  std::optional<MemberReport> report;  // nothing: no answer, or nobody to ask
};

// The process that took the lock, as far as pods and containers tell.
enum class HolderEnd {
  kUnknown,   // nothing says that it has ended
  kEnded,     // its container has terminated, and with it every session: a fact
  kVanished,  // its pod went without anybody having seen its container end (a forced deletion, a lost node)
};

enum class WritePath {
  kUnknown,  // nobody to ask
  kWorks,
  kStuck,  // whoever writes for clients says that it cannot
};

struct Facts {
  bool initialized = false;  // the cluster has been bootstrapped
  bool paused = false;       // Patroni's maintenance mode
  bool synchronous = false;

  std::string holder;  // of the lock; empty: nobody
  HolderEnd holder_end = HolderEnd::kUnknown;
  bool holder_terminating = false;     // its pod is being deleted
  bool node_gone = false;              // so Kubernetes says of its pod
  std::chrono::milliseconds silent{};  // since it last said that it serves
  // Since the lock was last seen to change; nothing while there is no earlier look to compare with.
  std::optional<std::chrono::milliseconds> lock_unchanged;
  std::chrono::milliseconds loop_wait{10'000};  // how often a living Patroni renews the lock
  std::chrono::milliseconds rogue{};            // since somebody beside the holder was first seen to take writes
  WritePath write_path = WritePath::kUnknown;

  // <scope>-sync: whose commits wait, and for whom.
  std::string sync_leader;
  std::vector<std::string> sync_set;
  // How many of the set a commit waits for. Patroni 3 writes names as `n (a, b ...)` with n = their number, and takes
  // a name out of the published set before it stops waiting for it: all of them.
  std::size_t acks_required = 0;

  std::vector<Member> members;
};

}  // namespace holdfast::failover
