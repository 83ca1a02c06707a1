// Writes that were acknowledged and wait for the system of record. Each is a row in a backend (the queue's), and is
// taken when that has acknowledged it: it survives what the queue's backend survives. The same rows are in memory,
// where reads find them; so what is queued is bounded, by entries and bytes.
//
// Writes of a key leave in the order in which they came, one at a time. With a delay (write back) one that has not left
// yet is replaced by the next of its key, and leaves when the delay after the first is over or somebody waits for it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time/clock.h"
#include "base/time/deadline.h"
#include "service/composition/failover_rows.h"
#include "service/storage/backend.h"
#include "service/storage/failover_status.h"

namespace holdfast::composition {

struct WriteQueueOptions {
  storage::KeyRange range;             // of the store's keys
  std::size_t max_entries = 100'000;   // writes that wait; with more, writes wait for room until their deadline
  std::size_t max_bytes = 64u << 20;   // the same for their keys and values
  std::chrono::milliseconds delay{0};  // how long a write waits for the next of its key (write back)
  std::chrono::hours conflict_ttl{24 * 30};
};

// A write in the queue. Its delays are real time, whatever the clock says.
struct QueuedWrite {
  using Moment = std::chrono::steady_clock::time_point;

  std::uint64_t number = 0;  // rises
  std::string key;
  QueuedRow row;
  Moment since{};        // when the first write it stands for came
  Moment not_before{};   // it has been tried in vain
  bool urgent = false;   // the delay is over: somebody waits
  bool leaving = false;  // it is being brought, and is replaced no more

  std::size_t bytes() const;
};

// What became of a write that left.
struct SettledWrite {
  std::uint64_t number = 0;
  bool conflict = false;       // the system of record has something else: it is kept as a conflict
  storage::Version version{};  // what it has now; 0: nothing
  std::optional<Timestamp> expires_at;
};

// Thread-safe. What leaves is asked for, and settled, by one thread.
class WriteQueue {
 public:
  // `clock` outlives it.
  WriteQueue(std::shared_ptr<storage::Backend> rows, WriteQueueOptions options, const Clock& clock)
      : rows_(std::move(rows)), options_(std::move(options)), clock_(clock) {}

  // Loads what earlier processes left. Before everything else.
  Status Open(Deadline deadline);

  // Room for so much, until it goes or Append has used it. kUnavailable when there is none until the deadline.
  class Room {
   public:
    Room(WriteQueue& queue, std::size_t entries, std::size_t bytes)
        : queue_(&queue), entries_(entries), bytes_(bytes) {}
    Room(Room&& other) noexcept
        : queue_(std::exchange(other.queue_, nullptr)), entries_(other.entries_), bytes_(other.bytes_) {}
    Room(const Room&) = delete;
    Room& operator=(const Room&) = delete;
    Room& operator=(Room&&) = delete;
    ~Room();

   private:
    WriteQueue* queue_;
    std::size_t entries_;
    std::size_t bytes_;
  };
  Result<Room> AwaitRoom(std::size_t entries, std::size_t bytes, Deadline deadline);

  struct New {
    std::string key;
    QueuedRow row;  // kPrevious: another one of the key waited when it was decided
  };
  static std::size_t BytesOf(const New& write);
  // All or none, in this order. The caller holds room for them and keeps others from appending these keys. False: what
  // one of them follows has left meanwhile, so nothing was done and the caller has to look again. An error is
  // kOutcomeUnknown where a row may be found by the next process.
  Result<bool> Append(const std::vector<New>& writes, Deadline deadline);

  // The state that the newest write of the key leaves; nothing when none waits.
  struct Found {
    storage::EntryPtr entry;  // null: deleted; may have expired
  };
  std::optional<Found> Find(std::string_view key) const;
  bool empty() const { return entries_.load(std::memory_order_acquire) == 0; }

  // Until nothing waits of these keys, or of what waits in the range now. kUnavailable when the deadline passes first.
  Status AwaitDrained(std::span<const std::string_view> keys, Deadline deadline);
  Status AwaitDrained(const storage::KeyRange& range, Deadline deadline);

  // The oldest writes that may leave, each the first of its key; waits for one until then. Empty at that moment, and
  // when it was woken.
  std::vector<QueuedWrite> Next(std::size_t most_entries, std::size_t most_bytes, QueuedWrite::Moment until);
  // What became of some of them, which is in the queue's backend when this returns ok; else they stay as well.
  Status Settle(std::span<const QueuedWrite> left, std::span<const SettledWrite> settled, Deadline deadline);
  // Those that still are in the queue stay, and may leave again then.
  void Stay(std::span<const QueuedWrite> left, QueuedWrite::Moment not_before);
  // Everything may leave at once from now on, for good.
  void Hasten();
  void Wake();

  Result<storage::FailoverConflicts> Conflicts(const storage::KeyRange& keys, std::size_t most,
                                               Deadline deadline) const;

  storage::Backend& rows() const { return *rows_; }
  const WriteQueueOptions& options() const { return options_; }
  std::uint64_t entries() const { return entries_.load(std::memory_order_acquire); }
  std::uint64_t bytes() const { return bytes_.load(std::memory_order_acquire); }
  std::chrono::microseconds Oldest() const;
  std::uint64_t coalesced() const { return coalesced_.load(std::memory_order_relaxed); }
  std::uint64_t conflicts() const { return conflicts_.load(std::memory_order_relaxed); }
  std::uint64_t drained() const { return drained_.load(std::memory_order_relaxed); }
  std::uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }

 private:
  using Moment = QueuedWrite::Moment;
  using Lock = std::unique_lock<std::mutex>;
  using WritePtr = std::shared_ptr<QueuedWrite>;
  using Keys = std::set<std::string, std::less<>>;
  struct Change;   // an Append under way
  struct Outcome;  // a Settle under way

  // mutex_ is held in all of these:
  bool HasRoom(std::size_t entries, std::size_t bytes) const;
  bool Followed(const std::vector<New>& writes) const;
  std::vector<Change> Arrange(const std::vector<New>& writes);
  void Insert(WritePtr write);
  void Replace(QueuedWrite& write, const QueuedWrite& by);
  void Remove(const QueuedWrite& write);
  bool MayLeave(const QueuedWrite& write, Moment now) const;
  bool Waits(const storage::KeyRange& range, std::uint64_t up_to) const;
  Outcome Conclude(std::span<const QueuedWrite> left, std::span<const SettledWrite> settled);

  Status WaitUntilDrained(Lock& lock, const std::function<bool()>& waits, const Deadline& deadline);
  Status Load(const storage::ScanPage& page);

  const std::shared_ptr<storage::Backend> rows_;
  const WriteQueueOptions options_;
  const Clock& clock_;
  std::atomic<std::uint64_t> entries_{0};
  std::atomic<std::uint64_t> bytes_{0};
  std::atomic<std::uint64_t> coalesced_{0};
  std::atomic<std::uint64_t> conflicts_{0};
  std::atomic<std::uint64_t> drained_{0};
  std::atomic<std::uint64_t> refused_{0};

  mutable std::mutex mutex_;
  std::condition_variable changed_;  // something left, or there is room
  std::condition_variable due_;      // something may leave
  // Guarded by mutex_:
  std::map<std::string, std::deque<WritePtr>, std::less<>> by_key_;
  std::map<std::uint64_t, WritePtr> first_;  // of each key, by number
  std::uint64_t last_number_ = 0;
  std::size_t promised_entries_ = 0;  // room that was given and is not given back
  std::size_t promised_bytes_ = 0;
  // Rows of these are being written, so that what they follow may not be settled meanwhile, and the other way round.
  Keys appending_;
  Keys settling_;
  bool hastened_ = false;
  bool stopping_ = false;
  bool woken_ = false;
};

}  // namespace holdfast::composition
