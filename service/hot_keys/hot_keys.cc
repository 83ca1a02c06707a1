#include "service/hot_keys/hot_keys.h"

#include <algorithm>
#include <map>
#include <random>

namespace holdfast::hot_keys {

bool HotKeys::Sampled() const {
  if (options_.sample <= 1) return true;
  // Random rather than every n-th: requests come in patterns.
  thread_local std::minstd_rand random{std::random_device{}()};
  return random() % options_.sample == 0;
}

HotKeys::Slot& HotKeys::Find(Sketch& sketch, std::string_view key) {
  std::size_t index = 0;
  if (const auto found = sketch.by_key.find(key); found != sketch.by_key.end()) {
    index = found->second;
    sketch.by_count.erase({sketch.slots[index].count, index});
  } else if (sketch.slots.size() < options_.tracked) {
    // Never beyond the capacity, so that the views of the keys stay good.
    sketch.slots.reserve(options_.tracked);
    index = sketch.slots.size();
    sketch.slots.push_back({std::string(key)});
    sketch.by_key.emplace(sketch.slots[index].key, index);
  } else {
    const auto least = sketch.by_count.begin();
    index = least->second;
    sketch.by_count.erase(least);
    Slot& slot = sketch.slots[index];
    sketch.by_key.erase(slot.key);
    slot = {std::string(key), slot.count};
    sketch.by_key.emplace(slot.key, index);
  }
  Slot& slot = sketch.slots[index];
  ++slot.count;
  sketch.by_count.emplace(slot.count, index);
  return slot;
}

void HotKeys::Count(std::string_view key, Access access) {
  const std::int64_t now = WindowNow();
  std::lock_guard lock(mutex_);
  Sketch& sketch = sketches_[static_cast<std::size_t>(now) % kWindows];
  if (sketch.number != now) {
    sketch = Sketch{};
    sketch.number = now;
  }
  Slot& slot = Find(sketch, key);
  ++(access == Access::kRead ? slot.reads : slot.writes);
}

std::vector<HotKey> HotKeys::Top(std::string_view prefix, std::size_t limit) {
  const std::int64_t now = WindowNow();
  std::map<std::string, HotKey> sums;
  {
    std::lock_guard lock(mutex_);
    for (const Sketch& sketch : sketches_) {
      if (sketch.number <= now - static_cast<std::int64_t>(kWindows) || sketch.number > now) continue;
      for (const Slot& slot : sketch.slots) {
        if (!slot.key.starts_with(prefix)) continue;
        HotKey& sum = sums[slot.key];
        sum.reads += slot.reads * options_.sample;
        sum.writes += slot.writes * options_.sample;
      }
    }
  }
  std::vector<HotKey> top;
  for (auto& [key, sum] : sums) top.push_back({key, sum.reads, sum.writes});
  std::stable_sort(top.begin(), top.end(),
                   [](const HotKey& a, const HotKey& b) { return a.reads + a.writes > b.reads + b.writes; });
  if (top.size() > limit) top.resize(limit);
  return top;
}

}  // namespace holdfast::hot_keys
