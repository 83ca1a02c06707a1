// Backups that hold what has changed: what they build on, that they come to the store that it was, and that nothing
// takes away what one of them needs.
#include <gmock/gmock.h>

#include "service/backup/removal.h"
#include "tests/unit/service/backup/backup_fixture.h"
#include "tests/unit/service/backup/target_double.h"

namespace holdfast::backup {
namespace {

using storage::BackupAction;
using storage::BackupRun;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class IncrementTest : public BackupFixture, public testing::WithParamInterface<bool> {
 protected:
  IncrementTest() {
    if (GetParam()) backup_options_.key = KeyOf('k');
    backup_options_.create.object_bytes = 2'000;
    PutNumbered(0, 300, "v");
  }

  void PutNumbered(int from, int to, const std::string& value) {
    for (int i = from; i < to; ++i) {
      Put("k" + std::to_string(1'000 + i), value + durability::Noise(60, static_cast<std::uint32_t>(i)));
    }
  }
  BackupRun Increment(Backups& backups, const std::string& id) {
    clock_.Advance(std::chrono::hours{1});
    return Do(backups, BackupAction::kIncrement, id);
  }
  // A full one and two increments, with what the store held behind each.
  void MakeThree(Backups& backups) {
    ASSERT_FALSE(Create(backups, "full").error);
    rows_.push_back(Rows());
    PutNumbered(100, 103, "w");
    Delete("k1200");
    ASSERT_FALSE(Increment(backups, "one").error);
    rows_.push_back(Rows());
    PutNumbered(250, 310, "x");
    ASSERT_FALSE(Increment(backups, "two").error);
    rows_.push_back(Rows());
  }
  std::string ParentOf(Backups& backups, const std::string& id) {
    const auto info = backups.Get(id, Deadline::Infinite());
    EXPECT_TRUE(info.ok()) << id;
    return info.ok() ? info->parent : "?";
  }
  bool IsVerified(Backups& backups, const std::string& id) {
    return backups.Get(id, Deadline::Infinite())->verified_at.has_value();
  }

  std::vector<std::map<std::string, std::string>> rows_;
};

TEST_P(IncrementTest, EachIsRestoredToWhatTheStoreWas) {
  const auto backups = OpenBackups();
  MakeThree(*backups);
  const auto full = backups->Get("full", Deadline::Infinite());
  const auto one = backups->Get("one", Deadline::Infinite());
  const auto two = backups->Get("two", Deadline::Infinite());
  EXPECT_EQ(full->parent, "");
  EXPECT_EQ(one->parent, "full");
  EXPECT_EQ(two->parent, "one");
  EXPECT_EQ(two->increments, 2U);
  EXPECT_EQ(one->entries, 299U);
  EXPECT_TRUE(two->verified_at);
  EXPECT_LT(one->size_bytes, full->size_bytes / 2);

  PutNumbered(0, 300, "lost");
  const char* const ids[] = {"full", "one", "two"};
  for (const std::size_t which : {2U, 0U, 1U}) {
    const BackupRun restored = Do(*backups, BackupAction::kRestore, ids[which]);
    ASSERT_FALSE(restored.error) << ErrorOf(restored);
    EXPECT_EQ(Rows(), rows_[which]) << ids[which];
  }
}

TEST_P(IncrementTest, WithoutAParentItIsAFullOneAndSaysWhy) {
  const auto backups = OpenBackups();
  const BackupRun first = Increment(*backups, "one");
  ASSERT_FALSE(first.error) << ErrorOf(first);
  EXPECT_THAT(first.note, HasSubstr("no verified backup"));
  EXPECT_EQ(ParentOf(*backups, "one"), "");
  const BackupRun second = Increment(*backups, "two");
  EXPECT_EQ(second.note, "");
  EXPECT_EQ(ParentOf(*backups, "two"), "one");
  // What nobody has read is no parent.
  ASSERT_TRUE(OpenCatalogue().UnmarkVerified("two", Deadline::Infinite()).ok());
  ASSERT_FALSE(Increment(*backups, "three").error);
  EXPECT_EQ(ParentOf(*backups, "three"), "one");
}

TEST_P(IncrementTest, WhereNoneIsVerifiedAnyIsBuiltOn) {
  backup_options_.verify = false;
  const auto backups = OpenBackups();
  MakeThree(*backups);
  EXPECT_EQ(ParentOf(*backups, "two"), "one");
  EXPECT_TRUE(Read("two").ok());
}

TEST_P(IncrementTest, TheLongestChainEndsWithAFullOne) {
  backup_options_.max_increments = 2;
  const auto backups = OpenBackups();
  MakeThree(*backups);
  const BackupRun third = Increment(*backups, "three");
  ASSERT_FALSE(third.error) << ErrorOf(third);
  EXPECT_THAT(third.note, HasSubstr("the last of 2 increments"));
  EXPECT_EQ(ParentOf(*backups, "three"), "");
}

TEST_P(IncrementTest, OfAScheduleEverySoManyIsAFullOne) {
  backup_options_.full_every = 3;
  const auto backups = OpenBackups();
  std::string kinds;
  for (const char* id : {"a", "b", "c", "d", "e"}) {
    clock_.Advance(std::chrono::hours{1});
    const BackupRun run = Await(*backups, backups->BeginClaimed(id));
    ASSERT_FALSE(run.error) << ErrorOf(run);
    kinds += ParentOf(*backups, id).empty() ? 'F' : 'i';
  }
  EXPECT_EQ(kinds, "FiiFi");
}

TEST_P(IncrementTest, WithAnotherKeyItIsAFullOne) {
  ASSERT_FALSE(Create(*OpenBackups(), "one").error);
  backup_options_.key = KeyOf('z');
  const auto backups = OpenBackups();
  const BackupRun made = Increment(*backups, "two");
  ASSERT_FALSE(made.error) << ErrorOf(made);
  EXPECT_THAT(made.note, HasSubstr("backups.key_file"));
  EXPECT_EQ(ParentOf(*backups, "two"), "");
}

TEST_P(IncrementTest, DamageAnywhereInTheChainIsCorruptionAndNothingLiveIsTouched) {
  const auto backups = OpenBackups();
  MakeThree(*backups);
  const auto now = Rows();
  for (const std::string id : {"full", "one", "two"}) {
    for (const std::string& file : FilesOf(id)) {
      // Only the index of the last link is read.
      if (file == "verified" || (id != "two" && file.find("-index-") != std::string::npos)) continue;
      const auto path = BackupFolder(id) / file;
      const std::string sound = durability::ReadFile(path);
      std::string flipped = sound;
      flipped[sound.size() / 2] = static_cast<char>(flipped[sound.size() / 2] ^ 1);
      for (const std::string& bytes : {flipped, sound.substr(0, sound.size() - 1), sound + 'x', std::string()}) {
        durability::WriteFile(path, bytes);
        const Status read = Read("two");
        ASSERT_FALSE(read.ok()) << id << '/' << file;
        EXPECT_EQ(read.error().code(), ErrorCode::kCorruption) << id << '/' << file;
      }
      std::filesystem::remove(path);
      // Without its own manifest it is none.
      const bool none = id == "two" && file == kManifestObject;
      EXPECT_EQ(CodeOf(Do(*backups, BackupAction::kRestore, "two")),
                none ? ErrorCode::kNotFound : ErrorCode::kCorruption)
          << id << '/' << file;
      EXPECT_TRUE(Rows() == now) << id << '/' << file;
      EXPECT_THAT(Files(), IsEmpty()) << "a checkpoint was left, or an undo taken";
      durability::WriteFile(path, sound);
    }
  }
  EXPECT_TRUE(Read("two").ok()) << "the control";
}

TEST_P(IncrementTest, AMissingOrExchangedParentIsCorruption) {
  const auto backups = OpenBackups();
  MakeThree(*backups);
  const auto aside = folder_ / "aside";
  std::filesystem::rename(BackupFolder("one"), aside);
  EXPECT_EQ(CodeOf(Do(*backups, BackupAction::kVerify, "two")), ErrorCode::kCorruption);
  EXPECT_FALSE(IsVerified(*backups, "two"));
  // One of the same name, and sound.
  ASSERT_FALSE(Create(*backups, "one").error);
  const BackupRun exchanged = Do(*backups, BackupAction::kVerify, "two");
  EXPECT_EQ(CodeOf(exchanged), ErrorCode::kCorruption);
  EXPECT_THAT(ErrorOf(exchanged), HasSubstr("is another one"));
  std::filesystem::remove_all(BackupFolder("one"));
  std::filesystem::rename(aside, BackupFolder("one"));
  EXPECT_FALSE(Do(*backups, BackupAction::kVerify, "two").error) << "the control";
  EXPECT_TRUE(IsVerified(*backups, "two"));
}

// The next increment is not built on what may be damaged as well.
TEST_P(IncrementTest, NoneIsBuiltOnAChainThatWasFoundDamaged) {
  const auto backups = OpenBackups();
  MakeThree(*backups);
  const std::string object = FilesOf("full").front();
  durability::WriteFile(BackupFolder("full") / object, "damaged");
  EXPECT_EQ(CodeOf(Do(*backups, BackupAction::kVerify, "two")), ErrorCode::kCorruption);
  for (const char* id : {"full", "one", "two"}) EXPECT_FALSE(IsVerified(*backups, id)) << id;
  const BackupRun next = Increment(*backups, "next");
  ASSERT_FALSE(next.error) << ErrorOf(next);
  EXPECT_THAT(next.note, HasSubstr("no verified backup"));
}

TEST_P(IncrementTest, NoneIsMadeOnADamagedIndexAndTheNextOneIsFull) {
  const auto backups = OpenBackups();
  ASSERT_FALSE(Create(*backups, "full").error);
  for (const std::string& file : FilesOf("full")) {
    if (file.find("-index-") != std::string::npos) durability::WriteFile(BackupFolder("full") / file, "damaged");
  }
  EXPECT_EQ(CodeOf(Increment(*backups, "one")), ErrorCode::kCorruption);
  EXPECT_THAT(FilesOf("one"), IsEmpty());
  ASSERT_FALSE(Increment(*backups, "two").error);
  EXPECT_EQ(ParentOf(*backups, "two"), "");
}

TEST_P(IncrementTest, AParentIsNotDeletedBeforeItsChild) {
  const auto backups = OpenBackups();
  MakeThree(*backups);
  for (const auto& [parent, child] : {std::pair{"full", "one"}, {"one", "two"}}) {
    const Status refused = backups->Delete(parent, Deadline::Infinite());
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code(), ErrorCode::kFailedPrecondition);
    EXPECT_THAT(refused.error().message(), HasSubstr(std::string("delete ") + child + " first"));
  }
  EXPECT_TRUE(Read("two").ok());
  for (const char* id : {"two", "one", "full"}) EXPECT_TRUE(backups->Delete(id, Deadline::Infinite()).ok()) << id;
  EXPECT_THAT(IdsOf(*backups->List(Deadline::Infinite())), IsEmpty());
}

TEST_P(IncrementTest, RetentionKeepsWhatIsNeededAndRemovesAChainFromItsEnd) {
  const auto backups = OpenBackups();
  MakeThree(*backups);
  backup_options_.retention.keep_last = 1;
  const auto pruning = OpenBackups();
  const BackupRun none = Do(*pruning, BackupAction::kPrune);
  ASSERT_FALSE(none.error) << ErrorOf(none);
  EXPECT_THAT(none.removed, IsEmpty());
  EXPECT_TRUE(Read("two").ok());
  clock_.Advance(std::chrono::hours{1});
  const BackupRun full = Create(*pruning, "next");
  ASSERT_FALSE(full.error) << ErrorOf(full);
  EXPECT_THAT(full.removed, ElementsAre("two", "one", "full"));
}

// Another instance has listed the backups before there was the increment.
TEST_P(IncrementTest, WhoeverRemovesAParentMeanwhileLeavesIt) {
  const auto backups = OpenBackups();
  ASSERT_FALSE(Create(*backups, "full").error);
  const auto before = OpenCatalogue().List(Deadline::Infinite());
  ASSERT_FALSE(Increment(*backups, "one").error);
  const Status removed = RemoveUnused(OpenCatalogue(), {"full"}, *before, Deadline::Infinite()).front();
  ASSERT_FALSE(removed.ok());
  EXPECT_EQ(removed.error().code(), ErrorCode::kFailedPrecondition);
  EXPECT_TRUE(Read("one").ok());
}

// Likewise, and it was removed for good before the manifest of the increment was there.
TEST_P(IncrementTest, OneWhoseParentWasRemovedMeanwhileIsNotLeft) {
  ASSERT_FALSE(Create(*OpenBackups(), "full").error);
  const auto target = std::make_shared<TargetDouble>(OpenTarget());
  const auto backups = OpenBackups(target);
  target->before_put = [this](const ObjectName& name, std::string_view) {
    if (name != ObjectName{"one", std::string(kManifestObject)}) return Status();
    const Catalogue other = OpenCatalogue();
    return RemoveUnused(other, {"full"}, *other.List(Deadline::Infinite()), Deadline::Infinite()).front();
  };
  const BackupRun made = Increment(*backups, "one");
  EXPECT_EQ(CodeOf(made), ErrorCode::kFailedPrecondition);
  EXPECT_THAT(ErrorOf(made), HasSubstr("was removed while"));
  EXPECT_THAT(FilesOf("one"), IsEmpty());
}

// In this process it is held from the beginning.
TEST_P(IncrementTest, WhatAnIncrementIsBeingMadeOnIsNotDeleted) {
  ASSERT_FALSE(Create(*OpenBackups(), "full").error);
  const auto target = std::make_shared<TargetDouble>(OpenTarget());
  const auto backups = OpenBackups(target);
  ErrorCode code = ErrorCode::kInternal;
  target->before_put = [&](const ObjectName& name, std::string_view) {
    if (name.object == kManifestObject) code = backups->Delete("full", Deadline::Infinite()).error().code();
    return Status();
  };
  const BackupRun made = Increment(*backups, "one");
  EXPECT_FALSE(made.error) << ErrorOf(made);
  EXPECT_EQ(code, ErrorCode::kFailedPrecondition);
  EXPECT_TRUE(Read("one").ok());
}

std::string NameOf(const testing::TestParamInfo<bool>& encrypted) {
  return encrypted.param ? "encrypted" : "plain";
}

INSTANTIATE_TEST_SUITE_P(Encryption, IncrementTest, testing::Bool(), NameOf);

}  // namespace
}  // namespace holdfast::backup
