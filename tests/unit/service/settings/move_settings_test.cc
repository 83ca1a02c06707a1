// Which stores may move to another backend, and where.
#include <gmock/gmock.h>

#include "tests/unit/service/settings/loaded_settings.h"

namespace holdfast::service {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

// Of a store that moves from `from` to `to`, both postgres, and what `more` says instead or beside it.
std::string ProblemsOf(const std::vector<std::string>& more, std::optional<ServiceSettings>* result = nullptr) {
  return service::ProblemsOf(
      {"--backends.from.type=postgres", "--backends.from.url=postgresql://localhost/x", "--backends.to.type=postgres",
       "--backends.to.url=postgresql://localhost/y", "--backends.local.type=rocksdb", "--backends.other.type=rocksdb",
       "--stores.main.backend=from", "--stores.main.migrate_to=to", "--stores.beside.backend=local",
       "--default_store=main"},
      more, result);
}

TEST(MoveSettings, come_to_a_store_that_moves_and_backends_with_room_for_its_rows) {
  std::optional<ServiceSettings> settings;
  ASSERT_THAT(ProblemsOf({"--stores.main.migrate_batch=7", "--stores.main.migrate_lease=3s"}, &settings), IsEmpty());
  for (const StoreSettings& store : settings->stores) {
    ASSERT_EQ(store.move.has_value(), store.name == "main");
    if (!store.move) continue;
    EXPECT_EQ(store.move->backend, "to");
    EXPECT_EQ(store.move->mover.batch, 7u);
    EXPECT_EQ(store.move->membership.lease, std::chrono::seconds{3});
  }
  for (const BackendSettings& backend : settings->backends) {
    if (backend.name != "from" && backend.name != "to") continue;
    EXPECT_GT(std::get<storage::PostgresOptions>(backend.options).limits.max_key_bytes,
              settings->stores.front().limits.max_key_bytes);
  }
}

TEST(MoveSettings, source_and_target_belong_to_the_store_alone) {
  EXPECT_THAT(ProblemsOf({"--stores.beside.backend=to"}), HasSubstr("backend to has other uses"));
  EXPECT_THAT(ProblemsOf({"--stores.beside.backend=from"}), HasSubstr("backend from has other uses"));
  EXPECT_THAT(ProblemsOf({"--stores.main.backend=other", "--stores.beside.failover=other"}),
              HasSubstr("backend other has other uses"));
}

TEST(MoveSettings, a_store_that_is_composed_already_does_not_move) {
  EXPECT_THAT(ProblemsOf({"--backends.hot.type=memory", "--backends.hot.eviction=lru", "--stores.main.cache=hot"}),
              HasSubstr("leave `cache` out"));
  EXPECT_THAT(ProblemsOf({"--stores.main.failover=other"}), HasSubstr("leave `failover` out"));
}

TEST(MoveSettings, a_target_that_is_not_there_or_not_shared_is_refused) {
  EXPECT_THAT(ProblemsOf({"--stores.main.migrate_to=nowhere"}), HasSubstr("there is no backend \"nowhere\""));
  EXPECT_THAT(ProblemsOf({"--stores.main.migrate_to=from"}), HasSubstr("is the backend of the store itself"));
  EXPECT_THAT(ProblemsOf({"--stores.main.migrate_to=other"}), HasSubstr("move to postgres or redis"));
  EXPECT_THAT(ProblemsOf({"--stores.beside.migrate_rate=5"}), HasSubstr("has no meaning without migrate_to"));
}

}  // namespace
}  // namespace holdfast::service
