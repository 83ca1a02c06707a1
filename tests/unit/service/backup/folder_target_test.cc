// Objects as files: what a name reaches, what links reach, and what is left of a write that ended.
#include "service/backup/folder_target.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <atomic>
#include <thread>

#include "tests/unit/service/backup/backup_fixture.h"

namespace holdfast::backup {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class FolderTargetTest : public BackupFixture {
 protected:
  Status Put(const ObjectName& name, std::string_view bytes) { return target_->Put(name, bytes, Deadline::Infinite()); }
  Result<std::string> Get(const ObjectName& name, std::size_t most = 1'000) {
    return target_->Get(name, most, Deadline::Infinite());
  }
  std::vector<std::string> List(std::string_view prefix) {
    std::vector<std::string> names;
    const auto objects = target_->List(prefix, Deadline::Infinite());
    EXPECT_TRUE(objects.ok());
    if (!objects.ok()) return names;
    for (const StoredObject& object : *objects) names.push_back(Show(object.name));
    return names;
  }

  const std::shared_ptr<Target> target_ = OpenTarget();
};

TEST_F(FolderTargetTest, ObjectsArePutReadListedAndDeleted) {
  EXPECT_THAT(List(""), IsEmpty());
  EXPECT_FALSE(std::filesystem::exists(folder_ / "backups")) << "made before it is needed";
  ASSERT_TRUE(Put({"a", "2"}, "two").ok());
  ASSERT_TRUE(Put({"a", "1"}, std::string("\0one", 4)).ok());
  ASSERT_TRUE(Put({"ab", "1"}, "").ok());
  EXPECT_EQ(*Get({"a", "1"}), std::string("\0one", 4));
  EXPECT_EQ(*Get({"ab", "1"}), "");
  EXPECT_THAT(List(""), ElementsAre("a/1", "a/2", "ab/1"));
  EXPECT_THAT(List("a"), ElementsAre("a/1", "a/2", "ab/1"));
  EXPECT_THAT(List("a/"), ElementsAre("a/1", "a/2"));
  EXPECT_THAT(List("a/2"), ElementsAre("a/2"));
  EXPECT_THAT(List("b/"), IsEmpty());
  ASSERT_TRUE(Put({"a", "2"}, "replaced").ok());
  EXPECT_EQ(*Get({"a", "2"}), "replaced");
  EXPECT_EQ(target_->List("a/2", Deadline::Infinite())->front().bytes, 8U);
  EXPECT_EQ(Get({"a", "2"}, 7).error().code(), ErrorCode::kResourceExhausted);
  EXPECT_TRUE(Get({"a", "2"}, 8).ok());
  for (const char* object : {"1", "2", "2"}) EXPECT_TRUE(target_->Delete({"a", object}, Deadline::Infinite()).ok());
  EXPECT_EQ(Get({"a", "1"}).error().code(), ErrorCode::kNotFound);
  EXPECT_FALSE(std::filesystem::exists(BackupFolder("a"))) << "the empty folder stays";
}

TEST_F(FolderTargetTest, OfSeveralThatPutANewOneAtOnceOneDoes) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 5;
  for (int round = 0; round < kRounds; ++round) {
    const ObjectName name{"a", "new" + std::to_string(round)};
    std::atomic<int> ready{0};
    std::atomic<int> put{0};
    std::string winner;
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&, mine = std::to_string(i)] {
        ++ready;
        while (ready < kThreads) std::this_thread::yield();
        const Status done = target_->PutNew(name, mine, Deadline::Infinite());
        if (done.ok() && ++put == 1) winner = mine;
        if (!done.ok()) {
          EXPECT_EQ(done.error().code(), ErrorCode::kAlreadyExists) << done.error().ToString();
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(put, 1);
    EXPECT_EQ(*Get(name), winner);
  }
  EXPECT_THAT(List("a/"), ElementsAre("a/new0", "a/new1", "a/new2", "a/new3", "a/new4")) << "something else was left";
  EXPECT_EQ(target_->PutNew({"..", "x"}, "", Deadline::Infinite()).error().code(), ErrorCode::kInvalidArgument);
}

TEST_F(FolderTargetTest, NamesReachNothingElse) {
  ASSERT_TRUE(Put({"a", "1"}, "v").ok());
  durability::WriteFile(folder_ / "outside", "secret");
  for (const std::string& wrong :
       {std::string(), std::string(".."), std::string("."), std::string("../../outside"), std::string("/etc/passwd"),
        std::string("A"), std::string("a.b"), std::string("a/1"), std::string("a\0b", 3), std::string(64, 'a')}) {
    for (const ObjectName& name : {ObjectName{wrong, "1"}, ObjectName{"a", wrong}}) {
      EXPECT_EQ(Put(name, "x").error().code(), ErrorCode::kInvalidArgument) << wrong;
      EXPECT_EQ(Get(name).error().code(), ErrorCode::kNotFound) << wrong;
      EXPECT_EQ(target_->Delete(name, Deadline::Infinite()).error().code(), ErrorCode::kInvalidArgument) << wrong;
    }
  }
  EXPECT_EQ(durability::ReadFile(folder_ / "outside"), "secret");
}

TEST_F(FolderTargetTest, PlantedLinksAndPipesAreNotFollowed) {
  ASSERT_TRUE(Put({"a", "1"}, "v").ok());
  std::filesystem::create_directories(folder_ / "elsewhere");
  durability::WriteFile(folder_ / "elsewhere" / "1", "secret");
  std::filesystem::create_symlink(folder_ / "elsewhere", BackupFolder("link"));
  std::filesystem::create_symlink(folder_ / "elsewhere" / "1", BackupFolder("a") / "2");
  std::filesystem::create_symlink(folder_ / "elsewhere" / "new", BackupFolder("a") / "3.partial");
  ASSERT_EQ(0, ::mkfifo((BackupFolder("a") / "4").c_str(), 0600));
  EXPECT_THAT(List(""), ElementsAre("a/1"));
  for (const ObjectName& name : {ObjectName{"link", "1"}, ObjectName{"a", "2"}, ObjectName{"a", "4"}}) {
    EXPECT_FALSE(Get(name).ok()) << Show(name);
  }
  EXPECT_FALSE(Put({"link", "2"}, "x").ok());
  EXPECT_FALSE(target_->Delete({"link", "1"}, Deadline::Infinite()).ok());
  ASSERT_TRUE(Put({"a", "2"}, "mine").ok());
  ASSERT_TRUE(Put({"a", "3"}, "mine").ok());
  EXPECT_EQ(durability::ReadFile(folder_ / "elsewhere" / "1"), "secret");
  EXPECT_FALSE(std::filesystem::exists(folder_ / "elsewhere" / "new")) << "a link was written through";
  EXPECT_TRUE(target_->Delete({"a", "2"}, Deadline::Infinite()).ok());
  EXPECT_TRUE(std::filesystem::exists(folder_ / "elsewhere" / "1")) << "what the link led to is gone";
}

TEST_F(FolderTargetTest, WhatAWriteLeftIsListedNotReadAndGoesWithADelete) {
  ASSERT_TRUE(Put({"a", "1"}, "v").ok());
  durability::WriteFile(BackupFolder("a") / "2.partial", "half");
  EXPECT_THAT(List("a/"), ElementsAre("a/1", "a/2"));
  EXPECT_EQ(Get({"a", "2"}).error().code(), ErrorCode::kNotFound);
  for (const char* object : {"1", "2"}) EXPECT_TRUE(target_->Delete({"a", object}, Deadline::Infinite()).ok());
  EXPECT_FALSE(std::filesystem::exists(BackupFolder("a")));
}

TEST_F(FolderTargetTest, AnExpiredDeadlineChangesNothing) {
  ASSERT_TRUE(Put({"a", "1"}, "v").ok());
  const Deadline over = Deadline::After(std::chrono::nanoseconds{0});
  EXPECT_EQ(target_->Put({"a", "1"}, "w", over).error().code(), ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(target_->Delete({"a", "1"}, over).error().code(), ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(target_->List("", over).error().code(), ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(*Get({"a", "1"}), "v");
}

}  // namespace
}  // namespace holdfast::backup
