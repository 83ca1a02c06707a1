#include "service/composition/access_frequency.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>

namespace holdfast::composition {
namespace {

constexpr int kMostHalvings = 16;  // behind so many nothing is left

// Odd, so that rows spread the same hash differently (multiply-shift hashing).
constexpr std::array<std::uint64_t, AccessFrequency::kRows> kMultipliers{0x9e3779b97f4a7c15, 0xc2b2ae3d27d4eb4f,
                                                                         0x165667b19e3779f9, 0xd6e8feb86659fd93};
constexpr unsigned kColumnBits = 14;
static_assert(AccessFrequency::kColumns == std::size_t{1} << kColumnBits);

std::uint64_t HashOf(std::string_view key) {
  return std::hash<std::string_view>{}(key);
}

}  // namespace

AccessFrequency::AccessFrequency(std::chrono::microseconds window, const Clock& clock)
    : window_(window),
      clock_(clock),
      counters_(std::make_unique<std::atomic<std::uint16_t>[]>(kRows * kColumns)),
      window_end_(clock.Monotonic() + window) {}

std::atomic<std::uint16_t>& AccessFrequency::At(std::size_t row, std::uint64_t hash) const {
  return counters_[row * kColumns + ((hash * kMultipliers[row]) >> (64 - kColumnBits))];
}

void AccessFrequency::Age() {
  MonotonicTime end = window_end_.load(std::memory_order_relaxed);
  const MonotonicTime now = clock_.Monotonic();
  if (now < end) return;
  const auto windows = 1 + (now - end) / window_;
  // One of those who come at the same time does it.
  if (!window_end_.compare_exchange_strong(end, end + windows * window_, std::memory_order_relaxed)) return;
  const int halvings = static_cast<int>(std::min<std::int64_t>(windows, kMostHalvings));
  for (std::size_t i = 0; i < kRows * kColumns; ++i) {
    const std::uint16_t count = counters_[i].load(std::memory_order_relaxed);
    if (count != 0) counters_[i].store(static_cast<std::uint16_t>(count >> halvings), std::memory_order_relaxed);
  }
}

void AccessFrequency::Note(std::string_view key) {
  Age();
  const std::uint64_t hash = HashOf(key);
  std::uint16_t least = kMost;
  for (std::size_t row = 0; row < kRows; ++row) least = std::min(least, At(row, hash).load(std::memory_order_relaxed));
  if (least == kMost) return;
  for (std::size_t row = 0; row < kRows; ++row) {
    std::uint16_t count = least;
    At(row, hash).compare_exchange_strong(count, static_cast<std::uint16_t>(least + 1), std::memory_order_relaxed);
  }
}

std::uint32_t AccessFrequency::Estimate(std::string_view key) {
  Age();
  const std::uint64_t hash = HashOf(key);
  std::uint16_t least = kMost;
  for (std::size_t row = 0; row < kRows; ++row) least = std::min(least, At(row, hash).load(std::memory_order_relaxed));
  return least;
}

std::chrono::microseconds AdaptiveTtl(std::uint32_t accesses, std::chrono::microseconds floor,
                                      std::chrono::microseconds ceiling) {
  const double share = std::min(1.0, std::log2(1.0 + accesses) / std::log2(1.0 + kHotAccesses));
  const auto more = static_cast<double>((ceiling - floor).count()) * share;
  return floor + std::chrono::microseconds{static_cast<std::int64_t>(more)};
}

}  // namespace holdfast::composition
