// Which stores may acknowledge writes before their backend has them, and where they keep those; TTLs and warming of
// caches.
#include <gmock/gmock.h>

#include "tests/unit/service/settings/loaded_settings.h"

namespace holdfast::service {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

// Of a store on `db` with a cache, and what `more` says instead or beside it.
std::string ProblemsOf(const std::vector<std::string>& more, std::optional<ServiceSettings>* result = nullptr) {
  return service::ProblemsOf(
      {"--backends.db.type=postgres", "--backends.db.url=postgresql://localhost/x", "--backends.log.type=rocksdb",
       "--backends.hot.type=memory", "--backends.hot.max_bytes=1Mi", "--backends.hot.eviction=lru",
       "--stores.main.backend=db", "--stores.main.cache=hot"},
      more, result);
}

TEST(WriteSettings, come_to_a_store_with_a_queue_that_has_room_for_rows) {
  std::optional<ServiceSettings> settings;
  ASSERT_THAT(ProblemsOf({"--stores.main.write=back", "--stores.main.write_queue=log",
                          "--stores.main.write_queue_entries=7", "--stores.main.write_back_delay=5s"},
                         &settings),
              IsEmpty());
  const StoreSettings& store = settings->stores.front();
  ASSERT_TRUE(store.write_queue);
  EXPECT_EQ(store.write_queue->backend, "log");
  EXPECT_EQ(store.write_queue->options.queue.max_entries, 7u);
  EXPECT_EQ(store.write_queue->options.queue.delay, std::chrono::seconds{5});
  EXPECT_TRUE(store.write_queue->options.queue.range.Contains(std::string("main\0default\0kx", 15)));
  for (const BackendSettings& backend : settings->backends) {
    if (backend.name != "log") continue;
    EXPECT_GT(std::get<storage::RocksDbOptions>(backend.options).limits.max_value_bytes, store.limits.max_value_bytes);
  }
  ASSERT_THAT(ProblemsOf({"--stores.main.write=behind", "--stores.main.write_queue=log"}, &settings), IsEmpty());
  EXPECT_EQ(settings->stores.front().write_queue->options.queue.delay.count(), 0);
  ASSERT_THAT(ProblemsOf({}, &settings), IsEmpty());
  EXPECT_FALSE(settings->stores.front().write_queue);
}

TEST(WriteSettings, through_with_a_queue_takes_nothing_new) {
  std::optional<ServiceSettings> settings;
  ASSERT_THAT(ProblemsOf({"--stores.main.write_queue=log"}, &settings), IsEmpty());
  EXPECT_FALSE(settings->stores.front().write_queue->options.takes);
  ASSERT_THAT(ProblemsOf({"--stores.main.write=behind", "--stores.main.write_queue=log"}, &settings), IsEmpty());
  EXPECT_TRUE(settings->stores.front().write_queue->options.takes);
}

TEST(WriteSettings, what_cannot_be_is_said) {
  const std::string behind = "--stores.main.write=behind";
  EXPECT_THAT(ProblemsOf({behind}), HasSubstr("write_queue: is missing"));
  EXPECT_THAT(ProblemsOf({behind, "--stores.main.write_queue=nowhere"}), HasSubstr("no backend \"nowhere\""));
  EXPECT_THAT(ProblemsOf({behind, "--stores.main.write_queue=hot"}), HasSubstr("evicts"));
  EXPECT_THAT(ProblemsOf({behind, "--stores.main.write_queue=db"}), HasSubstr("backend of the store itself"));
  EXPECT_THAT(
      ProblemsOf({behind, "--backends.r.type=redis", "--backends.r.url=redis://r", "--stores.main.write_queue=r"}),
      HasSubstr("several instances"));
  for (const char* const write : {"behind", "back"}) {
    EXPECT_THAT(ProblemsOf({std::string("--stores.main.write=") + write, "--stores.main.write_queue=log",
                            "--backends.r.type=redis", "--backends.r.url=redis://r", "--stores.main.backend=r"}),
                HasSubstr("write: backend r is a redis"));
  }
  EXPECT_THAT(ProblemsOf({"--stores.main.write_queue=log", "--backends.r.type=redis", "--backends.r.url=redis://r",
                          "--stores.main.backend=r"}),
              HasSubstr("write_queue: backend r is a redis"));
  EXPECT_THAT(ProblemsOf({behind, "--stores.main.write_queue=log", "--stores.main.write_back_delay=1s"}),
              HasSubstr("has no meaning with write: behind"));
  EXPECT_THAT(ProblemsOf({"--stores.main.write_queue_entries=7"}), HasSubstr("has no meaning with write: through"));
  EXPECT_THAT(ProblemsOf({"--stores.main.write_queue=log", "--stores.main.cache="}),
              HasSubstr("write_queue: is for stores with a cache"));
  EXPECT_THAT(ProblemsOf({behind, "--stores.main.write_queue=log", "--stores.main.cache="}),
              HasSubstr("behind is for stores with a cache"));
}

TEST(CacheTtlSettings, adaptive_has_a_floor_below_its_ceiling) {
  std::optional<ServiceSettings> settings;
  ASSERT_THAT(ProblemsOf({"--stores.main.cache_ttl_policy=adaptive", "--stores.main.cache_ttl_min=30s"}, &settings),
              IsEmpty());
  EXPECT_EQ(settings->stores.front().cache->options.copies.ttl_floor, std::chrono::seconds{30});
  EXPECT_THAT(ProblemsOf({"--stores.main.cache_ttl_policy=adaptive", "--stores.main.cache_ttl=30s"}),
              HasSubstr("is above cache_ttl"));
  EXPECT_THAT(ProblemsOf({"--stores.main.cache_ttl_min=30s"}), HasSubstr("cache_ttl_policy: fixed"));
  ASSERT_THAT(ProblemsOf({}, &settings), IsEmpty());
  EXPECT_FALSE(settings->stores.front().cache->options.copies.ttl_floor);
}

TEST(WarmSettings, come_with_a_cache_and_name_a_namespace) {
  std::optional<ServiceSettings> settings;
  ASSERT_THAT(ProblemsOf({"--stores.main.warm_prefixes=a,b", "--stores.main.warm_rate=9"}, &settings), IsEmpty());
  EXPECT_EQ(settings->stores.front().cache->warm_prefixes, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(settings->stores.front().cache->warm_limits.per_second, 9u);
  EXPECT_EQ(settings->stores.front().cache->warm_namespace, "default");
  EXPECT_THAT(ProblemsOf({"--stores.main.warm_namespace=No"}), HasSubstr("no name of a namespace"));
  EXPECT_THAT(ProblemsOf({"--stores.main.cache=", "--stores.main.warm_prefixes=a"}),
              HasSubstr("has no meaning without cache"));
}

}  // namespace
}  // namespace holdfast::service
