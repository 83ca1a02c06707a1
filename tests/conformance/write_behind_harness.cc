#include "service/composition/write_behind_backend.h"
#include "tests/conformance/backend_under_test.h"

namespace holdfast::storage::conformance {
namespace {

// The store of a harness with a queue of writes in front, in the backend of another. What is queued when it is opened
// again has yet to be brought.
class WriteBehindHarness : public Harness {
 public:
  WriteBehindHarness(std::unique_ptr<Harness> record, std::unique_ptr<Harness> queue, std::chrono::milliseconds delay)
      : record_(std::move(record)), queue_(std::move(queue)), delay_(delay) {
    Compose();
  }
  ~WriteBehindHarness() override { backend_.reset(); }

  Backend& backend() override { return *backend_; }
  ManualClock& clock() override { return record_->clock(); }
  bool Reopen() override {
    backend_.reset();
    const bool kept = queue_->Reopen();
    const bool reopened = record_->Reopen();
    Compose();
    return kept && reopened;
  }

 private:
  static std::shared_ptr<Backend> Borrowed(Backend& backend) { return {std::shared_ptr<void>(), &backend}; }
  void Compose() {
    composition::WriteBehindOptions options;
    options.queue.delay = delay_;
    backend_ = std::make_unique<composition::WriteBehindBackend>(Borrowed(record_->backend()),
                                                                 Borrowed(queue_->backend()), options, clock());
    const Status started = backend_->Start(Deadline::Infinite());
    if (!started.ok()) std::abort();
  }

  const std::unique_ptr<Harness> record_;
  const std::unique_ptr<Harness> queue_;
  const std::chrono::milliseconds delay_;
  std::unique_ptr<composition::WriteBehindBackend> backend_;
};

}  // namespace

BackendUnderTest WriteBehindUnderTest(const std::string& name, const BackendUnderTest& record,
                                      const BackendUnderTest& queue, std::chrono::milliseconds delay) {
  return {name, [make = record.make, make_queue = queue.make, delay](const Limits& limits) {
            return std::make_unique<WriteBehindHarness>(make(limits), make_queue(OfCopies(limits)), delay);
          }};
}

}  // namespace holdfast::storage::conformance
