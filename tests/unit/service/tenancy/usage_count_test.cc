// Counting while the backend is written to.
#include "service/tenancy/usage_count.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <random>
#include <thread>
#include <utility>

#include "service/backends/rocksdb/rocksdb_backend.h"
#include "service/storage/forwarding_backend.h"
#include "tests/unit/service/tenancy/quota_harness.h"

namespace holdfast::tenancy {
namespace {

using std::chrono::seconds;
using storage::Expiry;
using storage::Operation;

const Deadline kForever = Deadline::Infinite();
constexpr std::size_t kPage = 10;

std::shared_ptr<storage::Backend> SmallPages(const Clock& clock) {
  storage::MemoryOptions options;
  options.limits.max_scan_entries = kPage;
  return storage::MakeMemoryBackend(options, clock);
}

std::string Numbered(int i) {
  return KeyIn("a", std::to_string(1000 + i));
}

// Does something once each page has been read, and before the count hears of the page.
class BehindPages final : public storage::ForwardingBackend {
 public:
  using ForwardingBackend::ForwardingBackend;
  Result<storage::ScanPage> Scan(const storage::ScanRequest& request, Deadline deadline) override {
    if (failures > 0) {
      --failures;
      return Error(ErrorCode::kUnavailable, "not now");
    }
    auto page = backend().Scan(request, deadline);
    if (after_page) after_page(pages++);
    return page;
  }
  bool AwaitListener() override {
    if (await) await();
    return true;
  }
  std::function<void(int page)> after_page;
  std::function<void()> await;
  int pages = 0;
  std::atomic<int> failures{0};
};

class UsageCountTest : public testing::Test {
 protected:
  UsageCountTest() : harness_(SmallPages(clock_), clock_) {
    for (int i = 0; i < 45; ++i) Do(Operation::Put(Numbered(i), std::string(static_cast<std::size_t>(i), 'x')));
  }
  void Do(const Operation& operation) { ASSERT_TRUE(harness_.Do(operation).status.ok()); }
  void ExpectEven() { EXPECT_EQ(harness_.Usage("a"), harness_.Recounted("a")); }

  ManualClock clock_;
  QuotaHarness harness_;
};

TEST_F(UsageCountTest, NothingIsCountedBeforeAndEverythingAfterwards) {
  EXPECT_FALSE(harness_.accounts->counted());
  EXPECT_EQ(harness_.Usage("a"), Amount{});
  harness_.Count();
  EXPECT_TRUE(harness_.accounts->counted());
  EXPECT_EQ(harness_.accounts->scanned_entries(), 45u);
  EXPECT_EQ(harness_.Usage("a").keys, 45);
  ExpectEven();
}

class UsageCountBetweenPages : public UsageCountTest {
 protected:
  // The harness's backend is one that calls back.
  UsageCountBetweenPages() {
    harness_.accounts = std::make_shared<UsageAccounts>(clock_);
    watched_ = std::make_shared<BehindPages>(harness_.raw);
    harness_.raw->SetChangeListener(harness_.accounts->Follow(watched_));
    harness_.limited = MakeQuotaBackend(watched_, harness_.accounts);
  }
  std::shared_ptr<BehindPages> watched_;
};

TEST_F(UsageCountBetweenPages, ChangesOnTheWayAreCountedOnce) {
  watched_->after_page = [&](int page) {
    for (int i = 0; i < 45; i += 4) {
      Do(Operation::Put(Numbered(i), std::string(static_cast<std::size_t>(page + 50), 'y')));
      if (i % 8 == 0) Do(Operation::Delete(Numbered(i + 1)));
      if (i % 12 == 0) Do(Operation::Put(Numbered(i + 1), "again"));
      Do(Operation::Put(KeyIn("a", std::to_string(100'000 + i * 10 + page)), "new"));
      Do(Operation::Put(KeyIn("0", std::to_string(i * 10 + page)), "in front"));
    }
  };
  harness_.Count();
  EXPECT_GT(watched_->pages, 4);
  ExpectEven();
  EXPECT_EQ(harness_.Usage("0"), harness_.Recounted("0"));
  EXPECT_GT(harness_.Usage("0").keys, 0);
}

// Between a scan and the end of its page entries expire, are removed, come back and get another life.
TEST_F(UsageCountBetweenPages, ExpiryOnTheWayIsNeitherAddedNorTakenOff) {
  for (int i = 0; i < 45; ++i) {
    Do(Operation::Put(Numbered(i), "x", {}, Expiry::After(std::chrono::milliseconds{500 + 200 * i})));
  }
  watched_->after_page = [&](int page) {
    clock_.Advance(std::chrono::milliseconds{700});
    Do(Operation::Put(Numbered(page * 7 % 45), "new", {}, Expiry::After(seconds{page + 1})));
    Do(Operation::Put(Numbered(page * 11 % 45), "for ever"));
  };
  harness_.Count();
  clock_.Advance(seconds{60});
  const Deadline deadline = Deadline::After(seconds{60});
  while (harness_.Usage("a") != harness_.Recounted("a") && !deadline.Expired()) std::this_thread::yield();
  ExpectEven();
}

// Without AwaitListener it would be counted by the scan, and once more when it is told.
TEST_F(UsageCountBetweenPages, WhatIsSeenBeforeItIsToldIsCountedOnce) {
  harness_.raw->SetChangeListener(nullptr);
  harness_.accounts = std::make_shared<UsageAccounts>(clock_);
  const auto told_late = harness_.accounts->Follow(watched_);
  const auto entry = [&](const std::string& key) {
    return storage::ExecuteOne(*harness_.raw, Operation::Get(key), kForever).entry;
  };
  // Written and deleted, and nobody has been told.
  const storage::EntryPtr deleted = entry(Numbered(3));
  ASSERT_TRUE(storage::ExecuteOne(*harness_.raw, Operation::Delete(Numbered(3)), kForever).status.ok());
  ASSERT_TRUE(storage::ExecuteOne(*harness_.raw, Operation::Put(KeyIn("a", "1000-new"), "v"), kForever).status.ok());
  bool told = false;
  const auto tell = [&] {
    if (std::exchange(told, true)) return;
    told_late->OnChange(Numbered(3), deleted, nullptr, storage::ChangeCause::kOperation);
    told_late->OnChange(KeyIn("a", "1000-new"), nullptr, entry(KeyIn("a", "1000-new")),
                        storage::ChangeCause::kOperation);
  };
  watched_->await = tell;
  harness_.Count();
  tell();
  EXPECT_EQ(harness_.Usage("a").keys, 45);
  ExpectEven();
}

TEST_F(UsageCountBetweenPages, APageThatCannotBeReadIsReadAgain) {
  watched_->failures = 2;
  harness_.accounts->StartCount();
  EXPECT_TRUE(harness_.accounts->WaitUntilCounted(Deadline::After(seconds{30})));
  ExpectEven();
  harness_.accounts->StopCount();
}

TEST_F(UsageCountBetweenPages, ACountThatDoesNotEndCanBeStopped) {
  watched_->failures = 1'000'000;
  harness_.accounts->StartCount();
  EXPECT_FALSE(harness_.accounts->WaitUntilCounted(Deadline::After(std::chrono::milliseconds{1})));
  harness_.accounts->StopCount();
  EXPECT_FALSE(harness_.accounts->counted());
}

// The quota holds from the first moment: as long as nobody knows the usage, a limited namespace does not grow.
TEST_F(UsageCountTest, ALimitedNamespaceDoesNotGrowBeforeTheCount) {
  harness_.accounts->SetQuota("a", {.bytes = {}, .keys = 46, .requests_per_second = {}});
  EXPECT_EQ(harness_.CodeOf(Operation::Put(Numbered(90), "x")), ErrorCode::kUnavailable);
  EXPECT_EQ(harness_.CodeOf(Operation::Put(Numbered(1), "x")), ErrorCode::kUnavailable);
  storage::Transaction transaction;
  transaction.then = {Operation::Put(KeyIn("b", "k"), "x"), Operation::Put(Numbered(91), "x")};
  const auto refused = harness_.limited->Transact(transaction, kForever);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), ErrorCode::kUnavailable);
  Do(Operation::Get(Numbered(1)));
  Do(Operation::Delete(Numbered(1)));
  Do(Operation::Put(KeyIn("b", "k"), "x"));  // no quota
  harness_.Count();
  Do(Operation::Put(Numbered(92), "x"));
  Do(Operation::Put(Numbered(93), "x"));
  EXPECT_EQ(harness_.CodeOf(Operation::Put(Numbered(94), "x")), ErrorCode::kResourceExhausted);
  ExpectEven();
}

// Random writers and the sweeper beside a count in small pages; afterwards the accounts are what a fresh count says.
void CountBesideWriters(std::shared_ptr<storage::Backend> backend, const Clock& clock) {
  const char* const given = std::getenv("HOLDFAST_SEED");
  const unsigned seed = given != nullptr ? static_cast<unsigned>(std::strtoul(given, nullptr, 10)) : 1;
  SCOPED_TRACE("HOLDFAST_SEED=" + std::to_string(seed));
  QuotaHarness harness(std::move(backend), clock);
  for (int i = 0; i < 3000; ++i) {
    ASSERT_TRUE(harness.Do(Operation::Put(KeyIn(i % 2 == 0 ? "a" : "b", std::to_string(i)), "x")).status.ok());
  }
  constexpr unsigned kWriters = 3;
  std::atomic<bool> counted{false};
  std::vector<std::thread> writers;
  for (unsigned writer = 0; writer < kWriters; ++writer) {
    writers.emplace_back([&, writer] {
      std::mt19937 random(seed * kWriters + writer);
      for (int i = 0; i < 2000 || !counted; ++i) {
        const std::string key = KeyIn(random() % 2 == 0 ? "a" : "b", std::to_string(random() % 4000));
        switch (random() % 4) {
          case 0:
            EXPECT_TRUE(harness.Do(Operation::Delete(key)).status.ok());
            break;
          case 1:
            EXPECT_TRUE(harness
                            .Do(Operation::Put(key, std::string(random() % 50, 'x'), {},
                                               Expiry::After(std::chrono::milliseconds{1 + random() % 100})))
                            .status.ok());
            break;
          default:
            EXPECT_TRUE(harness.Do(Operation::Put(key, std::string(random() % 50, 'x'))).status.ok());
        }
      }
    });
  }
  harness.accounts->StartCount();
  EXPECT_TRUE(harness.accounts->WaitUntilCounted(Deadline::After(seconds{60})));
  counted = true;
  for (std::thread& writer : writers) writer.join();
  const auto even = [&] {
    return harness.Usage("a") == harness.Recounted("a") && harness.Usage("b") == harness.Recounted("b");
  };
  // Until the sweeper has removed what has expired.
  const Deadline deadline = Deadline::After(seconds{60});
  while (!even() && !deadline.Expired()) std::this_thread::sleep_for(std::chrono::milliseconds{5});
  EXPECT_EQ(harness.Usage("a"), harness.Recounted("a"));
  EXPECT_EQ(harness.Usage("b"), harness.Recounted("b"));
  harness.accounts->StopCount();
  EXPECT_TRUE(harness.raw->Close().ok());
}

TEST(UsageCountBesideWriters, InMemory) {
  storage::MemoryOptions options;
  options.limits.max_scan_entries = kPage;
  CountBesideWriters(storage::MakeMemoryBackend(options), SystemClock());
}

TEST(UsageCountBesideWriters, InRocksDb) {
  std::string folder = (std::filesystem::temp_directory_path() / "holdfast-count-XXXXXX").string();
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  storage::RocksDbOptions options;
  options.path = folder;
  options.durability = storage::Durability::kOs;
  options.limits.max_scan_entries = kPage;
  auto opened = storage::OpenRocksDbBackend(options);
  ASSERT_TRUE(opened.ok()) << opened.error().message();
  CountBesideWriters(std::move(opened).value(), SystemClock());
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace holdfast::tenancy
