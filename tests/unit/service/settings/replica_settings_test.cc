// Which stores may have replicas, which backends may be one, and which quorums meet.
#include <gmock/gmock.h>

#include "service/storage/key_space.h"
#include "tests/unit/service/settings/loaded_settings.h"

namespace holdfast::service {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Of a store on three volumes, and what `more` says instead or beside it.
std::string ProblemsOf(const std::vector<std::string>& more, std::optional<ServiceSettings>* result = nullptr) {
  return service::ProblemsOf(
      {"--backends.a.type=rocksdb", "--backends.b.type=rocksdb", "--backends.c.type=rocksdb",
       "--backends.memory.type=memory", "--backends.db.type=postgres", "--backends.db.url=postgresql://localhost/x",
       "--stores.main.backend=a", "--stores.main.replicas=b,c", "--default_store=main"},
      more, result);
}

TEST(ReplicaSettings, come_to_a_store_on_three_with_majorities_and_room_for_rows) {
  std::optional<ServiceSettings> settings;
  ASSERT_THAT(ProblemsOf({"--stores.main.replica_call_timeout=3s", "--health.start=7s"}, &settings), IsEmpty());
  const StoreSettings& store = settings->stores.front();
  ASSERT_TRUE(store.replicas);
  EXPECT_THAT(store.replicas->backends, ElementsAre("a", "b", "c"));
  const composition::ReplicaOptions& options = store.replicas->options;
  EXPECT_EQ(options.write_quorum, 2u);
  EXPECT_EQ(options.read_quorum, 2u);
  EXPECT_FALSE(options.eventual);
  EXPECT_EQ(options.call_timeout, std::chrono::seconds{3});
  EXPECT_EQ(options.start_patience, std::chrono::seconds{7});
  EXPECT_TRUE(options.range.Contains(std::string("main\0default\0kx", 15)));
  EXPECT_TRUE(IsReplica(*settings, "c"));
  EXPECT_FALSE(IsReplica(*settings, "db"));
  for (const BackendSettings& backend : settings->backends) {
    const auto* const rocksdb = std::get_if<storage::RocksDbOptions>(&backend.options);
    if (rocksdb == nullptr) continue;
    EXPECT_GT(rocksdb->limits.max_value_bytes, store.limits.max_value_bytes);
    EXPECT_GT(rocksdb->limits.max_operations, storage::BackendLimits(store.limits).max_operations);
  }
}

TEST(ReplicaSettings, are_compared_in_the_background_only_where_that_is_asked_for) {
  std::optional<ServiceSettings> settings;
  ASSERT_THAT(ProblemsOf({}, &settings), IsEmpty());
  EXPECT_EQ(settings->stores.front().replicas->options.compare_interval.count(), 0);
  ASSERT_THAT(
      ProblemsOf({"--stores.main.replica_compare_interval=1h", "--stores.main.replica_compare_rate=7"}, &settings),
      IsEmpty());
  EXPECT_EQ(settings->stores.front().replicas->options.compare_interval, std::chrono::hours{1});
  EXPECT_EQ(settings->stores.front().replicas->options.compare_rate, 7u);
  EXPECT_THAT(ProblemsOf({"--stores.main.replica_compare_rate=7"}), HasSubstr("without replica_compare_interval"));
  EXPECT_THAT(ProblemsOf({"--stores.main.replicas=", "--stores.main.replica_compare_interval=1h"}),
              HasSubstr("has no meaning without replicas"));
}

TEST(ReplicaSettings, quorums_have_to_meet) {
  const std::string read = "--stores.main.replica_read_quorum=1";
  const std::string write = "--stores.main.replica_write_quorum=";
  EXPECT_THAT(ProblemsOf({read}), HasSubstr("need not meet"));
  EXPECT_THAT(ProblemsOf({read, write + "3"}), IsEmpty());
  EXPECT_THAT(ProblemsOf({"--stores.main.replica_read_quorum=3", write + "1"}), HasSubstr("no majority"));
  EXPECT_THAT(ProblemsOf({write + "4"}), HasSubstr("asks 4 of 3"));
  EXPECT_THAT(ProblemsOf({read, write + "1", "--stores.main.replica_mode=eventual"}), IsEmpty());
}

TEST(ReplicaSettings, what_others_can_reach_or_what_forgets_is_no_replica) {
  EXPECT_THAT(ProblemsOf({"--stores.main.replicas=b,db"}), HasSubstr("several instances"));
  EXPECT_THAT(ProblemsOf({"--stores.main.backend=db"}), HasSubstr("several instances"));
  EXPECT_THAT(ProblemsOf({"--stores.main.replicas=b,memory"}), IsEmpty());
  EXPECT_THAT(ProblemsOf({"--stores.main.replicas=b,memory", "--backends.memory.max_bytes=1Mi",
                          "--backends.memory.eviction=lru"}),
              HasSubstr("evicts"));
  EXPECT_THAT(ProblemsOf({"--stores.main.replicas=b,nowhere"}), HasSubstr("no backend \"nowhere\""));
  EXPECT_THAT(ProblemsOf({"--stores.main.replicas=a,b"}), HasSubstr("backend a twice"));
  EXPECT_THAT(ProblemsOf({"--stores.main.replicas=b,b"}), HasSubstr("backend b twice"));
}

TEST(ReplicaSettings, replicas_are_the_stores_alone_and_not_beside_a_cache_or_a_secondary) {
  EXPECT_THAT(ProblemsOf({"--stores.other.backend=c"}), HasSubstr("that of another store"));
  EXPECT_THAT(ProblemsOf({"--stores.other.backend=memory"}), IsEmpty());
  EXPECT_THAT(ProblemsOf({"--stores.main.failover=memory"}), HasSubstr("leave one out"));
}

TEST(ReplicaSettings, rows_without_replicas_have_no_meaning) {
  EXPECT_THAT(ProblemsOf({"--stores.other.backend=memory", "--stores.other.replica_mode=eventual"}),
              HasSubstr("stores.other.replica_mode: has no meaning without replicas"));
}

}  // namespace
}  // namespace holdfast::service
