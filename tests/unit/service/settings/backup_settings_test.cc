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
  EXPECT_EQ(settings->stores.front().backups.pace.work_percent, 25);
  EXPECT_EQ(settings->stores.front().backups.retention.keep_last, 7u);
}

TEST(BackupSettings, each_store_has_its_own_beside_what_holds_for_all) {
  std::optional<ServiceSettings> settings;
  ASSERT_THAT(
      ProblemsOf(
          {"--backends.local.type=memory", "--stores.main.backend=local", "--stores.other.backend=local",
           "--default_store=main", "--data_dir=/data", "--backups.directory=elsewhere", "--checkpoints.level=3"},
          {"--backups.object_bytes=1Mi", "--backups.rate=10Mi", "--backups.work_percent=20", "--backups.timeout=2h",
           "--backups.verify=false", "--stores.main.backup_keep_last=3", "--stores.main.backup_keep_days=7",
           "--stores.main.backup_keep_weeks=4", "--stores.main.backup_max_age=25h"},
          &settings),
      IsEmpty());
  for (const StoreSettings& store : settings->stores) {
    const backup::BackupOptions& options = store.backups;
    const bool main = store.name == "main";
    EXPECT_EQ(options.directory, "/data/elsewhere");
    EXPECT_EQ(options.create.object_bytes, 1u << 20);
    EXPECT_EQ(options.create.writer.level, 3);
    EXPECT_EQ(options.pace.rate, 10u << 20);
    EXPECT_EQ(options.pace.work_percent, 20);
    EXPECT_EQ(options.timeout, std::chrono::hours{2});
    EXPECT_FALSE(options.verify);
    EXPECT_FALSE(options.key);
    EXPECT_EQ(options.retention.keep_last, main ? 3u : 7u);
    EXPECT_EQ(options.retention.keep_days, main ? 7u : 0u);
    EXPECT_EQ(options.retention.keep_weeks, main ? 4u : 0u);
    EXPECT_EQ(options.max_age, main ? std::chrono::hours{25} : std::chrono::hours{0});
  }
}

TEST(BackupSettings, a_schedule_is_of_its_store_and_needs_a_place) {
  const std::vector<std::string> base = {"--backends.local.type=memory", "--stores.main.backend=local",
                                         "--stores.other.backend=local", "--default_store=main"};
  const std::vector<std::string> schedule = {"--backups.directory=/backups",
                                             "--stores.main.backup_schedule=0 3 * * *",
                                             "--stores.main.backup_time_zone=Europe/Berlin",
                                             "--stores.main.backup_jitter=10m",
                                             "--stores.main.backup_drill_every=7",
                                             "--stores.main.backup_full_every=5",
                                             "--backups.max_increments=9",
                                             "--stores.main.backup_drill_max_age=8d"};
  std::optional<ServiceSettings> settings;
  ASSERT_THAT(ProblemsOf(base, schedule, &settings), IsEmpty());
  for (const StoreSettings& store : settings->stores) {
    const auto& options = store.backups.schedule;
    ASSERT_EQ(options.has_value(), store.name == "main");
    EXPECT_EQ(store.backups.max_increments, 9u);
    EXPECT_EQ(store.backups.full_every, store.name == "main" ? 5u : 1u);
    if (!options) continue;
    EXPECT_EQ(options->when.text(), "0 3 * * *");
    EXPECT_EQ(options->zone.name(), "Europe/Berlin");
    EXPECT_EQ(options->jitter, std::chrono::minutes{10});
    EXPECT_EQ(options->drill_every, 7u);
    EXPECT_EQ(store.backups.drill_max_age, std::chrono::days{8});
  }
  EXPECT_THAT(ProblemsOf(base, {"--stores.main.backup_schedule=@daily"}), HasSubstr("backups.directory"));
  const std::string wrong =
      ProblemsOf(base, {"--backups.directory=/backups", "--stores.main.backup_schedule=0 25 * * *",
                        "--stores.main.backup_time_zone=Europe/Atlantis"});
  EXPECT_THAT(wrong, HasSubstr("stores.main.backup_schedule"));
  EXPECT_THAT(wrong, HasSubstr("the hour \"25\""));
  EXPECT_THAT(wrong, HasSubstr("Europe/Atlantis"));
}

TEST(BackupSettings, where_drills_restore_to_is_below_the_data_or_memory) {
  std::optional<ServiceSettings> settings;
  ASSERT_THAT(ProblemsOf({"--backends.local.type=memory", "--data_dir=/data"}, {}, &settings), IsEmpty());
  EXPECT_EQ(settings->stores.front().backups.drill.directory, "/data/drills");
  EXPECT_FALSE(settings->stores.front().backups.drill.in_memory);
  ASSERT_THAT(ProblemsOf({"--backends.local.type=memory"},
                         {"--backups.drill_scratch=memory", "--backups.drill_memory=1Gi"}, &settings),
              IsEmpty());
  EXPECT_TRUE(settings->stores.front().backups.drill.in_memory);
  EXPECT_EQ(settings->stores.front().backups.drill.memory, 1u << 30);
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

const std::vector<std::string> kS3 = {"--backends.local.type=memory",
                                      "--backups.s3.endpoint=https://s3.example.com:9000",
                                      "--backups.s3.bucket=our.backups-1", "--backups.s3.access_key_file=/run/access",
                                      "--backups.s3.secret_key_file=/run/secret"};

TEST(BackupSettings, an_s3_server_is_a_place_for_them) {
  std::optional<ServiceSettings> settings;
  ASSERT_THAT(ProblemsOf(kS3,
                         {"--backups.s3.prefix=a/b", "--backups.s3.region=eu-1", "--backups.s3.path_style=false",
                          "--backups.s3.server_side_encryption=aws:kms", "--backups.s3.kms_key_id=k",
                          "--backups.s3.part_bytes=8Mi", "--backups.s3.timeout=30s", "--backups.s3.connect_timeout=1s",
                          "--backups.s3.attempts=3"},
                         &settings),
              IsEmpty());
  ASSERT_TRUE(settings->stores.front().backups.s3);
  const backup::S3TargetOptions& options = *settings->stores.front().backups.s3;
  EXPECT_EQ(options.prefix, "a/b");
  EXPECT_EQ(options.bucket.endpoint, "https://s3.example.com:9000");
  EXPECT_EQ(options.bucket.bucket, "our.backups-1");
  EXPECT_EQ(options.bucket.region, "eu-1");
  EXPECT_FALSE(options.bucket.path_style);
  EXPECT_EQ(options.bucket.access_key_file, "/run/access");
  EXPECT_EQ(options.bucket.secret_key_file, "/run/secret");
  EXPECT_EQ(options.bucket.server_side_encryption, "aws:kms");
  EXPECT_EQ(options.bucket.kms_key_id, "k");
  EXPECT_EQ(options.bucket.part_bytes, 8u << 20);
  EXPECT_EQ(options.bucket.call_timeout, std::chrono::seconds{30});
  EXPECT_EQ(options.bucket.connect_timeout, std::chrono::seconds{1});
  EXPECT_EQ(options.bucket.attempts, 3);
  ASSERT_THAT(ProblemsOf(kS3, {}, &settings), IsEmpty());
  EXPECT_EQ(settings->stores.front().backups.s3->bucket.server_side_encryption, "");
}

TEST(BackupSettings, what_makes_no_sense_of_an_s3_server_is_refused_with_its_name) {
  const std::vector<std::pair<std::string, std::string>> wrong = {{"endpoint", "s3.example.com"},
                                                                  {"endpoint", "ftp://s3.example.com"},
                                                                  {"endpoint", "https://host/path"},
                                                                  {"endpoint", "https://user:word@host"},
                                                                  {"endpoint", "https://Host"},
                                                                  {"endpoint", "https://host:"},
                                                                  {"endpoint", "https://host:port"},
                                                                  {"endpoint", "https://"},
                                                                  {"bucket", ""},
                                                                  {"bucket", "ab"},
                                                                  {"bucket", "Capital"},
                                                                  {"bucket", "a/b/c"},
                                                                  {"bucket", "..."},
                                                                  {"bucket", "-abc"},
                                                                  {"bucket", "abc-"},
                                                                  {"prefix", "/a"},
                                                                  {"prefix", "a/"},
                                                                  {"prefix", "a//b"},
                                                                  {"prefix", "a b"},
                                                                  {"prefix", ".."},
                                                                  {"prefix", "a/../b"},
                                                                  {"prefix", "a/."},
                                                                  {"region", ""},
                                                                  {"access_key_file", ""},
                                                                  {"secret_key_file", ""},
                                                                  {"ca_file", "/nowhere/ca.pem"},
                                                                  {"server_side_encryption", "some"},
                                                                  {"kms_key_id", "of-no-kms"},
                                                                  {"part_bytes", "1Mi"},
                                                                  {"attempts", "0"},
                                                                  {"timeout", "1ms"}};
  for (const auto& [name, value] : wrong) {
    const std::string setting = "backups.s3." + name;
    const std::string problems = ProblemsOf(kS3, {"--" + setting + "=" + value});
    EXPECT_THAT(problems, HasSubstr(setting)) << value;
    EXPECT_THAT(problems, Not(HasSubstr("word@"))) << "a password";
  }
}

TEST(BackupSettings, backups_go_to_one_place) {
  EXPECT_THAT(ProblemsOf(kS3, {"--backups.directory=/backups"}), HasSubstr("backups.directory"));
  EXPECT_THAT(ProblemsOf({"--backends.local.type=memory"}, {"--backups.s3.bucket=alone"}),
              HasSubstr("backups.s3.endpoint"));
}

TEST(BackupSettings, those_of_another_deployment_lie_in_a_folder_or_on_an_s3_server) {
  const std::vector<std::string> base = {"--backends.local.type=memory", "--stores.main.backend=local",
                                         "--stores.other.backend=local", "--default_store=main", "--data_dir=/data"};
  std::optional<ServiceSettings> settings;
  ASSERT_THAT(ProblemsOf(base, {"--backups.directory=/own"}, &settings), IsEmpty());
  EXPECT_FALSE(settings->stores.front().backups.source);
  ASSERT_THAT(ProblemsOf(base, {"--backups.directory=/own", "--backups.source.directory=former"}, &settings),
              IsEmpty());
  for (const StoreSettings& store : settings->stores) {
    EXPECT_EQ(store.backups.directory, "/own");
    ASSERT_TRUE(store.backups.source);
    EXPECT_EQ(store.backups.source->directory, "/data/former");
    EXPECT_FALSE(store.backups.source->s3);
    EXPECT_FALSE(store.backups.source->key);
  }
  ASSERT_THAT(ProblemsOf(base,
                         {"--backups.source.s3.endpoint=https://s3.example.com", "--backups.source.s3.bucket=former",
                          "--backups.source.s3.prefix=a", "--backups.source.s3.access_key_file=/run/access",
                          "--backups.source.s3.secret_key_file=/run/secret", "--backups.source.s3.attempts=3"},
                         &settings),
              IsEmpty());
  ASSERT_TRUE(settings->stores.front().backups.source && settings->stores.front().backups.source->s3);
  EXPECT_FALSE(settings->stores.front().backups.s3) << "nothing is made there";
  const backup::S3TargetOptions& s3 = *settings->stores.front().backups.source->s3;
  EXPECT_EQ(s3.prefix, "a");
  EXPECT_EQ(s3.bucket.bucket, "former");
  EXPECT_EQ(s3.bucket.attempts, 3);
  EXPECT_EQ(s3.bucket.setting, "backups.source.s3");
  EXPECT_TRUE(s3.bucket.only_read);
}

TEST(BackupSettings, what_makes_no_sense_of_another_deployments_is_refused_with_its_name) {
  const std::vector<std::string> base = {"--backends.local.type=memory", "--backups.source.directory=/former"};
  const auto folder = std::filesystem::temp_directory_path() / ("holdfast-source-key-" + std::to_string(::getpid()));
  std::ofstream(folder) << "not-a-key";
  const std::string key = ProblemsOf(base, {"--backups.source.key_file=" + folder.string()});
  EXPECT_THAT(key, HasSubstr("backups.source.key_file"));
  EXPECT_THAT(key, Not(HasSubstr("not-a-key")));
  std::filesystem::remove(folder);
  EXPECT_THAT(ProblemsOf({"--backends.local.type=memory"}, {"--backups.source.key_file=/key"}),
              HasSubstr("set backups.source.directory"));
  EXPECT_THAT(ProblemsOf({"--backends.local.type=memory"}, {"--backups.source.s3.bucket=alone"}),
              HasSubstr("backups.source.s3.endpoint"));
  const std::string both = ProblemsOf(base, {"--backups.source.s3.endpoint=https://s3.example.com"});
  EXPECT_THAT(both, HasSubstr("stands beside backups.source.directory"));
  EXPECT_THAT(both, HasSubstr("backups.source.s3.bucket"));
  EXPECT_THAT(both, HasSubstr("needed with backups.source.s3.endpoint"));
}

}  // namespace
}  // namespace holdfast::service
