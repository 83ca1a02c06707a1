// Which stores have a change log, and what their backends keep for it.
#include <gmock/gmock.h>

#include "tests/unit/service/settings/loaded_settings.h"

namespace holdfast::service {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

const std::vector<std::string> kLogged = {"--backends.local.type=rocksdb", "--stores.main.backend=local",
                                          "--stores.main.change_archive=true", "--backups.directory=backups"};

TEST(ChangeSettings, the_backend_of_such_a_store_keeps_its_logs_and_no_other) {
  std::optional<ServiceSettings> settings;
  ASSERT_THAT(ProblemsOf(kLogged,
                         {"--backends.local.archived_log_size=2Gi", "--backups.change_archive_interval=5s",
                          "--backends.other.type=rocksdb", "--stores.plain.backend=other", "--default_store=main"},
                         &settings),
              IsEmpty());
  for (const StoreSettings& store : settings->stores) EXPECT_EQ(store.backups.changes.on, store.name == "main");
  for (const BackendSettings& backend : settings->backends) {
    EXPECT_EQ(std::get<storage::RocksDbOptions>(backend.options).archived_log_size,
              backend.name == "local" ? std::uint64_t{2} << 30 : 0U);
  }
  EXPECT_EQ(settings->stores.front().backups.changes.interval, std::chrono::seconds{5});
}

TEST(ChangeSettings, a_store_on_any_backend_may_have_one) {
  const auto on = [](const std::string& type, const std::string& url) {
    std::vector<std::string> words = {"--backends.local.type=" + type, "--stores.main.backend=local",
                                      "--stores.main.change_archive=true", "--backups.directory=backups"};
    if (!url.empty()) words.push_back("--backends.local.url=" + url);
    return ProblemsOf(words, {});
  };
  EXPECT_THAT(on("rocksdb", ""), IsEmpty());
  EXPECT_THAT(on("memory", ""), IsEmpty());
  EXPECT_THAT(on("postgres", "postgresql://localhost/db"), IsEmpty());
  for (const char* url : {"redis://localhost", "redis+sentinel://localhost/main", "redis+cluster://localhost"}) {
    EXPECT_THAT(on("redis", url), IsEmpty()) << url;
  }
}

TEST(ChangeSettings, one_without_a_place_or_past_which_changes_come_is_refused) {
  EXPECT_THAT(ProblemsOf(kLogged, {"--backups.directory="}), HasSubstr("name a folder in backups.directory"));
  EXPECT_THAT(ProblemsOf(kLogged, {"--backends.second.type=memory", "--stores.main.failover=second"}),
              HasSubstr("cannot be had beside failover"));
}

}  // namespace
}  // namespace holdfast::service
