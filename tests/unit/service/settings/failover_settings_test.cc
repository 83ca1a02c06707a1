// Which stores may have a secondary backend, and which backends may be one.
#include <gmock/gmock.h>

#include "tests/unit/service/settings/loaded_settings.h"

namespace holdfast::service {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

// Of a store on `db` with `local` as its secondary, and what `more` says instead or beside it.
std::string ProblemsOf(const std::vector<std::string>& more, std::optional<ServiceSettings>* result = nullptr) {
  return service::ProblemsOf(
      {"--backends.db.type=postgres", "--backends.db.url=postgresql://localhost/x", "--backends.local.type=rocksdb",
       "--backends.memory.type=memory", "--stores.main.backend=db", "--stores.main.failover=local"},
      more, result);
}

TEST(FailoverSettings, come_to_a_store_with_a_secondary_that_has_room_for_copies) {
  std::optional<ServiceSettings> settings;
  ASSERT_THAT(ProblemsOf({"--stores.main.failover_failures=7", "--stores.main.failover_max_lag=5s"}, &settings),
              IsEmpty());
  const StoreSettings& store = settings->stores.front();
  ASSERT_TRUE(store.failover);
  EXPECT_EQ(store.failover->backend, "local");
  EXPECT_EQ(store.failover->options.mode, composition::FailoverMode::kReadOnly);
  EXPECT_EQ(store.failover->options.failures, 7);
  EXPECT_EQ(store.failover->options.max_lag, std::chrono::seconds{5});
  EXPECT_TRUE(store.failover->options.copier.range.Contains(std::string("main\0default\0kx", 15)));
  EXPECT_FALSE(store.failover->options.copier.range.Contains(std::string("main2\0default\0kx", 16)));
  for (const BackendSettings& backend : settings->backends) {
    if (backend.name != "local") continue;
    EXPECT_GT(std::get<storage::RocksDbOptions>(backend.options).limits.max_value_bytes, store.limits.max_value_bytes);
  }
}

TEST(FailoverSettings, read_write_is_for_one_instance_that_says_so) {
  const std::string write = "--stores.main.failover_mode=read_write";
  EXPECT_THAT(ProblemsOf({write}), HasSubstr("failover_sole_instance: true"));
  EXPECT_THAT(ProblemsOf({write, "--stores.main.failover_sole_instance=true"}), IsEmpty());
  EXPECT_THAT(ProblemsOf({write, "--stores.main.failover_sole_instance=true", "--stores.main.failover=memory"}),
              HasSubstr("loses no write"));
}

TEST(FailoverSettings, a_secondary_that_others_can_reach_is_refused) {
  const std::vector<std::string> shared{"--backends.r.type=redis", "--backends.r.url=redis://r",
                                        "--stores.main.failover=r"};
  EXPECT_THAT(ProblemsOf(shared), HasSubstr("several instances"));
  std::vector<std::string> sole = shared;
  sole.push_back("--stores.main.failover_sole_instance=true");
  EXPECT_THAT(ProblemsOf(sole), IsEmpty());
}

TEST(FailoverSettings, what_cannot_be_is_said) {
  EXPECT_THAT(ProblemsOf({"--stores.main.failover=nowhere"}), HasSubstr("no backend \"nowhere\""));
  EXPECT_THAT(ProblemsOf({"--stores.main.failover=db"}), HasSubstr("name another one"));
  EXPECT_THAT(ProblemsOf({"--stores.main.failover=memory", "--backends.memory.max_bytes=1Mi",
                          "--backends.memory.eviction=lru"}),
              HasSubstr("evicts"));
  EXPECT_THAT(
      ProblemsOf({"--stores.main.cache=memory", "--backends.memory.max_bytes=1Mi", "--backends.memory.eviction=lru"}),
      HasSubstr("beside cache"));
  EXPECT_THAT(ProblemsOf({"--backends.r.type=redis", "--backends.r.url=redis://r", "--stores.main.backend=r"}),
              HasSubstr("may lose what it acknowledged"));
  EXPECT_THAT(ProblemsOf({"--stores.main.failover=", "--stores.main.failover_failures=2"}),
              HasSubstr("has no meaning without failover"));
}

}  // namespace
}  // namespace holdfast::service
