#include "tests/integration/postgres/write_history.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

namespace holdfast {
namespace {

constexpr std::size_t kTroubles = 20;

void CountInto(WriteHistory::Counts& counts, Told told) {
  switch (told) {
    case Told::kAcknowledged:
      ++counts.acknowledged;
      return;
    case Told::kRefused:
      ++counts.refused;
      return;
    case Told::kUnknown:
      ++counts.unknown;
      return;
  }
}

std::uint64_t NumberOf(const WriteHistory::Entries& found, const std::string& counter) {
  const auto entry = found.find(counter);
  std::uint64_t number = 0;
  if (entry == found.end()) return number;
  std::from_chars(entry->second.data(), entry->second.data() + entry->second.size(), number);
  return number;
}

}  // namespace

void WriteHistory::Count(Told told) {
  CountInto(counts_, told);
}

void WriteHistory::RecordWrite(const Entries& entries, Told told) {
  std::lock_guard lock(mutex_);
  Count(told);
  writes_.push_back({entries, told, std::chrono::steady_clock::now()});
}

void WriteHistory::RecordIncrement(const std::string& counter, Told told) {
  std::lock_guard lock(mutex_);
  Count(told);
  Increments& increments = counters_[counter];
  CountInto(increments.counts, told);
  if (told == Told::kAcknowledged) increments.acknowledged.push_back(std::chrono::steady_clock::now());
}

void WriteHistory::RecordStrange(const std::string& what) {
  std::lock_guard lock(mutex_);
  strange_.push_back(what);
}

void WriteHistory::RecordTrouble(const std::string& what) {
  std::lock_guard lock(mutex_);
  if (troubles_.size() < kTroubles) troubles_.push_back(what);
}

std::vector<std::string> WriteHistory::troubles() const {
  std::lock_guard lock(mutex_);
  return troubles_;
}

WriteHistory::Counts WriteHistory::counts() const {
  std::lock_guard lock(mutex_);
  return counts_;
}

std::vector<std::string> WriteHistory::Complaints(const Entries& found, const std::vector<Window>& may_lose) const {
  const auto may_be_lost = [&](Time at) {
    return std::any_of(may_lose.begin(), may_lose.end(), [at](const Window& window) { return window.Contains(at); });
  };
  std::lock_guard lock(mutex_);
  std::vector<std::string> complaints = strange_;
  std::set<std::string> known;
  for (const auto& [entries, told, at] : writes_) {
    std::size_t there = 0;
    for (const auto& [key, value] : entries) {
      known.insert(key);
      const auto entry = found.find(key);
      if (entry == found.end()) continue;
      ++there;
      if (entry->second != value) complaints.push_back(fmt::format("{} has another value than was written", key));
    }
    const std::string& first = entries.begin()->first;
    if (there != 0 && there != entries.size()) complaints.push_back(fmt::format("{} was written in part", first));
    if (told == Told::kAcknowledged && there == 0 && !may_be_lost(at))
      complaints.push_back(fmt::format("{} is lost", first));
    if (told == Told::kRefused && there != 0) complaints.push_back(fmt::format("{} was refused and is there", first));
  }
  for (const auto& [counter, increments] : counters_) {
    known.insert(counter);
    const Counts& counts = increments.counts;
    const std::uint64_t number = NumberOf(found, counter);
    const auto excused = std::count_if(increments.acknowledged.begin(), increments.acknowledged.end(), may_be_lost);
    if (number + static_cast<std::uint64_t>(excused) >= counts.acknowledged &&
        number <= counts.acknowledged + counts.unknown)
      continue;
    complaints.push_back(fmt::format("{} is {}, with {} increments acknowledged and {} unknown", counter, number,
                                     counts.acknowledged, counts.unknown));
  }
  for (const auto& [key, value] : found) {
    if (known.count(key) == 0) complaints.push_back(fmt::format("{} is there, and nobody wrote it", key));
  }
  return complaints;
}

std::uint64_t WriteHistory::Lost(const Entries& found) const {
  std::lock_guard lock(mutex_);
  std::uint64_t lost = 0;
  for (const Write& write : writes_) {
    if (write.told == Told::kAcknowledged && found.count(write.entries.begin()->first) == 0) ++lost;
  }
  for (const auto& [counter, increments] : counters_) {
    const std::uint64_t number = NumberOf(found, counter);
    if (number < increments.counts.acknowledged) lost += increments.counts.acknowledged - number;
  }
  return lost;
}

}  // namespace holdfast
