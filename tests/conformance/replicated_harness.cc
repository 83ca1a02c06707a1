#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "service/composition/replicated_backend.h"
#include "tests/conformance/backend_under_test.h"
#include "tests/unit/service/composition/removable_backend.h"

namespace holdfast::storage::conformance {
namespace {

constexpr std::size_t kReplicas = 3;

// Three harnesses as the replicas of a store, one of which may be gone from the beginning on.
class ReplicatedHarness : public Harness {
 public:
  // `limits`: those of the store.
  ReplicatedHarness(ReplicaMaker* make, const Limits& limits, std::optional<std::size_t> gone)
      : limits_(limits), gone_(gone) {
    for (std::size_t i = 0; i < kReplicas; ++i) replicas_.push_back(make(OfReplicas(limits), clock_));
    Compose();
    if (!gone_) return;
    // A store that is new has begun with all of them.
    switches_[*gone_]->Set(composition::RemovableBackend::State::kGone);
    Await([this] { return backend_->CheckHealth(Deadline::Infinite()).ok() && Away() == 1; });
  }
  ~ReplicatedHarness() override { backend_.reset(); }

  Backend& backend() override { return *backend_; }
  ManualClock& clock() override { return clock_; }
  bool Reopen() override {
    backend_.reset();
    switches_.clear();
    bool reopened = true;
    for (const auto& replica : replicas_) reopened = replica->Reopen() && reopened;
    Compose();
    return reopened;
  }

 private:
  // What a row has beside a value is not the clients' to fill.
  static Limits OfReplicas(const Limits& limits) {
    Limits wider = limits;
    wider.max_key_bytes = 2 * limits.max_key_bytes + 64;
    wider.max_value_bytes += limits.max_metadata_bytes + (64u << 10);
    wider.max_operations = 2 * Limits{}.max_operations;
    wider.max_scan_bytes = Limits{}.max_scan_bytes;
    return wider;
  }
  std::size_t Away() const {
    std::size_t away = 0;
    for (const ReplicaStatus& replica : backend_->status().replicas) away += replica.standing == "up" ? 0 : 1;
    return away;
  }
  bool NothingWaits() const {
    const ReplicationStatus status = backend_->status();
    return std::all_of(status.replicas.begin(), status.replicas.end(), [](const ReplicaStatus& replica) {
      return replica.standing != "up" || replica.waiting_batches == 0;
    });
  }
  static void Await(const std::function<bool()>& condition) {
    const Deadline patience = Deadline::After(std::chrono::seconds{60});
    while (!condition()) {
      if (patience.Expired()) {
        ADD_FAILURE() << "the replicas are not as they should be";
        return;
      }
      std::this_thread::yield();
    }
  }
  void Compose() {
    composition::ReplicaOptions options;
    options.store = "s";
    // A case may make the machine slow; nothing hangs here.
    options.call_timeout = std::chrono::minutes{1};
    std::vector<composition::NamedReplica> replicas;
    for (std::size_t i = 0; i < kReplicas; ++i) {
      switches_.push_back(std::make_shared<composition::RemovableBackend>(
          std::shared_ptr<Backend>(std::shared_ptr<void>(), &replicas_[i]->backend())));
      replicas.push_back({"replica" + std::to_string(i), switches_.back()});
    }
    if (gone_ && backend_was_) switches_[*gone_]->Set(composition::RemovableBackend::State::kGone);
    backend_was_ = true;
    backend_ = std::make_unique<composition::ReplicatedBackend>(std::move(replicas), options, limits_, clock_);
    backend_->SetChangeListener(nullptr);
    backend_->Start();
    // A case may name its listener only before anything is written, and a term begins with a write.
    Await([this] { return backend_->CheckHealth(Deadline::Infinite()).ok() && NothingWaits(); });
  }

  ManualClock clock_;
  std::vector<std::unique_ptr<Harness>> replicas_;
  const Limits limits_;
  const std::optional<std::size_t> gone_;
  bool backend_was_ = false;
  std::vector<std::shared_ptr<composition::RemovableBackend>> switches_;
  std::unique_ptr<composition::ReplicatedBackend> backend_;
};

}  // namespace

BackendUnderTest ReplicatedUnderTest(const std::string& name, ReplicaMaker* replica, std::optional<std::size_t> gone) {
  return {name,
          [replica, gone](const Limits& limits) { return std::make_unique<ReplicatedHarness>(replica, limits, gone); }};
}

}  // namespace holdfast::storage::conformance
