// How often keys were asked for lately, estimated in bounded memory: a count-min sketch with conservative update
// (Estan, Varghese, "New directions in traffic measurement and accounting", SIGCOMM 2002) whose counters are halved
// after every window, as TinyLFU ages its own (Einziger, Friedman, Manes, 2017). Estimates are never too low within a
// window, but for notes that come at the same moment, of which some may go.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "base/time/clock.h"

namespace holdfast::composition {

// Thread-safe, without locks.
class AccessFrequency {
 public:
  static constexpr std::size_t kRows = 4;
  static constexpr std::size_t kColumns = std::size_t{1} << 14;  // of two bytes each
  static constexpr std::uint16_t kMost = 0xffff;                 // where counters stop

  // `clock` outlives it.
  AccessFrequency(std::chrono::microseconds window, const Clock& clock);

  void Note(std::string_view key);
  std::uint32_t Estimate(std::string_view key);

 private:
  // Halves as often as windows have ended.
  void Age();
  std::atomic<std::uint16_t>& At(std::size_t row, std::uint64_t hash) const;

  const std::chrono::microseconds window_;
  const Clock& clock_;
  const std::unique_ptr<std::atomic<std::uint16_t>[]> counters_;
  std::atomic<MonotonicTime> window_end_;
};

// Between `floor` and `ceiling`: every doubling of the number of accesses adds as much, and kHotAccesses reach the
// ceiling. Those of a window: what is asked for now and then is looked up anew sooner than what everybody asks for.
inline constexpr std::uint32_t kHotAccesses = 1024;
std::chrono::microseconds AdaptiveTtl(std::uint32_t accesses, std::chrono::microseconds floor,
                                      std::chrono::microseconds ceiling);

}  // namespace holdfast::composition
