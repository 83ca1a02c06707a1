// A store with a cache in front: any backend over any other. Gets are answered from copies where those cannot be wrong,
// else by the system of record, which leaves a copy (cache-aside); many who miss one key read once (flights.h). Writes
// go through to the system of record before they are acknowledged, and so do transactions, compare-and-swap, locks,
// scans and counts; a write leaves a copy of what it wrote, where the cache is no trip over a network.
//
// Versions, durability, atomicity and limits are those of the system of record. The cache may be slow, fail, be flushed
// or be killed at any time: copies are judged by what this process knows (stamps.h), and a cache that does not answer
// within its timeout has none. What is not there is remembered as well, for a shorter time. Which copies give way when
// the cache is full is the cache backend's to decide (its `eviction`).
//
// This process must be the only one that writes to the system of record: it hears of every change before the change is
// acknowledged, and so answers from copies are as strong as its own.
#pragma once

#include <atomic>
#include <memory>

#include "base/time/clock.h"
#include "service/composition/copies.h"
#include "service/composition/stamps.h"
#include "service/composition/tiered_reader.h"
#include "service/storage/change_listener.h"
#include "service/storage/forwarding_backend.h"

namespace holdfast::composition {

struct TieredOptions {
  CopyOptions copies;
  // A change of one key makes the copies of one in so many others useless; eight bytes each. A power of two.
  std::size_t stripes = std::size_t{1} << 17;
};

class TieredBackend final : public storage::ForwardingBackend {
 public:
  // `clock` is the one that the system of record goes by, and outlives the backend.
  TieredBackend(std::shared_ptr<storage::Backend> cache, std::shared_ptr<storage::Backend> record,
                const TieredOptions& options, const Clock& clock = SystemClock());

  std::string_view kind() const override { return "tiered"; }
  storage::Capabilities capabilities() const override;
  void Execute(std::span<const storage::Operation> operations, std::span<storage::OperationResult> results,
               Deadline deadline) override;
  Result<storage::TransactionResult> Transact(const storage::Transaction& transaction, Deadline deadline) override;
  Result<std::uint64_t> DeleteRange(const storage::KeyRange& range, Deadline deadline) override;
  // Hits and misses are those of the copies.
  storage::Statistics statistics() const override;
  // Has the system of record tell the copies first. Without a listener as well this is to be called once, unless
  // listener() is told.
  void SetChangeListener(std::shared_ptr<storage::ChangeListener> listener) override;
  // Closes the cache as well.
  Status Close() override;

  // Has to hear of every change of the system of record, and before others do. For who gives that a listener itself.
  std::shared_ptr<storage::ChangeListener> listener() const { return listener_; }
  TieredStatistics tiered_statistics() const { return reader_.statistics(); }
  // Of the copies, those that no longer count included.
  storage::Statistics cache_statistics() const { return copies_.cache().statistics(); }

 private:
  class Write;
  class Invalidator;

  const Copies copies_;
  const bool keeps_writes_;
  const std::shared_ptr<Stamps> stamps_;  // shared with the listener, which the system of record may keep for longer
  const std::shared_ptr<storage::ChangeListener> listener_;
  TieredReader reader_;
  std::atomic<bool> closed_{false};
};

}  // namespace holdfast::composition
