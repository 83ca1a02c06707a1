#include "service/documents/maintainer.h"

#include <gtest/gtest.h>

#include <atomic>

#include "service/backends/memory/memory_backend.h"
#include "service/documents/documents.h"
#include "service/documents/rows.h"
#include "service/storage/forwarding_backend.h"

namespace holdfast::documents {
namespace {

using storage::Operation;

const Deadline kForever = Deadline::Infinite();

// Cannot be scanned for a while.
class Unscannable final : public storage::ForwardingBackend {
 public:
  Unscannable(std::shared_ptr<storage::Backend> backend, std::string prefix)
      : ForwardingBackend(std::move(backend)), prefix_(std::move(prefix)) {}
  Result<storage::ScanPage> Scan(const storage::ScanRequest& request, Deadline deadline) override {
    if (failures > 0 && request.range.start.starts_with(prefix_)) {
      --failures;
      return Error(ErrorCode::kUnavailable, "not now");
    }
    return backend().Scan(request, deadline);
  }
  std::atomic<int> failures{0};

 private:
  const std::string prefix_;
};

class MaintainerTest : public testing::Test {
 protected:
  MaintainerTest() {
    storage::MemoryOptions options;
    options.limits = storage::BackendLimits({});
    memory_ = storage::MakeMemoryBackend(options);
  }

  std::shared_ptr<storage::TenantViews> Views(std::shared_ptr<storage::Backend> backend) {
    return std::make_shared<storage::TenantViews>(std::move(backend), "main", storage::Limits{});
  }
  std::shared_ptr<storage::Backend> Rooms(std::string_view name_space) {
    return Views(memory_)->Find(name_space)->rooms;
  }
  // Many documents and an index to be built over them.
  void MakeUnfinished(std::string_view name_space, const std::string& name) {
    const auto rooms = Rooms(name_space);
    ASSERT_TRUE(Collections(rooms, {}).Define(name, {}, kForever).ok());
    for (int i = 0; i < 2'000; ++i) {
      ASSERT_TRUE(Documents(rooms, name, {}, 64).Put(std::to_string(i), "{\"n\":1}", {}, {}, kForever).ok());
    }
    ASSERT_TRUE(Collections(rooms, {}).Define(name, {"n"}, kForever).ok());
  }
  void MakeUnreadable(std::string_view name_space, const std::string& name) {
    const auto put = ExecuteOne(*Rooms(name_space), Operation::Put(DefinitionKey(name), "no definition"), kForever);
    ASSERT_TRUE(put.status.ok());
  }
  void WaitUntilFinished(std::string_view name_space, const std::string& name) {
    const Deadline deadline = Deadline::After(std::chrono::seconds{30});
    const Collections collections(Rooms(name_space), {});
    while (collections.Get(name, kForever)->definition.Unfinished() && !deadline.Expired()) std::this_thread::yield();
    EXPECT_FALSE(collections.Get(name, kForever)->definition.Unfinished()) << name_space << " " << name;
  }

  std::shared_ptr<storage::Backend> memory_;
};

TEST_F(MaintainerTest, ACollectionThatCannotBeReadHoldsUpNoOther) {
  MakeUnreadable("a", "first");
  MakeUnfinished("a", "second");
  MakeUnfinished("b", "third");
  Maintainer maintainer(memory_, "main", Views(memory_));
  maintainer.Start();
  WaitUntilFinished("a", "second");
  WaitUntilFinished("b", "third");
}

TEST_F(MaintainerTest, ANamespaceThatCannotBeReadHidesNoOtherAndIsLookedAtAgain) {
  MakeUnfinished("a", "first");
  MakeUnfinished("b", "second");
  const auto unscannable = std::make_shared<Unscannable>(memory_, storage::KeySpace("main", "a").prefix());
  unscannable->failures = 1;
  Maintainer maintainer(unscannable, "main", Views(unscannable));
  maintainer.Start();
  WaitUntilFinished("b", "second");
  WaitUntilFinished("a", "first");
  EXPECT_EQ(unscannable->failures, 0);
}

TEST_F(MaintainerTest, WhatFailsIsTriedAgain) {
  MakeUnfinished("a", "first");
  // Every scan of the documents fails at first.
  const auto unscannable = std::make_shared<Unscannable>(memory_, storage::KeySpace("main", "a").prefix() + "d");
  unscannable->failures = 1;
  Maintainer maintainer(unscannable, "main", Views(unscannable));
  maintainer.Start();
  WaitUntilFinished("a", "first");
  EXPECT_EQ(unscannable->failures, 0);
}

TEST_F(MaintainerTest, StopsWhileSomethingWaitsToBeTriedAgain) {
  MakeUnreadable("a", "first");
  Maintainer maintainer(memory_, "main", Views(memory_));
  maintainer.Start();
  maintainer.Add("a", "first");
  maintainer.Stop();
  maintainer.Add("a", "first");
  maintainer.Start();
  maintainer.Stop();
}

}  // namespace
}  // namespace holdfast::documents
