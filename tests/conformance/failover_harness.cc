#include "service/composition/failover_backend.h"
#include "tests/conformance/backend_under_test.h"

namespace holdfast::storage::conformance {
namespace {

// The backend of a harness with that of another as its secondary, which goes by the clock of the first. Copied all the
// time, compared anew at every start.
class FailoverHarness : public Harness {
 public:
  FailoverHarness(std::unique_ptr<Harness> primary, std::unique_ptr<Harness> secondary)
      : primary_(std::move(primary)), secondary_(std::move(secondary)) {
    Compose();
  }
  ~FailoverHarness() override { backend_.reset(); }

  Backend& backend() override { return *backend_; }
  ManualClock& clock() override { return primary_->clock(); }
  bool Reopen() override {
    backend_.reset();
    const bool reopened = primary_->Reopen();
    Compose();
    return reopened;
  }

 private:
  static std::shared_ptr<Backend> Borrowed(Backend& backend) { return {std::shared_ptr<void>(), &backend}; }
  void Compose() {
    composition::FailoverOptions options;
    options.mode = composition::FailoverMode::kReadWrite;
    // A case may make the machine slow; nothing fails here, and nothing may switch.
    options.probe_timeout = std::chrono::seconds{10};
    options.call_timeout = std::chrono::minutes{1};
    backend_ = std::make_unique<composition::FailoverBackend>(Borrowed(primary_->backend()),
                                                              Borrowed(secondary_->backend()), options, clock());
    backend_->SetChangeListener(nullptr);
    backend_->Start();
  }

  const std::unique_ptr<Harness> primary_;
  const std::unique_ptr<Harness> secondary_;
  std::unique_ptr<composition::FailoverBackend> backend_;
};

}  // namespace

Limits OfCopies(const Limits& limits) {
  Limits wider = limits;
  wider.max_key_bytes = 2 * limits.max_key_bytes + 64;
  wider.max_value_bytes += limits.max_metadata_bytes + (64u << 10);
  wider.max_operations = Limits{}.max_operations;
  return wider;
}

BackendUnderTest FailoverUnderTest(const std::string& name, const BackendUnderTest& primary,
                                   const BackendUnderTest& secondary) {
  return {name, [make = primary.make, make_secondary = secondary.make](const Limits& limits) {
            return std::make_unique<FailoverHarness>(make(limits), make_secondary(OfCopies(limits)));
          }};
}

}  // namespace holdfast::storage::conformance
