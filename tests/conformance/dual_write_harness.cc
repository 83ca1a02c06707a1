#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "service/backends/postgres/postgres_backend.h"
#include "service/backends/rocksdb/rocksdb_backend.h"
#include "service/dual_write/dual_write_backend.h"
#include "service/dual_write/membership.h"
#include "service/dual_write/rows.h"
#include "tests/conformance/backend_under_test.h"
#include "tests/postgres/entry_schema.h"

namespace holdfast::storage::conformance {
namespace {

using dual_write::Action;
using dual_write::Phase;
using std::chrono::seconds;

constexpr const char* kStore = "moving";
constexpr seconds kPatience{60};

void MustBeOk(const Status& status) {
  if (status.ok()) return;
  ADD_FAILURE() << status.error().ToString();
  std::abort();
}

// Where the store moves to; by the clock of the source.
class Target {
 public:
  virtual ~Target() = default;
  virtual std::shared_ptr<Backend> Open() = 0;
};

class RocksDbTarget final : public Target {
 public:
  RocksDbTarget(const Limits& limits, ManualClock& clock) : clock_(clock) {
    std::string pattern = (std::filesystem::temp_directory_path() / "holdfast-conformance-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) std::abort();
    options_.path = pattern;
    options_.limits = limits;
    options_.durability = Durability::kOs;
  }
  ~RocksDbTarget() override { std::filesystem::remove_all(options_.path); }
  std::shared_ptr<Backend> Open() override {
    auto opened = OpenRocksDbBackend(options_, clock_);
    if (!opened.ok()) MustBeOk(opened.error());
    return std::move(*opened);
  }

 private:
  ManualClock& clock_;
  RocksDbOptions options_;
};

class PostgresTarget final : public Target {
 public:
  PostgresTarget(const Limits& limits, ManualClock& clock)
      : clock_(clock), database_(postgres_servers::MigratedDatabase()) {
    options_.url = database_.Url();
    options_.limits = limits;
  }
  std::shared_ptr<Backend> Open() override {
    auto opened = OpenPostgresBackend(options_, &clock_);
    if (!opened.ok()) MustBeOk(opened.error());
    return std::move(*opened);
  }

 private:
  ManualClock& clock_;
  postgres_servers::FreshDatabase database_;
  PostgresOptions options_;
};

using MakeTarget = std::function<std::unique_ptr<Target>(const Limits& limits, ManualClock& clock)>;

class DualWriteHarness final : public Harness {
 public:
  DualWriteHarness(std::unique_ptr<Harness> source, const MakeTarget& make_target, const Limits& limits,
                   std::string phase)
      : source_(std::move(source)),
        target_(make_target(dual_write::WithRoomForRows(limits), source_->clock())),
        limits_(limits),
        phase_(std::move(phase)) {
    Compose();
    Reach();
  }
  ~DualWriteHarness() override { backend_.reset(); }

  Backend& backend() override { return *backend_; }
  ManualClock& clock() override { return source_->clock(); }
  bool Reopen() override {
    backend_.reset();
    const bool reopened = source_->Reopen();
    Compose();
    return reopened || phase_ == "cut_over";
  }

 private:
  void Compose() {
    dual_write::DualWriteOptions options;
    options.store = kStore;
    options.limits = limits_;
    // The phases that end by themselves stay, since nobody copies, compares or removes.
    if (phase_ == "dual_write" || phase_ == "verifying" || phase_ == "aborting") options.mover.batch = 0;
    backend_ = std::make_unique<dual_write::DualWriteBackend>(
        std::shared_ptr<Backend>(std::shared_ptr<void>(), &source_->backend()), target_->Open(), options);
    backend_->SetChangeListener(nullptr);
    MustBeOk(backend_->Start(Deadline::After(kPatience)));
  }
  void Do(Action action) { MustBeOk(backend_->Act(action, Deadline::After(kPatience))); }
  void Await(Phase phase) const {
    const Deadline patience = Deadline::After(kPatience);
    while (backend_->phase() != phase) {
      if (patience.Expired()) MustBeOk(Error(ErrorCode::kDeadlineExceeded, "it has not come to the phase " + phase_));
      std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
  }
  // As by another instance that has copied everything, and is gone before it has compared anything. The next start
  // finds it at once.
  void BeginVerifying() {
    backend_.reset();
    const dual_write::Rows rows(kStore);
    dual_write::Membership other(
        source_->backend(), rows, {}, [](const auto& /*pending*/, Deadline /*deadline*/) { return Status(); },
        [](const auto& /*row*/) {});
    const auto row = other.Read(Deadline::After(kPatience));
    if (!row.ok()) MustBeOk(row.error());
    MustBeOk(other.Begin(*row, Phase::kVerifying, row->id, Deadline::After(kPatience)));
    Compose();
    Await(Phase::kVerifying);
  }
  void Reach() {
    if (phase_ == "idle") return;
    Do(Action::kStart);
    if (phase_ == "dual_write") return;
    if (phase_ == "verifying") return BeginVerifying();
    if (phase_ == "aborting") return Do(Action::kAbort);
    Await(Phase::kVerified);
    if (phase_ == "verified") return;
    Do(Action::kSwitchReads);
    if (phase_ == "cut_over") Do(Action::kCutOver);
  }

  const std::unique_ptr<Harness> source_;
  const std::unique_ptr<Target> target_;
  const Limits limits_;
  const std::string phase_;
  std::unique_ptr<dual_write::DualWriteBackend> backend_;
};

BackendUnderTest Moving(const std::string& name, const BackendUnderTest& source, MakeTarget target,
                        const std::string& phase) {
  return {name + "_" + phase, [make = source.make, target = std::move(target), phase](const Limits& limits) {
            return std::make_unique<DualWriteHarness>(make(dual_write::WithRoomForRows(limits)), target, limits, phase);
          }};
}

}  // namespace

BackendUnderTest MemoryToRocksDbUnderTest(const std::string& phase) {
  return Moving(
      "dualwrite_memory_rocksdb", MemoryUnderTest(),
      [](const Limits& limits, ManualClock& clock) { return std::make_unique<RocksDbTarget>(limits, clock); }, phase);
}

BackendUnderTest RocksDbToPostgresUnderTest(const std::string& phase) {
  return Moving(
      "dualwrite_rocksdb_postgres", RelaxedRocksDbUnderTest(),
      [](const Limits& limits, ManualClock& clock) { return std::make_unique<PostgresTarget>(limits, clock); }, phase);
}

}  // namespace holdfast::storage::conformance
