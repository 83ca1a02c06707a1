// What the API shows of a store's checkpoints, and what it may ask of them (service/durability).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result/result.h"
#include "base/time/clock.h"
#include "base/time/deadline.h"
#include "service/storage/snapshot.h"

namespace holdfast::storage {

struct CheckpointInfo {
  std::string id;
  // Why its metadata cannot be read; empty: they can. Otherwise the rest is not there.
  std::string damage;
  Timestamp created_at{};
  std::string reason;  // requested, periodic, shutdown or undo
  SnapshotConsistency consistency = SnapshotConsistency::kPerEntry;
  std::string backend;  // Backend::kind() of what it was taken of
  std::uint64_t entries = 0;
  std::uint64_t entry_bytes = 0;  // of keys and values
  std::uint64_t size_bytes = 0;   // of the file
  std::string checksum;           // "sha256:..."
  std::uint32_t format_version = 0;
  std::optional<Timestamp> validated_at;  // when all of it was last read and found sound
};

struct RestoreReport {
  std::uint64_t restored = 0;  // entries of the checkpoint that the store has now
  std::uint64_t written = 0;   // of these, what it did not have so
  std::uint64_t deleted = 0;   // what it had beside them
  std::uint64_t expired = 0;   // entries of the checkpoint whose time is over
  std::string undo;            // the checkpoint taken just before
};

// A checkpoint as it comes into being, for whoever keeps it elsewhere. One thread at a time; does not outlive the
// store.
class CheckpointStream {
 public:
  virtual ~CheckpointStream() = default;
  // Appends the next bytes, some hundreds of KiB, or none; false: it is complete. After an error it is of no more use.
  virtual Result<bool> Next(std::string* bytes) = 0;
};

// Thread-safe; what takes long waits for its turn in Run. Create, Delete, Validate and Restore wait for other instances
// that are at such a thing: kDeadlineExceeded, and nothing was attempted.
class StoreCheckpoints {
 public:
  virtual ~StoreCheckpoints() = default;
  // Removes what was left half-written, and finishes a restore that was interrupted; waits for another instance that is
  // at one. Before the store is served; an error: it is restored in part and cannot be made whole, or not yet.
  // kCancelled as soon as `stopping` says so.
  virtual Status Recover(const std::function<bool()>& stopping) = 0;
  // From now on takes checkpoints by itself, if it is to, and finishes restores that other instances leave.
  virtual void Start() = 0;
  // Takes the last one, if it is to, when this process writes no more; waits for what is in progress. Idempotent.
  virtual void Stop() = 0;

  // Does `task` on a thread of its own, one of a store at a time. False: too many wait; it was not queued.
  virtual bool Run(std::function<void()> task) = 0;

  // The store as it is now, durable and listed when it returns. `id`: [a-z0-9-]{1,63}; empty: one is made. On any
  // error there is no trace of it. kAlreadyExists, kInvalidArgument; kResourceExhausted: the disk is full;
  // kFailedPrecondition: the last one is younger than the least interval.
  virtual Result<CheckpointInfo> Create(const std::string& id, Deadline deadline) = 0;
  // The store as it is now, kept nowhere: the snapshot is open as long as the stream is. It ends with an error behind
  // the time that a checkpoint may take.
  virtual Result<std::unique_ptr<CheckpointStream>> Export(Deadline deadline) = 0;
  // The newest last.
  virtual Result<std::vector<CheckpointInfo>> List() = 0;
  // kNotFound, also for what could be no id.
  virtual Result<CheckpointInfo> Get(const std::string& id) = 0;
  virtual Status Delete(const std::string& id, Deadline deadline) = 0;
  // Reads all of it. kCorruption.
  virtual Result<CheckpointInfo> Validate(const std::string& id, Deadline deadline) = 0;
  // Makes the store what the checkpoint holds, after having read all of that and taken a checkpoint of what there is.
  // Until that is done nothing is changed: kCorruption, kNotFound. From then on the deadline does not end it; an error
  // says so, and the next start, or a further restore, finishes it.
  virtual Result<RestoreReport> Restore(const std::string& id, Deadline deadline) = 0;
  // Restore of a checkpoint that `read` gives as far as there is some: up to `size` bytes, 0 at its end. It is kept
  // until it is restored, or could not be; an error of `read` ends it, and nothing was changed. By `deadline` it has
  // its turn; the rest takes no longer than a checkpoint may, but for what Restore says.
  using ReadCheckpoint = std::function<Result<std::size_t>(char* into, std::size_t size)>;
  virtual Result<RestoreReport> RestoreFrom(const ReadCheckpoint& read, Deadline deadline) = 0;
};

}  // namespace holdfast::storage
