// The snapshots of a database that are in use. RocksDB does not close before they are released, so whoever holds one
// finds it gone when the backend closes. Thread-safe.
#pragma once

#include <rocksdb/db.h>

#include <mutex>
#include <set>

namespace holdfast::storage {

class OpenSnapshots {
 public:
  const rocksdb::Snapshot* Take(rocksdb::DB& db) {
    const rocksdb::Snapshot* const taken = db.GetSnapshot();
    std::lock_guard lock(mutex_);
    open_.insert(taken);
    return taken;
  }
  void Release(rocksdb::DB& db, const rocksdb::Snapshot* snapshot) {
    std::lock_guard lock(mutex_);
    if (open_.erase(snapshot) != 0) db.ReleaseSnapshot(snapshot);
  }
  // Before `db` closes, when nobody reads any more.
  void ReleaseAll(rocksdb::DB& db) {
    std::lock_guard lock(mutex_);
    for (const rocksdb::Snapshot* snapshot : open_) db.ReleaseSnapshot(snapshot);
    open_.clear();
  }

 private:
  std::mutex mutex_;
  std::set<const rocksdb::Snapshot*> open_;  // guarded by mutex_
};

}  // namespace holdfast::storage
