#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "service/backends/memory/memory_backend.h"
#include "service/backends/rocksdb/rocksdb_backend.h"
#include "tests/conformance/backend_under_test.h"

namespace holdfast::storage::conformance {
namespace {

class MemoryHarness : public Harness {
 public:
  // By a clock of its own, or by one that outlives it.
  explicit MemoryHarness(const Limits& limits, ManualClock* clock = nullptr,
                         const compression::Options& compression = {})
      : clock_(clock ? *clock : own_clock_) {
    MemoryOptions options;
    options.limits = limits;
    options.compression = compression;
    backend_ = MakeMemoryBackend(options, clock_);
  }
  Backend& backend() override { return *backend_; }
  ManualClock& clock() override { return clock_; }
  bool Reopen() override { return false; }

 private:
  ManualClock own_clock_;
  ManualClock& clock_;
  std::unique_ptr<Backend> backend_;
};

// An entry cache that evicts all the time.
constexpr std::uint64_t kFewEntries = 16u << 10;

class RocksDbHarness : public Harness {
 public:
  RocksDbHarness(const Limits& limits, Durability durability, std::uint64_t entry_cache_size,
                 ManualClock* clock = nullptr)
      : clock_(clock ? *clock : own_clock_) {
    std::string pattern = (std::filesystem::temp_directory_path() / "holdfast-conformance-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) std::abort();
    options_.path = pattern;
    options_.limits = limits;
    options_.durability = durability;
    options_.cache_size = 8u << 20;
    options_.entry_cache_size = entry_cache_size;
    // Small, so that a test of some thousand operations flushes and compacts.
    options_.write_buffer_size = 256u << 10;
    Open();
  }
  ~RocksDbHarness() override {
    backend_.reset();
    std::filesystem::remove_all(options_.path);
  }
  Backend& backend() override { return *backend_; }
  ManualClock& clock() override { return clock_; }
  bool Reopen() override {
    backend_.reset();
    Open();
    return true;
  }

 private:
  void Open() {
    Result<std::unique_ptr<Backend>> backend = OpenRocksDbBackend(options_, clock_);
    if (!backend.ok()) {
      ADD_FAILURE() << backend.error().ToString();
      std::abort();
    }
    backend_ = std::move(*backend);
  }

  ManualClock own_clock_;
  ManualClock& clock_;
  RocksDbOptions options_;
  std::unique_ptr<Backend> backend_;
};

}  // namespace

BackendUnderTest MemoryUnderTest() {
  return {"memory", [](const Limits& limits) { return std::make_unique<MemoryHarness>(limits); }};
}

BackendUnderTest CompressedMemoryUnderTest() {
  return {
      "memory_compressed", [](const Limits& limits) {
        return std::make_unique<MemoryHarness>(limits, nullptr, compression::Options{compression::Codec::kLz4, 0, 1});
      }};
}

BackendUnderTest RocksDbUnderTest() {
  return {"rocksdb", [](const Limits& limits) {
            return std::make_unique<RocksDbHarness>(limits, Durability::kSync, RocksDbOptions().entry_cache_size);
          }};
}

BackendUnderTest UncachedRocksDbUnderTest() {
  return {"rocksdb_uncached",
          [](const Limits& limits) { return std::make_unique<RocksDbHarness>(limits, Durability::kOs, 0); }};
}

BackendUnderTest RelaxedRocksDbUnderTest() {
  return {"rocksdb",
          [](const Limits& limits) { return std::make_unique<RocksDbHarness>(limits, Durability::kOs, kFewEntries); }};
}

std::unique_ptr<Harness> MemoryOnClock(const Limits& limits, ManualClock& clock) {
  return std::make_unique<MemoryHarness>(limits, &clock);
}

std::unique_ptr<Harness> RocksDbOnClock(const Limits& limits, ManualClock& clock) {
  return std::make_unique<RocksDbHarness>(limits, Durability::kSync, kFewEntries, &clock);
}

}  // namespace holdfast::storage::conformance
