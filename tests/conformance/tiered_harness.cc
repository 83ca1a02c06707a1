#include <gtest/gtest.h>

#include "service/backends/memory/memory_backend.h"
#include "service/composition/tiered_backend.h"
#include "tests/conformance/backend_under_test.h"

namespace holdfast::storage::conformance {
namespace {

// Small enough to evict all the time, large enough for the entries of a case.
constexpr std::uint64_t kCacheBytes = 256u << 10;

// A small cache in memory, or the backend of a harness, over the backend of another.
class TieredHarness : public Harness {
 public:
  TieredHarness(std::unique_ptr<Harness> record, bool shared, std::unique_ptr<Harness> cache)
      : record_(std::move(record)), shared_(shared), cache_(std::move(cache)) {
    Compose();
  }
  ~TieredHarness() override { backend_.reset(); }

  Backend& backend() override { return *backend_; }
  ManualClock& clock() override { return record_->clock(); }
  bool Reopen() override {
    backend_.reset();
    const bool reopened = record_->Reopen();
    Compose();
    return reopened;
  }

 private:
  std::shared_ptr<Backend> Cache() {
    // Its copies are still there after a Reopen, and must not count.
    if (cache_) return {std::shared_ptr<void>(), &cache_->backend()};
    MemoryOptions options;
    options.limits = record_->backend().limits();
    options.max_bytes = kCacheBytes;
    options.eviction = Eviction::kLru;
    return MakeMemoryBackend(options, clock());
  }
  void Compose() {
    composition::TieredOptions tiered;
    tiered.shared = shared_;
    tiered.stripes = 64;  // keys share stripes, so that what others do to one is met
    backend_ = std::make_unique<composition::TieredBackend>(
        Cache(), std::shared_ptr<Backend>(std::shared_ptr<void>(), &record_->backend()), tiered, clock());
    backend_->SetChangeListener(nullptr);
  }

  const std::unique_ptr<Harness> record_;
  const bool shared_;
  const std::unique_ptr<Harness> cache_;
  std::unique_ptr<composition::TieredBackend> backend_;
};

}  // namespace

BackendUnderTest TieredUnderTest(const std::string& name, const BackendUnderTest& record, bool shared) {
  return {name, [make = record.make, shared](const Limits& limits) {
            return std::make_unique<TieredHarness>(make(limits), shared, nullptr);
          }};
}

BackendUnderTest TieredOverUnderTest(const std::string& name, const BackendUnderTest& cache,
                                     const BackendUnderTest& record, bool shared) {
  return {name, [make = record.make, make_cache = cache.make, shared](const Limits& limits) {
            // What a copy has beside its value must fit.
            Limits of_copies = limits;
            of_copies.max_key_bytes = 2 * limits.max_key_bytes;
            of_copies.max_value_bytes += limits.max_metadata_bytes + (64u << 10);
            return std::make_unique<TieredHarness>(make(limits), shared, make_cache(of_copies));
          }};
}

}  // namespace holdfast::storage::conformance
