// Which keys are asked for most: counts of the last minutes in bounded memory, by sampling. The sketch is Space-Saving
// (Metwally, Agrawal, El Abbadi, "Efficient computation of frequent and top-k elements in data streams", ICDT 2005):
// every key with more than 1/tracked of a window's samples is in it.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/time/clock.h"

namespace holdfast::hot_keys {

struct HotKeysOptions {
  std::size_t tracked = 1000;  // keys of each window; 0 = nothing is counted
  std::uint32_t sample = 16;   // one request of so many is counted
};

inline constexpr std::size_t kWindows = 5;
inline constexpr std::chrono::minutes kWindow{1};

struct HotKey {
  std::string key;
  // Estimates: samples times the sampling rate, without what was counted for keys it displaced; so rather too low.
  std::uint64_t reads = 0;
  std::uint64_t writes = 0;
};

// Thread-safe.
class HotKeys {
 public:
  HotKeys(const HotKeysOptions& options, const Clock& clock) : options_(options), clock_(clock) {}

  enum class Access { kRead, kWrite };
  // Nearly free for the requests that are not sampled.
  void Record(std::string_view key, Access access) {
    if (options_.tracked != 0 && Sampled()) Count(key, access);
  }
  // Of the last kWindows windows, the running one included: the `limit` keys with this prefix that were asked for most,
  // most first.
  std::vector<HotKey> Top(std::string_view prefix, std::size_t limit);
  std::uint32_t sample() const { return options_.sample; }

 private:
  struct Slot {
    std::string key;
    std::uint64_t count = 0;  // with what it inherited from the key it displaced
    std::uint64_t reads = 0;
    std::uint64_t writes = 0;
  };
  struct Sketch {
    std::int64_t number = -1;  // of its window since the epoch; -1 = unused
    std::vector<Slot> slots;
    std::unordered_map<std::string_view, std::size_t> by_key;  // views of Slot::key
    std::set<std::pair<std::uint64_t, std::size_t>> by_count;
  };

  bool Sampled() const;
  void Count(std::string_view key, Access access);
  std::int64_t WindowNow() const { return clock_.Now().time_since_epoch() / kWindow; }
  Slot& Find(Sketch& sketch, std::string_view key);

  const HotKeysOptions options_;
  const Clock& clock_;
  std::mutex mutex_;
  std::array<Sketch, kWindows> sketches_;  // guarded by mutex_
};

}  // namespace holdfast::hot_keys
