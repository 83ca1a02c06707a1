#include "service/backends/rocksdb/block_cache_counter.h"

namespace holdfast::storage {
namespace {

std::size_t NumberOfThisThread() {
  static std::atomic<std::size_t> threads{0};
  static thread_local const std::size_t number = threads.fetch_add(1, std::memory_order_relaxed);
  return number;
}

}  // namespace

std::uint64_t BlockCacheCounter::getTickerCount(std::uint32_t ticker) const {
  std::uint64_t sum = 0;
  for (const Counts& counts : counts_) {
    if (ticker == rocksdb::BLOCK_CACHE_HIT) sum += counts.hits.load(std::memory_order_relaxed);
    if (ticker == rocksdb::BLOCK_CACHE_MISS) sum += counts.misses.load(std::memory_order_relaxed);
  }
  return sum;
}

void BlockCacheCounter::histogramData(std::uint32_t /*type*/, rocksdb::HistogramData* data) const {
  *data = rocksdb::HistogramData();
}

void BlockCacheCounter::recordTick(std::uint32_t ticker, std::uint64_t count) {
  if (ticker != rocksdb::BLOCK_CACHE_HIT && ticker != rocksdb::BLOCK_CACHE_MISS) return;
  Counts& counts = counts_[NumberOfThisThread() % kParts];
  (ticker == rocksdb::BLOCK_CACHE_HIT ? counts.hits : counts.misses).fetch_add(count, std::memory_order_relaxed);
}

void BlockCacheCounter::setTickerCount(std::uint32_t ticker, std::uint64_t count) {
  if (ticker != rocksdb::BLOCK_CACHE_HIT && ticker != rocksdb::BLOCK_CACHE_MISS) return;
  for (Counts& counts : counts_) {
    (ticker == rocksdb::BLOCK_CACHE_HIT ? counts.hits : counts.misses).store(0, std::memory_order_relaxed);
  }
  recordTick(ticker, count);
}

std::uint64_t BlockCacheCounter::getAndResetTickerCount(std::uint32_t ticker) {
  const std::uint64_t count = getTickerCount(ticker);
  setTickerCount(ticker, 0);
  return count;
}

}  // namespace holdfast::storage
