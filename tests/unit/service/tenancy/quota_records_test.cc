#include "service/tenancy/quota_records.h"

#include <gtest/gtest.h>

#include "tests/unit/service/tenancy/quota_harness.h"

namespace holdfast::tenancy {
namespace {

class QuotaRecordsTest : public testing::Test {
 protected:
  // A process of its own over the same backend.
  struct Process {
    explicit Process(const std::shared_ptr<storage::Backend>& backend)
        : accounts(std::make_shared<UsageAccounts>()), records(backend, "main", accounts) {
      loaded = records.Load(Deadline::Infinite());
    }
    std::shared_ptr<UsageAccounts> accounts;
    QuotaRecords records;
    Status loaded;
  };

  const std::shared_ptr<storage::Backend> backend_ = storage::MakeMemoryBackend({});
};

TEST_F(QuotaRecordsTest, QuotasOutliveTheProcess) {
  const Quota first{100, std::nullopt, std::nullopt};
  const Quota second{std::nullopt, 5, 7};
  {
    Process process(backend_);
    EXPECT_EQ(*process.records.Put("team-a", first, Deadline::Infinite()), true);
    EXPECT_EQ(*process.records.Put("team-b", first, Deadline::Infinite()), true);
    EXPECT_EQ(*process.records.Put("team-b", second, Deadline::Infinite()), false);
    EXPECT_TRUE(process.accounts->any_limited());
    EXPECT_TRUE(process.accounts->any_rate());
  }
  Process process(backend_);
  ASSERT_TRUE(process.loaded.ok());
  EXPECT_EQ(process.records.Find("team-a").quota, first);
  EXPECT_EQ(process.records.Find("team-b").quota, second);
  EXPECT_EQ(process.records.Find("team-c").quota, Quota{});

  ASSERT_TRUE(process.records.Delete("team-a", Deadline::Infinite()).ok());
  ASSERT_TRUE(process.records.Delete("team-b", Deadline::Infinite()).ok());
  ASSERT_TRUE(process.records.Delete("team-c", Deadline::Infinite()).ok());
  EXPECT_FALSE(process.accounts->any_limited());
  EXPECT_FALSE(process.accounts->any_rate());
  EXPECT_EQ(process.accounts->Find("team-c"), nullptr);
  EXPECT_EQ(Process(backend_).records.Find("team-a").quota, Quota{});
}

TEST_F(QuotaRecordsTest, ARowThatCannotBeReadStopsTheStart) {
  for (const char* row : {"", "[]", R"({"bytes":-1})", R"({"bytes":"1"})"}) {
    ASSERT_TRUE(storage::ExecuteOne(*backend_,
                                    storage::Operation::Put(KeyIn("", "namespaces/a", storage::Room::kSystem), row),
                                    Deadline::Infinite())
                    .status.ok());
    const Process process(backend_);
    ASSERT_FALSE(process.loaded.ok()) << row;
    EXPECT_EQ(process.loaded.error().code(), ErrorCode::kCorruption);
  }
}

TEST_F(QuotaRecordsTest, WhatCannotBeStoredDoesNotComeIntoForce) {
  Process process(backend_);
  ASSERT_TRUE(backend_->Close().ok());
  EXPECT_FALSE(process.records.Put("team-a", {1, 1, 1}, Deadline::Infinite()).ok());
  EXPECT_EQ(process.records.Find("team-a").quota, Quota{});
}

}  // namespace
}  // namespace holdfast::tenancy
