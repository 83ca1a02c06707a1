// What goes wrong with a repository of pgBackRest on a volume: it is full, and who restores from it has another
// passphrase. One cluster for both, since a database with a backup takes its time.
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <cstring>

#include "tests/integration/local/postgres_backup_fixture.h"

namespace holdfast::local {
namespace {

constexpr char kClaim[] = "repository-demo-db-backup-0";

class LocalPostgresBackupFaultsTest : public LocalPostgresBackupTest {
 protected:
  ~LocalPostgresBackupFaultsTest() override {
    program_.reset();
    if (!repository_.empty()) umount2(repository_.c_str(), MNT_DETACH);
  }

  // A volume as small as a test can fill, in a mount namespace of this process and those it starts: with them it goes.
  // Why not, else "".
  std::string MakeSmallRepository() {
    const std::filesystem::path folder = root() / "volumes" / "default" / kClaim;
    std::filesystem::create_directories(folder);
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        mount("tmpfs", folder.c_str(), "tmpfs", 0, "size=128m,mode=0777") != 0) {
      return fmt::format("a file system cannot be mounted here: {}", std::strerror(errno));
    }
    repository_ = folder;
    return {};
  }
  // What is free, or nothing at all.
  void Fill() const {
    std::ofstream ballast(repository_ / "ballast", std::ios::binary);
    const std::vector<char> block(1 << 16, 'x');
    while (ballast.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
    }
    struct statvfs room {};
    ASSERT_EQ(statvfs(repository_.c_str(), &room), 0);
    ASSERT_LT(room.f_bavail * room.f_frsize, block.size());
  }
  void FillAndHeal() {
    ASSERT_TRUE(std::filesystem::exists(repository_ / "repository" / "backup")) << "it is not in the small volume";
    ASSERT_NO_FATAL_FAILURE(Fill());
    ASSERT_TRUE(Put("two"));
    EXPECT_TRUE(Eventually([&] { return Row("demo").value("reason", "") == "RepositoryFull"; }, kPatience))
        << WhatIsWrong();
    EXPECT_EQ(Condition("demo", "BackupHealthy").value("status", ""), "False");
    EXPECT_THAT(Row("demo").value("message", ""), testing::HasSubstr("backup.storage.size"));
    EXPECT_TRUE(Is("demo", "Ready")) << "PostgreSQL goes on";
    ASSERT_TRUE(Put("three"));

    std::filesystem::remove(repository_ / "ballast");
    EXPECT_TRUE(Eventually([&] { return Is("demo", "BackupHealthy"); }, kPatience)) << WhatIsWrong();
    const Timestamp written = SystemClock().Now();
    ASSERT_TRUE(Eventually([&] { return BackedUpSince(written); }, kPatience)) << WhatIsWrong();
  }
  std::string Degraded(const std::string& cluster) const { return Condition(cluster, "Degraded").value("message", ""); }
  void MakeRestored(const std::string& name, const char* key) const {
    const json restore = {{"claimName", kClaim}, {"passphraseSecretRef", {{"name", "repository"}, {"key", key}}}};
    Make(Cluster(name, Postgres({{"restoreFrom", restore}})));
  }

  std::filesystem::path repository_;
};

TEST_F(LocalPostgresBackupFaultsTest, fault_RepositoryThatIsFullAndAnotherPassphrase) {
  const std::string unlimited = MakeSmallRepository();
  ASSERT_NO_FATAL_FAILURE(StartWith(Secret("repository", {{"passphrase", kPassphrase}, {"other", "another one"}}),
                                    Cluster("demo", Postgres({{"backup", Backup()}}))));
  for (const char* key : {"one", "zero"}) ASSERT_TRUE(Put(key));
  const Timestamp written = SystemClock().Now();
  ASSERT_TRUE(Eventually([&] { return BackedUpSince(written); }, kPatience)) << WhatIsWrong();
  // The control of what follows: with room it is well.
  ASSERT_TRUE(Eventually([&] { return Is("demo", "BackupHealthy"); }, kPatience)) << WhatIsWrong();
  EXPECT_GT(Row("demo").value("bytes", 0), 0);
  if (unlimited.empty()) {
    ASSERT_NO_FATAL_FAILURE(FillAndHeal());
  } else {
    // Only root may mount; whoever else tests has the half of it.
    RecordProperty("without_a_full_repository", unlimited);
  }

  // Another passphrase: nothing is begun with.
  MakeRestored("wrong", "other");
  EXPECT_TRUE(Eventually([&] { return Degraded("wrong").find("passphraseSecretRef") != std::string::npos; }, kPatience))
      << WhatIsWrong();
  EXPECT_FALSE(Is("wrong", "Ready"));
  EXPECT_FALSE(std::filesystem::exists(FolderOf("pgdata-wrong-db-0") / "data" / "PG_VERSION"));
  EXPECT_EQ(Degraded("wrong").find("another one"), std::string::npos);
  // The control: with the right one everything is there that was written, while the repository was full too.
  MakeRestored("right", "passphrase");
  ASSERT_TRUE(Eventually([&] { return Is("right", "Ready"); }, kPatience)) << WhatIsWrong();
  const std::vector<std::string> acknowledged = Keys(ServiceOf("demo"));
  EXPECT_EQ(acknowledged.size(), unlimited.empty() ? 4u : 2u);
  EXPECT_TRUE(Eventually([&] { return Keys(ServiceOf("right")) == acknowledged; })) << WhatIsWrong();
  EXPECT_FALSE(Is("wrong", "Ready"));
  End();
}

}  // namespace
}  // namespace holdfast::local
