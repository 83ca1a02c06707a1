#include "service/api/cursor_secret.h"

#include <thread>

#include "base/time/clock.h"
#include "service/backends/memory/memory_backend.h"

namespace holdfast::api {
namespace {

class CursorSecretTest : public testing::Test {
 protected:
  CursorSecretTest() {
    storage::MemoryOptions options;
    options.limits.max_key_bytes += storage::kReservedKeyBytes;
    store_.name = "main";
    store_.backend = storage::MakeMemoryBackend(options, clock_);
    store_.tenants = std::make_shared<storage::TenantViews>(store_.backend, "main", storage::Limits{});
  }

  ManualClock clock_;
  storage::Store store_;
  const ListScope scope_{"main", "default", "", "", "", "", "", false};
};

TEST_F(CursorSecretTest, MemoryOneSecretForEveryReplicaAndEveryStart) {
  std::vector<std::string> cursors(8);
  {
    std::vector<std::jthread> replicas;
    for (std::string& cursor : cursors) {
      replicas.emplace_back([&] {
        const auto signer = CursorSecret(store_).Signer(Deadline::Infinite());
        ASSERT_TRUE(signer.ok()) << signer.error().message();
        cursor = (*signer)->Encode(scope_, {ListPosition::Kind::kBehindKey, "k"});
      });
    }
  }
  CursorSecret restarted(store_);
  const auto signer = restarted.Signer(Deadline::Infinite());
  ASSERT_TRUE(signer.ok());
  for (const std::string& cursor : cursors) EXPECT_TRUE((*signer)->Decode(scope_, cursor));
}

TEST_F(CursorSecretTest, MemoryTwoInstallationsHaveTwoSecrets) {
  storage::Store other = store_;
  other.tenants = std::make_shared<storage::TenantViews>(store_.backend, "other", storage::Limits{});
  CursorSecret ours(store_);
  CursorSecret theirs(other);
  const auto cursor = (*theirs.Signer(Deadline::Infinite()))->Encode(scope_, {ListPosition::Kind::kBehindKey, "k"});
  EXPECT_FALSE((*ours.Signer(Deadline::Infinite()))->Decode(scope_, cursor));
}

TEST_F(CursorSecretTest, MemoryADamagedRowIsCorruption) {
  const auto rooms = store_.tenants->Find(storage::kSystemNamespace)->rooms;
  ASSERT_TRUE(CursorSecret(store_).Signer(Deadline::Infinite()).ok());
  const auto page = rooms->Scan({}, Deadline::Infinite());
  ASSERT_EQ(page->entries.size(), 1u);
  ASSERT_TRUE(
      ExecuteOne(*rooms, storage::Operation::Put(page->entries[0].key, "short"), Deadline::Infinite()).status.ok());
  EXPECT_EQ(CursorSecret(store_).Signer(Deadline::Infinite()).error().code(), ErrorCode::kCorruption);
}

TEST_F(CursorSecretTest, MemoryAStoreThatIsDownIsAskedAgain) {
  CursorSecret secret(store_);
  EXPECT_FALSE(secret.Signer(Deadline::After(std::chrono::nanoseconds{0})).ok());
  EXPECT_TRUE(secret.Signer(Deadline::Infinite()).ok());
}

}  // namespace
}  // namespace holdfast::api
