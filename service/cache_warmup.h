// Fills the caches of stores at the start with what their settings name (warm_prefixes), in the background: one prefix
// after the other, bounded by entries, bytes, rate and time of the store. How far it is stands in the log.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include "service/settings.h"
#include "service/storage/store.h"

namespace holdfast::service {

class CacheWarmup {
 public:
  // Begins at once. `settings` and `stores` outlive it.
  CacheWarmup(const ServiceSettings& settings, const storage::StoreRegistry& stores);
  // Waits for the step in progress.
  ~CacheWarmup();
  CacheWarmup(const CacheWarmup&) = delete;
  CacheWarmup& operator=(const CacheWarmup&) = delete;

 private:
  void Run(const ServiceSettings& settings, const storage::StoreRegistry& stores);
  void Warm(const storage::Store& store, const CacheSettings& wanted);
  // False when it is to end.
  bool Pause(std::chrono::milliseconds time);

  std::mutex mutex_;
  std::condition_variable ends_;
  bool stopping_ = false;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace holdfast::service
