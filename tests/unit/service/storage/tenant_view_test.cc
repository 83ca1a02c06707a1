#include "service/storage/tenant_view.h"

#include <gtest/gtest.h>

#include "service/backends/memory/memory_backend.h"

namespace holdfast::storage {
namespace {

class TenantViewsTest : public testing::Test {
 protected:
  static std::shared_ptr<Backend> Open() {
    MemoryOptions options;
    options.limits.max_key_bytes += kReservedKeyBytes;
    return MakeMemoryBackend(options);
  }
  static std::string Put(Backend& backend, const std::string& key, const std::string& value) {
    const auto result = ExecuteOne(backend, Operation::Put(key, value), Deadline::Infinite());
    return result.status.ok() ? "ok" : std::string(ErrorCodeName(result.status.error().code()));
  }
  static std::string Get(Backend& backend, const std::string& key) {
    const auto result = ExecuteOne(backend, Operation::Get(key), Deadline::Infinite());
    return result.entry ? result.entry->value : "none";
  }

  const std::shared_ptr<Backend> backend_ = Open();
  TenantViews main_{backend_, "main", Limits{}};
  TenantViews sessions_{backend_, "sessions", Limits{}};
};

TEST_F(TenantViewsTest, TenantsAndStoresSeeOnlyTheirOwn) {
  const auto a = main_.Find("team-a");
  const auto b = main_.Find("team-b");
  const auto other = sessions_.Find("team-a");
  EXPECT_EQ("ok", Put(*a->keys, "k", "1"));
  EXPECT_EQ("ok", Put(*b->keys, "k", "2"));
  EXPECT_EQ("1", Get(*a->keys, "k"));
  EXPECT_EQ("2", Get(*b->keys, "k"));
  EXPECT_EQ("none", Get(*other->keys, "k"));
  EXPECT_EQ(1u, *b->keys->DeleteRange(KeyRange::All(), Deadline::Infinite()));
  EXPECT_EQ("1", Get(*a->keys, "k"));
}

TEST_F(TenantViewsTest, ASnapshotIsConfinedToo) {
  const auto a = main_.Find("team-a");
  EXPECT_EQ("ok", Put(*a->keys, "k", "1"));
  EXPECT_EQ("ok", Put(*main_.Find("team-b")->keys, "k", "2"));
  const auto snapshot = a->keys->OpenSnapshot(KeyRange::All(), Deadline::Infinite());
  ASSERT_TRUE(snapshot.ok());
  EXPECT_EQ(a->keys->capabilities().snapshots, (*snapshot)->consistency());
  const auto entries = (*snapshot)->Next(Deadline::Infinite());
  ASSERT_TRUE(entries.ok());
  ASSERT_EQ(1u, entries->size());
  EXPECT_EQ("k", entries->front().key);
  EXPECT_EQ("1", entries->front().entry->value);
}

TEST_F(TenantViewsTest, AScanGivesKeysAsTheClientKnowsThem) {
  const auto a = main_.Find("team-a");
  for (const char* key : {"a", "b", "c"}) EXPECT_EQ("ok", Put(*a->keys, key, key));
  EXPECT_EQ("ok", Put(*a->rooms, "l-lock", "x"));
  ScanRequest request;
  request.limit = 2;
  auto page = a->keys->Scan(request, Deadline::Infinite());
  ASSERT_TRUE(page.ok());
  ASSERT_EQ(2u, page->entries.size());
  EXPECT_EQ("b", page->entries[1].key);
  EXPECT_FALSE(page->complete);
  request.after = "b";
  page = a->keys->Scan(request, Deadline::Infinite());
  ASSERT_TRUE(page.ok());
  ASSERT_EQ(1u, page->entries.size());
  EXPECT_EQ("c", page->entries[0].key);
  EXPECT_TRUE(page->complete);
}

TEST_F(TenantViewsTest, TheLimitIsTheClients) {
  const auto a = main_.Find("team-a");
  EXPECT_EQ("ok", Put(*a->keys, std::string(512, 'k'), "1"));
  EXPECT_EQ("invalid_argument", Put(*a->keys, std::string(513, 'k'), "1"));
  EXPECT_EQ("invalid_argument", Put(*a->keys, "", "1"));
}

TEST_F(TenantViewsTest, RoomsChangeInOneTransaction) {
  const auto a = main_.Find("team-a");
  Transaction transaction;
  transaction.conditions = {{"flock", Precondition::NotFenced(7)}};
  transaction.then = {Operation::Put("kkey", "1")};
  auto result = a->rooms->Transact(transaction, Deadline::Infinite());
  ASSERT_TRUE(result.ok());
  EXPECT_TRUE(result->applied);
  EXPECT_EQ("1", Get(*a->keys, "key"));
  EXPECT_EQ("ok", Put(*a->rooms, "flock", "8"));
  result = a->rooms->Transact(transaction, Deadline::Infinite());
  ASSERT_TRUE(result.ok());
  EXPECT_FALSE(result->conditions_held);
}

TEST_F(TenantViewsTest, MadeUpNamesAreNotKeptWithoutEnd) {
  for (std::size_t i = 0; i <= TenantViews::kMaxKept; ++i) main_.Find("n" + std::to_string(i));
  EXPECT_EQ(main_.Find("n0"), main_.Find("n0"));
  EXPECT_NE(main_.Find("one-more"), main_.Find("one-more"));
  EXPECT_EQ("ok", Put(*main_.Find("one-more")->keys, "k", "1"));
  EXPECT_EQ("1", Get(*main_.Find("one-more")->keys, "k"));
}

}  // namespace
}  // namespace holdfast::storage
