// Where the objects are: every kind's objects by key, one revision counter over all of them, and a bounded history of
// changes per kind for watches. Thread-safe. Nothing survives the process.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "operator/kube/object.h"
#include "operator/local/api_server/api_error.h"

namespace holdfast::local {

using StoredObject = std::shared_ptr<const Json>;  // carries its metadata.resourceVersion

struct StoreEvent {
  std::uint64_t revision = 0;
  kube::ObjectKey key;
  StoredObject before;  // nullptr: created
  StoredObject after;   // of a removed object its last state, at this event's revision
  bool removed = false;
};

struct StoreSnapshot {
  std::uint64_t revision = 0;
  std::vector<std::pair<kube::ObjectKey, StoredObject>> objects;  // by namespace, then name
};

struct StoredOfKind {
  std::string resource;
  kube::ObjectKey key;
  StoredObject object;
};

class ObjectStore {
 public:
  // How many changes of each kind a watch can look back on.
  explicit ObjectStore(std::size_t history_limit) : history_limit_(history_limit) {}

  // The other objects, as they are while a modification is being decided.
  class View {
   public:
    StoredObject Get(const std::string& resource, const kube::ObjectKey& key) const;

   private:
    friend class ObjectStore;
    explicit View(const ObjectStore& store) : store_(store) {}
    const ObjectStore& store_;
  };

  struct Change {
    enum class Action { kKeep, kPut, kRemove };
    Action action = Action::kKeep;
    Json object;  // what to store; what was there last for kRemove; what to answer for kKeep
  };
  using Decide = std::function<Answer<Change>(const View& view, const StoredObject& current)>;
  // Reads, decides and writes in one step that no other write can come between. `current` is nullptr when there is no
  // such object. Gives back the object as stored (removed, kept).
  Answer<StoredObject> Modify(const std::string& resource, const kube::ObjectKey& key, const Decide& decide);

  StoredObject Get(const std::string& resource, const kube::ObjectKey& key) const;
  // Of all namespaces when `ns` is empty.
  StoreSnapshot List(const std::string& resource, const std::string& ns) const;
  // Of all kinds, as they were together at one moment: by kind, then namespace, then name.
  std::vector<StoredOfKind> Everything() const;
  // As it was at an earlier revision; nothing when the history does not reach back so far.
  std::optional<StoreSnapshot> ListAt(const std::string& resource, const std::string& ns, std::uint64_t revision) const;

  struct Events {
    bool expired = false;        // the history begins after the revision asked for
    std::uint64_t oldest = 0;    // the oldest revision that can be asked for
    std::uint64_t revision = 0;  // the events reach up to here
    std::vector<StoreEvent> events;
  };
  Events EventsAfter(const std::string& resource, std::uint64_t revision) const;

  std::uint64_t revision() const;
  // Blocks until a write beyond `revision` or until the timeout; the current revision.
  std::uint64_t WaitBeyond(std::uint64_t revision, std::chrono::milliseconds timeout) const;

 private:
  struct Table {
    std::map<kube::ObjectKey, StoredObject> objects;
    std::deque<StoreEvent> history;
    std::uint64_t oldest = 0;
  };
  StoreSnapshot ListLocked(const Table* table, const std::string& ns) const;  // requires mutex_
  const Table* FindTable(const std::string& resource) const;                  // requires mutex_

  const std::size_t history_limit_;
  mutable std::mutex mutex_;
  mutable std::condition_variable written_;
  std::uint64_t revision_ = 1;           // guarded by mutex_
  std::map<std::string, Table> tables_;  // guarded by mutex_
};

}  // namespace holdfast::local
