#include "service/api/health.h"

#include <future>

#include "service/backends/memory/memory_backend.h"
#include "service/storage/forwarding_backend.h"

namespace holdfast::api {
namespace {

// A memory backend whose health a test decides.
class FaultyHealth : public storage::ForwardingBackend {
 public:
  FaultyHealth() : ForwardingBackend(storage::MakeMemoryBackend({})) {}

  Status CheckHealth(Deadline deadline) override {
    std::unique_lock lock(mutex_);
    released_.wait(lock, [this] { return !hanging_; });
    if (!error_.empty()) return Error(ErrorCode::kUnavailable, error_);
    return ForwardingBackend::CheckHealth(deadline);
  }

  void Break(std::string error) {
    std::lock_guard lock(mutex_);
    error_ = std::move(error);
  }
  void Hang(bool hanging) {
    std::lock_guard lock(mutex_);
    hanging_ = hanging;
    released_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable released_;
  std::string error_;
  bool hanging_ = false;
};

// A check that hangs is found so by its timeout; one that does not must never take that long.
constexpr HealthOptions kFast{std::chrono::milliseconds{5}, std::chrono::seconds{1}};
constexpr std::chrono::seconds kPatience{60};

bool Becomes(const HealthMonitor& monitor, std::string_view status) {
  const Deadline deadline = Deadline::After(kPatience);
  while (monitor.Report().status() != status) {
    if (deadline.Expired()) return false;
    std::this_thread::yield();
  }
  return true;
}

TEST(HealthTest, FaultFollowsTheBackends) {
  metrics::Registry registry;
  auto a = std::make_shared<FaultyHealth>();
  auto b = std::make_shared<FaultyHealth>();
  HealthMonitor monitor({{"a", a}, {"b", b}}, kFast, registry);
  EXPECT_TRUE(monitor.WaitUntilHealthy(Deadline::After(kPatience)));
  EXPECT_EQ(monitor.Report().status(), "healthy");
  b->Break("disk full");
  EXPECT_TRUE(Becomes(monitor, "degraded"));
  EXPECT_THAT(monitor.Report().ToJson(), testing::HasSubstr("disk full"));
  a->Break("disk full as well");
  EXPECT_TRUE(Becomes(monitor, "unhealthy"));
  a->Break("");
  b->Break("");
  EXPECT_TRUE(Becomes(monitor, "healthy"));
}

TEST(HealthTest, FaultAHangingCheckIsReportedAndHidesNothing) {
  metrics::Registry registry;
  auto a = std::make_shared<FaultyHealth>();
  auto b = std::make_shared<FaultyHealth>();
  HealthMonitor monitor({{"a", a}, {"b", b}}, kFast, registry);
  EXPECT_TRUE(monitor.WaitUntilHealthy(Deadline::After(kPatience)));
  b->Hang(true);
  EXPECT_TRUE(Becomes(monitor, "degraded"));
  const HealthReport report = monitor.Report();
  EXPECT_TRUE(report.backends[0].healthy);
  EXPECT_THAT(report.backends[1].error, testing::HasSubstr("without an answer"));
  b->Hang(false);
  EXPECT_TRUE(Becomes(monitor, "healthy"));
}

TEST(HealthTest, FaultTheFirstCheckDecidesWhetherToServe) {
  metrics::Registry registry;
  auto backend = std::make_shared<FaultyHealth>();
  backend->Break("not yet");
  HealthMonitor monitor({{"a", backend}}, kFast, registry);
  EXPECT_FALSE(monitor.WaitUntilHealthy(Deadline::After(std::chrono::milliseconds{30})));
  backend->Break("");
  EXPECT_TRUE(monitor.WaitUntilHealthy(Deadline::After(kPatience)));
}

TEST(HealthTest, NothingToServeIsUnhealthy) {
  EXPECT_EQ(HealthReport{}.status(), "unhealthy");
  EXPECT_EQ(HealthReport{}.ToJson(), R"({"status":"unhealthy","backends":[]})");
}

}  // namespace
}  // namespace holdfast::api
