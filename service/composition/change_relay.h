// Tells the listener of a replicated store what its leading replica did, once enough replicas have it: a change that is
// told is never taken back by the loss of a replica.
//
// When another replica leads, what the two told may overlap or leave a gap where entries expired: the listener is told
// that it missed something.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "service/storage/change_listener.h"

namespace holdfast::composition {

// Thread-safe. Shared with the replicas' backends, which may outlive the store.
class ChangeRelay : public std::enable_shared_from_this<ChangeRelay> {
 public:
  explicit ChangeRelay(std::size_t replicas) : begun_(replicas, 0) {}

  // Before the first change.
  void SetListener(std::shared_ptr<storage::ChangeListener> listener);
  // Has to hear of every change of the replica's backend.
  std::shared_ptr<storage::ChangeListener> ListenerOf(std::size_t replica);

  // What the replica tells from now on is of batches up to `sequence`.
  void Begin(std::size_t replica, std::uint64_t sequence);
  // `replica` leads from now on, and has the batches up to `applied`.
  void Lead(std::size_t replica, std::uint64_t applied);
  // Batches up to `committed` are never taken back.
  void Release(std::uint64_t committed);

 private:
  class Listener;
  struct Change {
    std::uint64_t sequence = 0;
    std::string key;
    storage::EntryPtr before;
    storage::EntryPtr after;
    storage::ChangeCause cause{};
  };

  void Add(std::size_t replica, Change change);
  void TellCommitted();  // with mutex_ held

  std::mutex mutex_;
  std::shared_ptr<storage::ChangeListener> listener_;  // guarded by mutex_, as what follows
  std::optional<std::size_t> leader_;
  std::vector<std::uint64_t> begun_;
  std::uint64_t committed_ = 0;
  std::deque<Change> waiting_;
};

}  // namespace holdfast::composition
