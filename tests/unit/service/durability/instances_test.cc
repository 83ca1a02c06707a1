// Several instances on one backend and one folder: two of them in a process are kept apart as two processes are. The
// processes are in tests/integration/service/checkpoint_instances_test.cc.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <atomic>
#include <future>
#include <latch>
#include <thread>

#include "service/storage/forwarding_backend.h"
#include "tests/unit/service/durability/store_fixture.h"

namespace holdfast::durability {
namespace {

using storage::Operation;
using testing::Contains;
using testing::HasSubstr;

// A backend with other writers, whose first write waits in the middle of a restore until it is let go, and is done then
// or refused.
class Held final : public storage::ForwardingBackend {
 public:
  using ForwardingBackend::ForwardingBackend;
  storage::Capabilities capabilities() const override {
    storage::Capabilities capabilities = backend().capabilities();
    capabilities.reserves_versions = false;
    return capabilities;
  }
  void Execute(std::span<const Operation> operations, std::span<storage::OperationResult> results,
               Deadline deadline) override {
    if (holding.exchange(false)) {
      reached.count_down();
      go.wait();
    }
    if (refusing) return storage::FailAll(results, Error(ErrorCode::kInternal, "as the test has it"));
    backend().Execute(operations, results, deadline);
  }
  std::atomic<bool> holding{false};
  std::atomic<bool> refusing{false};
  std::latch reached{1};
  std::latch go{1};
};

constexpr int kEntries = 5'000;

class InstancesTest : public StoreFixture {
 protected:
  void SetUp() override {
    PutAll("before");
    ASSERT_TRUE(first_->Create("one", Deadline::Infinite()).ok());
    before_ = Rows();
    PutAll("after");
  }
  void PutAll(const std::string& value) {
    for (int i = 0; i < kEntries; ++i) Put("k" + std::to_string(i), value);
  }
  // Stands still in the middle.
  std::future<Result<storage::RestoreReport>> BeginRestore() {
    held_->holding = true;
    auto restore = std::async(std::launch::async, [this] { return first_->Restore("one", Deadline::Infinite()); });
    held_->reached.wait();
    return restore;
  }
  Status Recover(
      Checkpoints& checkpoints, const std::function<bool()>& stopping = [] { return false; }) {
    return checkpoints.Recover(stopping);
  }
  Checkpoints Second() { return {backend_, "main", options_, clock_, registry_}; }

  const std::shared_ptr<Held> held_ = std::make_shared<Held>(backend_);
  const std::unique_ptr<Checkpoints> first_ = Open(held_);
  std::map<std::string, std::string> before_;
};

TEST_F(InstancesTest, AStartWaitsForARestoreAndGoesOnWhenItIsDone) {
  auto restore = BeginRestore();
  Checkpoints second = Second();
  auto recovered = std::async(std::launch::async, [&] { return Recover(second); });
  EXPECT_EQ(recovered.wait_for(std::chrono::milliseconds{100}), std::future_status::timeout);
  EXPECT_THAT(Files(), Contains("restoring"));
  held_->go.count_down();
  ASSERT_TRUE(restore.get().ok());
  EXPECT_TRUE(recovered.get().ok());
  EXPECT_EQ(Rows(), before_);
}

TEST_F(InstancesTest, AStartFinishesTheRestoreOfAnInstanceThatGivesUp) {
  auto restore = BeginRestore();
  Checkpoints second = Second();
  auto recovered = std::async(std::launch::async, [&] { return Recover(second); });
  held_->refusing = true;
  held_->go.count_down();
  ASSERT_FALSE(restore.get().ok());
  EXPECT_TRUE(recovered.get().ok());
  EXPECT_EQ(Rows(), before_);
  EXPECT_THAT(Files(), testing::Not(Contains("restoring")));
}

TEST_F(InstancesTest, AStartWaitsNoLongerThanItsLimitAndNotWhenItIsToStop) {
  auto restore = BeginRestore();
  options_.start_wait = std::chrono::milliseconds{1};
  Checkpoints hasty = Second();
  const Status late = Recover(hasty);
  EXPECT_EQ(late.error().code(), ErrorCode::kUnavailable);
  EXPECT_THAT(late.error().message(), HasSubstr("checkpoints.start_wait"));
  options_.start_wait = std::chrono::minutes{10};
  options_.at_shutdown = true;
  Checkpoints stopping = Second();
  EXPECT_EQ(Recover(stopping, [] { return true; }).error().code(), ErrorCode::kCancelled);
  const auto files = Files();
  stopping.Stop();
  EXPECT_EQ(Files(), files) << "half a restore was kept as the last checkpoint";
  held_->go.count_down();
  ASSERT_TRUE(restore.get().ok());
}

TEST_F(InstancesTest, WhileOneRestoresTheOthersTakeRemoveAndRestoreNothing) {
  Checkpoints second = Second();
  ASSERT_TRUE(Recover(second).ok());
  auto restore = BeginRestore();
  const Deadline soon = Deadline::After(std::chrono::milliseconds{1});
  EXPECT_EQ(second.Create("two", soon).error().code(), ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(second.Delete("one", soon).error().code(), ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(second.Restore("one", soon).error().code(), ErrorCode::kDeadlineExceeded);
  EXPECT_TRUE(second.Get("one").ok());
  held_->go.count_down();
  ASSERT_TRUE(restore.get().ok());
  EXPECT_EQ(Rows(), before_);
  EXPECT_TRUE(second.Create("two", Deadline::Infinite()).ok()) << "the control";
}

TEST_F(InstancesTest, ARunningInstanceFinishesWhatAnotherLeaves) {
  auto restore = BeginRestore();
  const auto shared = std::make_shared<Held>(backend_);
  Checkpoints second(shared, "main", options_, clock_, registry_);
  ASSERT_TRUE(Recover(second, [] { return true; }).error().code() == ErrorCode::kCancelled);
  second.Start();
  held_->refusing = true;
  held_->go.count_down();
  ASSERT_FALSE(restore.get().ok());
  for (const Deadline deadline = Deadline::After(std::chrono::seconds{20}); !deadline.Expired();) {
    if (!std::filesystem::exists(StoreFolder() / "restoring")) break;
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
  }
  EXPECT_EQ(Rows(), before_);
}

TEST_F(InstancesTest, WhereNothingCanBeLockedTheStoreIsServedUnlessItIsHalfRestored) {
  std::filesystem::remove(StoreFolder() / "lock");
  ASSERT_EQ(0, ::mkfifo((StoreFolder() / "lock").c_str(), 0600));
  Checkpoints second = Second();
  EXPECT_TRUE(Recover(second).ok());
  EXPECT_EQ(second.Create("two", Deadline::Infinite()).error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(second.Restore("one", Deadline::Infinite()).error().code(), ErrorCode::kUnavailable);
  WriteFile(StoreFolder() / "restoring", "one one\n");
  EXPECT_EQ(Recover(second).error().code(), ErrorCode::kUnavailable);
}

TEST_F(InstancesTest, AStartLeavesAloneWhatAnotherIsWriting) {
  const auto lock = StoreLock::Try(Folder::Make(StoreFolder()).value());
  ASSERT_TRUE(lock.ok() && *lock);
  WriteFile(StoreFolder() / "two.checkpoint.partial", "half");
  Checkpoints second = Second();
  ASSERT_TRUE(Recover(second).ok());
  EXPECT_THAT(Files(), Contains("two.checkpoint.partial"));
}

}  // namespace
}  // namespace holdfast::durability
