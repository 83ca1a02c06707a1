#include <gtest/gtest.h>

#include "service/backends/memory/memory_backend.h"
#include "service/composition/tiered_backend.h"
#include "tests/conformance/backend_under_test.h"

namespace holdfast::storage::conformance {
namespace {

// Small enough to evict all the time, large enough for the entries of a case.
constexpr std::uint64_t kCacheBytes = 256u << 10;

// A cache in memory over the backend of another harness.
class TieredHarness : public Harness {
 public:
  TieredHarness(std::unique_ptr<Harness> record, bool shared) : record_(std::move(record)), shared_(shared) {
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
  void Compose() {
    MemoryOptions options;
    options.limits = record_->backend().limits();
    options.max_bytes = kCacheBytes;
    options.eviction = Eviction::kLru;
    composition::TieredOptions tiered;
    tiered.shared = shared_;
    tiered.stripes = 64;  // keys share stripes, so that what others do to one is met
    backend_ = std::make_unique<composition::TieredBackend>(
        std::shared_ptr(MakeMemoryBackend(options, clock())),
        std::shared_ptr<Backend>(std::shared_ptr<void>(), &record_->backend()), tiered, clock());
    backend_->SetChangeListener(nullptr);
  }

  const std::unique_ptr<Harness> record_;
  const bool shared_;
  std::unique_ptr<composition::TieredBackend> backend_;
};

}  // namespace

BackendUnderTest TieredUnderTest(const std::string& name, const BackendUnderTest& record, bool shared) {
  return {name, [make = record.make, shared](const Limits& limits) {
            return std::make_unique<TieredHarness>(make(limits), shared);
          }};
}

}  // namespace holdfast::storage::conformance
