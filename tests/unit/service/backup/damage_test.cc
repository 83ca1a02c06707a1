// One flipped byte, or any truncation, in any object or in the manifest: `corruption`, and nothing of the store or its
// checkpoints is touched.
#include <gmock/gmock.h>

#include "tests/unit/service/backup/backup_fixture.h"

namespace holdfast::backup {
namespace {

using storage::BackupAction;
using testing::IsEmpty;

class BackupDamage : public BackupFixture, public testing::WithParamInterface<bool> {
 protected:
  BackupDamage() {
    if (GetParam()) backup_options_.key = KeyOf('k');
    PutSome("v");
    backup_options_.verify = false;
    EXPECT_FALSE(Create(*OpenBackups(), "one").error);
  }

  // With the bytes of one file changed by `damage`.
  void ExpectCorrupt(const std::string& file, const std::string& damaged, std::size_t at) {
    durability::WriteFile(BackupFolder("one") / file, damaged);
    const Status read = Read("one");
    ASSERT_FALSE(read.ok()) << file << " at " << at;
    EXPECT_EQ(read.error().code(), ErrorCode::kCorruption) << file << " at " << at << ": " << read.error().ToString();
  }
};

TEST_P(BackupDamage, UndamagedOneReads) {
  const Status read = Read("one");
  EXPECT_TRUE(read.ok()) << read.error().ToString();
}

TEST_P(BackupDamage, EveryFlippedByteIsCorruption) {
  for (const std::string& file : FilesOf("one")) {
    const std::string sound = durability::ReadFile(BackupFolder("one") / file);
    ASSERT_FALSE(sound.empty());
    for (std::size_t at = 0; at < sound.size(); ++at) {
      std::string damaged = sound;
      damaged[at] = static_cast<char>(damaged[at] ^ 1);
      ExpectCorrupt(file, damaged, at);
    }
    durability::WriteFile(BackupFolder("one") / file, sound);
  }
  EXPECT_TRUE(Read("one").ok()) << "the control";
}

TEST_P(BackupDamage, EveryTruncationAndOneByteMoreAreCorruption) {
  for (const std::string& file : FilesOf("one")) {
    const std::string sound = durability::ReadFile(BackupFolder("one") / file);
    for (std::size_t size = 0; size < sound.size(); ++size) ExpectCorrupt(file, sound.substr(0, size), size);
    ExpectCorrupt(file, sound + '\n', sound.size());
    durability::WriteFile(BackupFolder("one") / file, sound);
  }
}

TEST_P(BackupDamage, AMissingOrExchangedObjectIsCorruption) {
  const std::vector<std::string> files = FilesOf("one");
  ASSERT_GT(files.size(), 3U);
  const std::string first = durability::ReadFile(BackupFolder("one") / files[0]);
  const std::string second = durability::ReadFile(BackupFolder("one") / files[1]);
  ASSERT_EQ(first.size(), second.size());
  ExpectCorrupt(files[0], second, 0);
  durability::WriteFile(BackupFolder("one") / files[1], first);
  EXPECT_EQ(Read("one").error().code(), ErrorCode::kCorruption);
  durability::WriteFile(BackupFolder("one") / files[0], first);
  durability::WriteFile(BackupFolder("one") / files[1], second);
  ASSERT_TRUE(Read("one").ok());
  std::filesystem::remove(BackupFolder("one") / files[1]);
  EXPECT_EQ(Read("one").error().code(), ErrorCode::kCorruption);
}

TEST_P(BackupDamage, AManifestOfAnotherBackupIsCorruption) {
  std::filesystem::copy(BackupFolder("one"), BackupFolder("two"));
  EXPECT_EQ(Read("two").error().code(), ErrorCode::kCorruption);
}

TEST_P(BackupDamage, NothingLiveIsTouched) {
  Put("k1", "after");
  const auto now = Rows();
  const auto backups = OpenBackups();
  for (const std::string& file : FilesOf("one")) {
    const std::string sound = durability::ReadFile(BackupFolder("one") / file);
    std::string damaged = sound;
    damaged[sound.size() / 2] = static_cast<char>(damaged[sound.size() / 2] ^ 1);
    for (const std::string& bytes : {damaged, sound.substr(0, sound.size() - 1)}) {
      durability::WriteFile(BackupFolder("one") / file, bytes);
      // A restore of a full one needs no index.
      if (file.find("-index-") == std::string::npos) {
        EXPECT_EQ(CodeOf(Do(*backups, BackupAction::kRestore, "one")), ErrorCode::kCorruption) << file;
      }
      EXPECT_EQ(CodeOf(Do(*backups, BackupAction::kVerify, "one")), ErrorCode::kCorruption) << file;
      EXPECT_EQ(Rows(), now);
      EXPECT_THAT(Files(), IsEmpty()) << "a checkpoint was left, or an undo taken";
    }
    durability::WriteFile(BackupFolder("one") / file, sound);
  }
  EXPECT_FALSE(backups->Get("one", Deadline::Infinite())->verified_at);
  EXPECT_FALSE(Do(*backups, BackupAction::kRestore, "one").error) << "the control";
}

// The mark says of what manifest it is.
TEST_P(BackupDamage, AMarkThatItWasVerifiedCountsForItsOwnManifest) {
  const auto backups = OpenBackups();
  ASSERT_FALSE(Do(*backups, BackupAction::kVerify, "one").error);
  ASSERT_FALSE(Create(*backups, "two").error);
  EXPECT_FALSE(backups->Get("two", Deadline::Infinite())->verified_at);
  std::filesystem::copy_file(BackupFolder("one") / "verified", BackupFolder("two") / "verified");
  EXPECT_TRUE(backups->Get("one", Deadline::Infinite())->verified_at);
  EXPECT_FALSE(backups->Get("two", Deadline::Infinite())->verified_at);
}

std::string NameOf(const testing::TestParamInfo<bool>& encrypted) {
  return encrypted.param ? "encrypted" : "plain";
}

INSTANTIATE_TEST_SUITE_P(Encryption, BackupDamage, testing::Bool(), NameOf);

}  // namespace
}  // namespace holdfast::backup
