// RocksDB's statistics, cut down to the two numbers that are shown: RocksDB's own count a dozen things for every get
// and every put, which is a noticeable part of what they cost.
#pragma once

#include <rocksdb/statistics.h>

#include <array>
#include <atomic>
#include <cstdint>

namespace holdfast::storage {

// Thread-safe. Everything else that RocksDB reports is dropped.
class BlockCacheCounter : public rocksdb::Statistics {
 public:
  BlockCacheCounter() { set_stats_level(rocksdb::StatsLevel::kExceptHistogramOrTimers); }

  std::uint64_t hits() const { return getTickerCount(rocksdb::BLOCK_CACHE_HIT); }
  std::uint64_t misses() const { return getTickerCount(rocksdb::BLOCK_CACHE_MISS); }

  const char* Name() const override { return "HoldfastBlockCacheCounter"; }
  std::uint64_t getTickerCount(std::uint32_t ticker) const override;
  void histogramData(std::uint32_t type, rocksdb::HistogramData* data) const override;
  void recordTick(std::uint32_t ticker, std::uint64_t count) override;
  void setTickerCount(std::uint32_t ticker, std::uint64_t count) override;
  std::uint64_t getAndResetTickerCount(std::uint32_t ticker) override;
  void recordInHistogram(std::uint32_t /*type*/, std::uint64_t /*time*/) override {}
  bool HistEnabledForType(std::uint32_t /*type*/) const override { return false; }

 private:
  // Of some of the threads, on a cache line of its own: readers that all find their blocks would share one otherwise.
  struct alignas(64) Counts {
    std::atomic<std::uint64_t> hits{0};
    std::atomic<std::uint64_t> misses{0};
  };
  static constexpr std::size_t kParts = 16;

  std::array<Counts, kParts> counts_;
};

}  // namespace holdfast::storage
