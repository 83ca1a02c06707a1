// Where the backups of which store lie, what encrypts them, and what is kept of them.
#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/unit/service/settings/loaded_settings.h"

namespace holdfast::service {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

TEST(BackupSettings, there_are_none_unless_a_place_is_named) {
  std::optional<ServiceSettings> settings;
  ASSERT_THAT(ProblemsOf({"--backends.local.type=memory"}, {}, &settings), IsEmpty());
  EXPECT_EQ(settings->stores.front().backups.directory, "");
  EXPECT_EQ(settings->stores.front().backups.retention.keep_last, 7u);
}

TEST(BackupSettings, each_store_has_its_own_beside_what_holds_for_all) {
  std::optional<ServiceSettings> settings;
  ASSERT_THAT(
      ProblemsOf({"--backends.local.type=memory", "--stores.main.backend=local", "--stores.other.backend=local",
                  "--default_store=main", "--data_dir=/data", "--backups.directory=elsewhere", "--checkpoints.level=3"},
                 {"--backups.object_bytes=1Mi", "--backups.rate=10Mi", "--backups.timeout=2h", "--backups.verify=false",
                  "--stores.main.backup_keep_last=3", "--stores.main.backup_keep_days=7",
                  "--stores.main.backup_keep_weeks=4", "--stores.main.backup_max_age=25h"},
                 &settings),
      IsEmpty());
  for (const StoreSettings& store : settings->stores) {
    const backup::BackupOptions& options = store.backups;
    const bool main = store.name == "main";
    EXPECT_EQ(options.directory, "/data/elsewhere");
    EXPECT_EQ(options.create.object_bytes, 1u << 20);
    EXPECT_EQ(options.create.writer.level, 3);
    EXPECT_EQ(options.rate, 10u << 20);
    EXPECT_EQ(options.timeout, std::chrono::hours{2});
    EXPECT_FALSE(options.verify);
    EXPECT_FALSE(options.key);
    EXPECT_EQ(options.retention.keep_last, main ? 3u : 7u);
    EXPECT_EQ(options.retention.keep_days, main ? 7u : 0u);
    EXPECT_EQ(options.retention.keep_weeks, main ? 4u : 0u);
    EXPECT_EQ(options.max_age, main ? std::chrono::hours{25} : std::chrono::hours{0});
  }
}

TEST(BackupSettings, a_key_is_read_from_its_file_or_refused_with_its_name) {
  const std::string path =
      (std::filesystem::temp_directory_path() / ("holdfast-backup-key-" + std::to_string(::getpid()))).string();
  std::ofstream(path) << std::string(64, '7') << '\n';
  std::optional<ServiceSettings> settings;
  EXPECT_THAT(ProblemsOf({"--backends.local.type=memory"}, {"--backups.key_file=" + path}, &settings), IsEmpty());
  EXPECT_TRUE(settings->stores.front().backups.key);
  std::ofstream(path) << "not-a-key";
  const std::string problems = ProblemsOf({"--backends.local.type=memory"}, {"--backups.key_file=" + path});
  EXPECT_THAT(problems, HasSubstr(path));
  EXPECT_THAT(problems, HasSubstr("backups.key_file"));
  EXPECT_THAT(problems, Not(HasSubstr("not-a-key")));
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace holdfast::service
