// One replica of a store: rows as those of a secondary copy, and the marker that says which batches they are the
// outcome of. Every write holds only if the marker is the one that was seen last, so a batch is never applied twice,
// and whoever was superseded by another process changes nothing any more.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result/result.h"
#include "base/time/deadline.h"
#include "service/composition/replica_marker.h"
#include "service/composition/secondary_copy.h"
#include "service/storage/backend.h"
#include "service/tracing/context.h"

namespace holdfast::composition {

// What all replicas do alike, together or not at all.
struct ReplicaBatch {
  std::uint64_t sequence = 0;
  storage::Version version = 0;                // of what it writes, at most
  std::vector<storage::Operation> operations;  // on rows; none: only the marker moves
  std::size_t bytes = 0;                       // of keys and values
  tracing::ContextPtr context = {};            // of who wrote it
};
using ReplicaBatchPtr = std::shared_ptr<const ReplicaBatch>;

// rows() may be used by any thread; the rest by one at a time.
class ReplicaStore {
 public:
  ReplicaStore(std::shared_ptr<storage::Backend> backend, std::string_view store)
      : copy_(std::move(backend)), marker_key_(MarkerKey(store)) {}

  const SecondaryCopy& rows() const { return copy_; }

  // As it stands there; nothing: there is none. What is written next holds only while it stands.
  Result<std::optional<ReplicaMarker>> ReadMarker(Deadline deadline);
  // The one that was read or written last.
  const std::optional<ReplicaMarker>& marker() const { return marker_; }

  Status WriteMarker(const ReplicaMarker& marker, Deadline deadline);
  // Consecutive batches and the marker behind them. After any error but kFenced (the marker is another process's) it
  // may have happened: ReadMarker tells.
  Status Apply(std::span<const ReplicaBatchPtr> batches, const ReplicaMarker& behind, Deadline deadline);
  // How many operations Apply takes at most: the marker's condition and its row are of the same transaction.
  std::size_t max_operations() const { return copy_.backend().limits().max_operations - 2; }

 private:
  const SecondaryCopy copy_;
  const std::string marker_key_;
  std::optional<ReplicaMarker> marker_;
  std::optional<std::string> stands_;  // its bytes
};

}  // namespace holdfast::composition
