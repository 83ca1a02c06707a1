// Tells whether keys were written that somebody has read and means to write without having them locked meanwhile.
#pragma once

#include <algorithm>
#include <atomic>
#include <mutex>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "service/storage/key_locks.h"

namespace holdfast::storage {

// Thread-safe. Costs those who write one look at a number while nobody watches.
class WriteWatches {
 public:
  // Of the keys from `first` to `last`, which outlive it.
  class Watch {
   public:
    // From then on, for whoever had a key locked has released it; `locks` are those of everyone who writes.
    Watch(WriteWatches& watches, KeyLocks& locks, std::string_view first, std::string_view last)
        : watches_(watches), first_(first), last_(last) {
      const KeyLocks::Held held = locks.LockAll();
      std::lock_guard lock(watches_.mutex_);
      watches_.all_.push_back(this);
      watches_.count_.fetch_add(1, std::memory_order_release);
    }
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;
    ~Watch() {
      std::lock_guard lock(watches_.mutex_);
      std::erase(watches_.all_, this);
      watches_.count_.fetch_sub(1, std::memory_order_release);
    }

    // Asked by who has the keys locked.
    bool written() const { return written_.load(std::memory_order_acquire); }

   private:
    friend class WriteWatches;

    WriteWatches& watches_;
    const std::string_view first_;
    const std::string_view last_;
    std::atomic<bool> written_{false};
  };

  // By who has the keys locked, before the lock of one is released.
  void Written(std::span<const std::string_view> keys) {
    if (count_.load(std::memory_order_acquire) == 0) return;
    std::lock_guard lock(mutex_);
    for (Watch* const watch : all_) {
      const bool within = std::any_of(keys.begin(), keys.end(), [watch](std::string_view key) {
        return watch->first_ <= key && key <= watch->last_;
      });
      if (within) watch->written_.store(true, std::memory_order_release);
    }
  }
  // Likewise, by who has watched them until now: the others.
  void Written(const Watch& own) {
    std::lock_guard lock(mutex_);
    for (Watch* const watch : all_) {
      const bool apart = watch == &own || watch->last_ < own.first_ || own.last_ < watch->first_;
      if (!apart) watch->written_.store(true, std::memory_order_release);
    }
  }

 private:
  std::atomic<std::size_t> count_{0};  // of all_; changed under the locks of all keys or when it falls
  std::mutex mutex_;
  std::vector<Watch*> all_;  // guarded by mutex_
};

}  // namespace holdfast::storage
