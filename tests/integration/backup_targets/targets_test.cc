// What service/backup asks of a target, of every target: the contract of service/backup/target.h, and a backup's whole
// life on it.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <future>

#include "tests/integration/backup_targets/target_under_test.h"
#include "tests/unit/service/backup/backup_fixture.h"

namespace holdfast::backup {
namespace {

using storage::BackupAction;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class Targets : public BackupFixture, public testing::WithParamInterface<std::string> {
 protected:
  Status Put(const ObjectName& name, std::string_view bytes) { return target_->Put(name, bytes, Deadline::Infinite()); }
  Result<std::string> Get(const ObjectName& name, std::size_t most = 1'000'000) {
    return target_->Get(name, most, Deadline::Infinite());
  }
  std::vector<std::string> List(std::string_view prefix) { return List(*target_, prefix); }
  static std::vector<std::string> List(Target& target, std::string_view prefix) {
    std::vector<std::string> names;
    const auto objects = target.List(prefix, Deadline::Infinite());
    EXPECT_TRUE(objects.ok()) << objects.error().ToString();
    if (!objects.ok()) return names;
    for (const StoredObject& object : *objects) names.push_back(Show(object.name));
    return names;
  }

  const std::unique_ptr<TargetUnderTest> under_test_ = MakeTarget(GetParam(), (folder_ / "objects").string());
  const std::shared_ptr<Target> target_ = under_test_->Open("main");
};

TEST_P(Targets, ObjectsArePutReadListedReplacedAndDeleted) {
  EXPECT_THAT(List(""), IsEmpty());
  ASSERT_TRUE(Put({"a", "2"}, "two").ok());
  ASSERT_TRUE(Put({"a", "1"}, std::string("\0one\xFF", 5)).ok());
  ASSERT_TRUE(Put({"ab", "1"}, "").ok());
  EXPECT_EQ(*Get({"a", "1"}), std::string("\0one\xFF", 5));
  EXPECT_EQ(*Get({"ab", "1"}), "");
  EXPECT_THAT(List(""), ElementsAre("a/1", "a/2", "ab/1"));
  EXPECT_THAT(List("a"), ElementsAre("a/1", "a/2", "ab/1"));
  EXPECT_THAT(List("a/"), ElementsAre("a/1", "a/2"));
  EXPECT_THAT(List("a/2"), ElementsAre("a/2"));
  EXPECT_THAT(List("b/"), IsEmpty());
  ASSERT_TRUE(Put({"a", "2"}, "replaced").ok());
  EXPECT_EQ(*Get({"a", "2"}), "replaced");
  for (const char* object : {"1", "2", "2"}) EXPECT_TRUE(target_->Delete({"a", object}, Deadline::Infinite()).ok());
  EXPECT_EQ(Get({"a", "1"}).error().code(), ErrorCode::kNotFound);
  EXPECT_THAT(List(""), ElementsAre("ab/1"));
}

TEST_P(Targets, ANewObjectIsPutWhereThereIsNone) {
  const auto put_new = [this](std::string_view bytes) {
    return target_->PutNew({"a", "1"}, bytes, Deadline::Infinite());
  };
  // Larger than a part: it is one object all the same.
  const std::string first = durability::Noise(2 * kPartBytes);
  const Status put = put_new(first);
  ASSERT_TRUE(put.ok()) << put.error().ToString();
  const Status again = put_new("second");
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().code(), ErrorCode::kAlreadyExists);
  EXPECT_EQ(again.error().message(), "there is a a/1 in " + target_->Describe() + " already");
  EXPECT_EQ(*Get({"a", "1"}), first);
  EXPECT_THAT(List(""), ElementsAre("a/1")) << "what it is tried on is no object of a backup";
  ASSERT_TRUE(target_->Delete({"a", "1"}, Deadline::Infinite()).ok());
  EXPECT_TRUE(put_new("third").ok());
  EXPECT_EQ(*Get({"a", "1"}), "third");
  // What a write left behind is nobody's object.
  under_test_->LeaveHalf({"a", "2"});
  EXPECT_TRUE(target_->PutNew({"a", "2"}, "v", Deadline::Infinite()).ok());
  EXPECT_EQ(target_->PutNew({"..", "1"}, "v", Deadline::Infinite()).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(target_->PutNew({"a", "3"}, "v", Deadline::After(std::chrono::nanoseconds{0})).error().code(),
            ErrorCode::kDeadlineExceeded);
}

TEST_P(Targets, ObjectsOfEverySizeComeBackAsTheyWere) {
  for (const std::size_t size :
       {std::size_t{1}, kPartBytes - 1, kPartBytes, kPartBytes + 1, 2 * kPartBytes, 3 * kPartBytes + 7}) {
    const std::string bytes = durability::Noise(size, static_cast<std::uint32_t>(size));
    const Status put = Put({"a", "1"}, bytes);
    ASSERT_TRUE(put.ok()) << put.error().ToString();
    EXPECT_EQ(*Get({"a", "1"}, size), bytes) << size;
    EXPECT_EQ(Get({"a", "1"}, size - 1).error().code(), ErrorCode::kResourceExhausted) << size;
    const auto listed = target_->List("a/1", Deadline::Infinite());
    ASSERT_EQ(listed->size(), 1u) << "something is left of the parts";
    EXPECT_EQ(listed->front().bytes, size);
  }
}

TEST_P(Targets, WhenAnObjectWasWrittenIsTold) {
  const Timestamp before = SystemClock().Now() - std::chrono::minutes{1};
  ASSERT_TRUE(Put({"a", "1"}, "v").ok());
  const auto listed = target_->List("", Deadline::Infinite());
  EXPECT_GT(listed->front().modified_at, before);
  EXPECT_LT(listed->front().modified_at, SystemClock().Now() + std::chrono::minutes{1});
}

TEST_P(Targets, ListsAreWholeAndInOrderHoweverLongTheyAre) {
  std::vector<std::string> names;
  for (int i = 0; i < 10; ++i) {
    names.push_back(fmt::format("b/{:08}", i));
    ASSERT_TRUE(Put({"b", names.back().substr(2)}, "v").ok());
  }
  for (int i = 10; i < 17; ++i) {
    names.push_back(fmt::format("b/{:08}", i));
    under_test_->LeaveHalf({"b", names.back().substr(2)});
  }
  EXPECT_EQ(List(""), names);
  EXPECT_EQ(List("b/"), names);
  EXPECT_EQ(List("b/0000001").size(), 7u);
}

TEST_P(Targets, NamesReachNothingElse) {
  ASSERT_TRUE(Put({"a", "1"}, "v").ok());
  for (const std::string& wrong :
       {std::string(), std::string(".."), std::string("../../outside"), std::string("A"), std::string("a.b"),
        std::string("a/1"), std::string("a\0b", 3), std::string("a?b"), std::string("a%2Fb"), std::string(64, 'a')}) {
    for (const ObjectName& name : {ObjectName{wrong, "1"}, ObjectName{"a", wrong}}) {
      EXPECT_EQ(Put(name, "x").error().code(), ErrorCode::kInvalidArgument) << wrong;
      EXPECT_EQ(Get(name).error().code(), ErrorCode::kNotFound) << wrong;
      EXPECT_EQ(target_->Delete(name, Deadline::Infinite()).error().code(), ErrorCode::kInvalidArgument) << wrong;
    }
  }
  EXPECT_THAT(List(""), ElementsAre("a/1"));
}

TEST_P(Targets, StoresDoNotSeeEachOther) {
  const auto other = under_test_->Open("mai");
  ASSERT_TRUE(Put({"a", "1"}, "ours").ok());
  EXPECT_THAT(List(*other, ""), IsEmpty());
  EXPECT_EQ(other->Get({"a", "1"}, 10, Deadline::Infinite()).error().code(), ErrorCode::kNotFound);
  ASSERT_TRUE(other->Put({"a", "1"}, "theirs", Deadline::Infinite()).ok());
  ASSERT_TRUE(other->Delete({"a", "1"}, Deadline::Infinite()).ok());
  EXPECT_EQ(*Get({"a", "1"}), "ours");
}

TEST_P(Targets, WhatAWriteLeftIsListedNotReadAndGoesWithADelete) {
  ASSERT_TRUE(Put({"a", "1"}, "v").ok());
  under_test_->LeaveHalf({"a", "2"});
  under_test_->LeaveHalf({"a", "1"});
  EXPECT_THAT(List("a/"), ElementsAre("a/1", "a/1", "a/2"));
  EXPECT_EQ(Get({"a", "2"}).error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(*Get({"a", "1"}), "v");
  for (const char* object : {"1", "2"}) EXPECT_TRUE(target_->Delete({"a", object}, Deadline::Infinite()).ok());
  EXPECT_THAT(List(""), IsEmpty());
}

TEST_P(Targets, AnExpiredDeadlineChangesNothing) {
  ASSERT_TRUE(Put({"a", "1"}, "v").ok());
  const Deadline over = Deadline::After(std::chrono::nanoseconds{0});
  EXPECT_EQ(target_->Put({"a", "1"}, "w", over).error().code(), ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(target_->Delete({"a", "1"}, over).error().code(), ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(target_->List("", over).error().code(), ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(target_->Get({"a", "1"}, 10, over).error().code(), ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(*Get({"a", "1"}), "v");
}

TEST_P(Targets, SeveralThreadsMayUseItAtOnce) {
  std::vector<std::future<bool>> all;
  for (int i = 0; i < 4; ++i) {
    all.push_back(std::async(std::launch::async, [this, i] {
      const ObjectName name{"a", std::to_string(i)};
      const std::string bytes = durability::Noise(2 * kPartBytes, static_cast<std::uint32_t>(i));
      return Put(name, bytes).ok() && Get(name).value() == bytes;
    }));
  }
  for (auto& one : all) EXPECT_TRUE(one.get());
  EXPECT_EQ(List("a/").size(), 4u);
}

class BackupsOnTargets : public Targets {
 protected:
  BackupsOnTargets() {
    backup_options_.key = KeyOf('k');
    backup_options_.create.object_bytes = 2'500;  // some of them in parts
    for (std::uint32_t i = 0; i < 6; ++i) BackupFixture::Put("k" + std::to_string(i), durability::Noise(1'000, i));
  }
};

TEST_P(BackupsOnTargets, AreMadeListedVerifiedRestoredAndPruned) {
  const auto backups = OpenBackups(target_);
  backup_options_.retention.keep_last = 1;
  const auto before = Rows();
  const storage::BackupRun made = Create(*backups, "one");
  ASSERT_FALSE(made.error) << ErrorOf(made);
  EXPECT_THAT(List("one/"), Contains("one/manifest"));
  EXPECT_GT(List("one/").size(), 4u);
  EXPECT_EQ(CodeOf(Create(*backups, "one")), ErrorCode::kAlreadyExists);
  BackupFixture::Put("k1", "changed");
  const storage::BackupRun restored = Do(*backups, BackupAction::kRestore, "one");
  ASSERT_FALSE(restored.error) << ErrorOf(restored);
  EXPECT_EQ(Rows(), before);

  clock_.Advance(std::chrono::hours{1});
  const auto strict = OpenBackups(target_);
  ASSERT_FALSE(Create(*strict, "two").error);
  EXPECT_THAT(IdsOf(*strict->List(Deadline::Infinite())), ElementsAre("two"));
  EXPECT_THAT(List("one/"), IsEmpty());
}

TEST_P(BackupsOnTargets, WhatWasLeftUnfinishedIsNoBackupAndIsPruned) {
  const auto backups = OpenBackups(target_);
  ASSERT_FALSE(Create(*backups, "whole").error);
  under_test_->LeaveHalf({"half", "aabbccdd-00000001"});
  under_test_->LeaveHalf({"nearly", std::string(kManifestObject)});
  ASSERT_TRUE(Put({"nearly", "aabbccdd-00000001"}, "v").ok());
  EXPECT_THAT(IdsOf(*backups->List(Deadline::Infinite())), ElementsAre("whole"));
  // They were written now, by the clock of the target.
  clock_.JumpTo(SystemClock().Now());
  ASSERT_FALSE(Do(*backups, BackupAction::kPrune).error);
  EXPECT_THAT(List("half/"), testing::SizeIs(1)) << "somebody may be writing it";
  clock_.Advance(std::chrono::hours{2});
  ASSERT_FALSE(Do(*backups, BackupAction::kPrune).error);
  EXPECT_THAT(List("half/"), IsEmpty());
  EXPECT_THAT(List("nearly/"), IsEmpty());
  EXPECT_THAT(IdsOf(*backups->List(Deadline::Infinite())), ElementsAre("whole"));
}

TEST_P(BackupsOnTargets, OneFlippedByteOrTruncationInAnyObjectIsCorruptionAndTouchesNothing) {
  backup_options_.verify = false;
  const auto backups = OpenBackups(target_);
  ASSERT_FALSE(Create(*backups, "one").error);
  BackupFixture::Put("k1", "live");
  const auto live = Rows();
  for (const std::string& shown : List("one/")) {
    const ObjectName name{"one", shown.substr(4)};
    const std::string sound = *Get(name);
    std::string flipped = sound;
    flipped[sound.size() / 2] = static_cast<char>(flipped[sound.size() / 2] ^ 1);
    for (const std::string& damaged : {flipped, sound.substr(0, sound.size() - 1), sound + '\n'}) {
      ASSERT_TRUE(Put(name, damaged).ok());
      EXPECT_EQ(CodeOf(Do(*backups, BackupAction::kVerify, "one")), ErrorCode::kCorruption) << shown;
      // A restore of a full one needs no index.
      if (shown.find("-index-") != std::string::npos) continue;
      EXPECT_EQ(CodeOf(Do(*backups, BackupAction::kRestore, "one")), ErrorCode::kCorruption) << shown;
      EXPECT_EQ(Rows(), live) << shown;
      EXPECT_THAT(Files(), IsEmpty()) << "an undo was taken";
    }
    ASSERT_TRUE(Put(name, sound).ok());
  }
  EXPECT_FALSE(Do(*backups, BackupAction::kRestore, "one").error) << "the control";
}

std::string NameOf(const testing::TestParamInfo<std::string>& info) {
  return info.param;
}
INSTANTIATE_TEST_SUITE_P(Places, Targets, testing::ValuesIn(TargetNames()), NameOf);
INSTANTIATE_TEST_SUITE_P(Places, BackupsOnTargets, testing::ValuesIn(TargetNames()), NameOf);

}  // namespace
}  // namespace holdfast::backup
