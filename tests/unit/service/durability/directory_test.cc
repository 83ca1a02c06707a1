// Ids and planted files: nothing outside the folder is opened, read or removed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/unit/service/durability/checkpoint_bytes.h"
#include "tests/unit/service/durability/store_fixture.h"

namespace holdfast::durability {
namespace {

class DirectoryTest : public StoreFixture {
 protected:
  const CheckpointDirectory directory_{options_.directory, "main"};
};

std::vector<std::string> WrongIds() {
  return {"",
          "../../etc/passwd",
          "/etc/passwd",
          "..",
          ".",
          "a/b",
          "A",
          "a.b",
          "a b",
          "a\nb",
          std::string("a\0b", 3),
          "CON",
          "\xc3\xa4",
          std::string(64, 'a'),
          std::string(4096, 'a')};
}

TEST_F(DirectoryTest, IdsAreAFewLettersDigitsAndDashes) {
  for (const char* id : {"a", "0", "-", "nightly-1", "20261122t152321z-9f86d0"}) EXPECT_TRUE(IsCheckpointId(id)) << id;
  EXPECT_TRUE(IsCheckpointId(std::string(63, 'a')));
  EXPECT_TRUE(IsCheckpointId(MakeCheckpointId(clock_.Now())));
  for (const std::string& id : WrongIds()) EXPECT_FALSE(IsCheckpointId(id)) << id;
}

TEST_F(DirectoryTest, WrongIdsReachNothing) {
  Put("k", "v");
  auto checkpoints = Open();
  ASSERT_TRUE(checkpoints->Create("one", Deadline::Infinite()).ok());
  // What the wrong ids would reach.
  WriteFile(folder_ / "outside.checkpoint", ReadFile(FileOf("one")));
  for (std::string id : WrongIds()) {
    EXPECT_EQ(directory_.Get(id).error().code(), ErrorCode::kNotFound) << id;
    EXPECT_EQ(directory_.Open(id).error().code(), ErrorCode::kNotFound) << id;
    EXPECT_EQ(directory_.Remove(id).error().code(), ErrorCode::kNotFound) << id;
    EXPECT_EQ(directory_.Begin(id).error().code(), ErrorCode::kInvalidArgument) << id;
  }
  EXPECT_EQ(directory_.Get("../../outside").error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(directory_.Remove("../../outside").error().code(), ErrorCode::kNotFound);
  EXPECT_TRUE(std::filesystem::exists(folder_ / "outside.checkpoint"));
}

TEST_F(DirectoryTest, PlantedLinksAndPipesAreNotFollowed) {
  Put("k", "v");
  auto checkpoints = Open();
  ASSERT_TRUE(checkpoints->Create("one", Deadline::Infinite()).ok());
  const std::string sound = ReadFile(FileOf("one"));
  WriteFile(folder_ / "outside", sound);
  std::filesystem::create_symlink(folder_ / "outside", FileOf("link"));
  std::filesystem::create_symlink(folder_ / "target", StoreFolder() / "draft.checkpoint.partial");
  std::filesystem::create_symlink(folder_ / "target", StoreFolder() / "one.validated.partial");
  ASSERT_EQ(0, ::mkfifo(FileOf("pipe").c_str(), 0600));
  std::filesystem::create_directory(FileOf("folder"));
  for (const char* id : {"link", "pipe", "folder"}) {
    EXPECT_EQ(directory_.Get(id).error().code(), ErrorCode::kNotFound) << id;
    EXPECT_EQ(directory_.Open(id).error().code(), ErrorCode::kNotFound) << id;
  }
  EXPECT_EQ(directory_.List()->size(), 1U);
  {
    auto draft = directory_.Begin("draft");
    ASSERT_TRUE(draft.ok()) << draft.error().ToString();
    ASSERT_TRUE(draft->Write(sound).ok());
    ASSERT_TRUE(draft->Commit().ok());
  }
  ASSERT_TRUE(checkpoints->Validate("one", Deadline::Infinite()).ok());
  EXPECT_FALSE(std::filesystem::exists(folder_ / "target")) << "a link was written through";
  EXPECT_TRUE(directory_.Get("draft").ok());
  EXPECT_TRUE(directory_.Remove("link").ok());
  EXPECT_EQ(ReadFile(folder_ / "outside"), sound) << "what the link led to is gone";
}

TEST_F(DirectoryTest, AStoresFolderThatIsALinkIsRefused) {
  std::filesystem::create_directories(folder_ / "checkpoints");
  std::filesystem::create_directories(folder_ / "elsewhere");
  std::filesystem::create_symlink(folder_ / "elsewhere", StoreFolder());
  EXPECT_EQ(directory_.Begin("one").error().code(), ErrorCode::kUnavailable);
  EXPECT_FALSE(directory_.List().ok());
  EXPECT_TRUE(std::filesystem::is_empty(folder_ / "elsewhere"));
}

TEST_F(DirectoryTest, ADraftThatIsNotCommittedLeavesNothing) {
  {
    auto draft = directory_.Begin("one");
    ASSERT_TRUE(draft.ok());
    ASSERT_TRUE(draft->Write("half").ok());
  }
  EXPECT_THAT(Files(), testing::ElementsAre());
}

TEST_F(DirectoryTest, NothingIsMadeBeforeTheFirst) {
  EXPECT_TRUE(directory_.List()->empty());
  EXPECT_TRUE(directory_.Clean().ok());
  EXPECT_FALSE(directory_.FindRestore()->has_value());
  EXPECT_EQ(directory_.Get("one").error().code(), ErrorCode::kNotFound);
  EXPECT_FALSE(std::filesystem::exists(options_.directory));
}

TEST_F(DirectoryTest, ADamagedOneIsListedAsThat) {
  Put("k", "v");
  ASSERT_TRUE(Open()->Create("one", Deadline::Infinite()).ok());
  const std::string sound = ReadFile(FileOf("one"));
  for (const std::string& bytes : {std::string(), sound.substr(0, 10), sound.substr(0, sound.size() - 1)}) {
    WriteFile(FileOf("one"), bytes);
    const auto all = directory_.List();
    ASSERT_TRUE(all.ok());
    ASSERT_EQ(all->size(), 1U);
    EXPECT_TRUE(all->front().damage.has_value());
  }
}

TEST_F(DirectoryTest, AMarkOfAnotherFileDoesNotCount) {
  Put("k", "v");
  auto checkpoints = Open();
  ASSERT_TRUE(checkpoints->Create("one", Deadline::Infinite()).ok());
  Put("k", "w");
  ASSERT_TRUE(checkpoints->Create("two", Deadline::Infinite()).ok());
  EXPECT_TRUE(directory_.Get("one")->validated_at.has_value());
  std::filesystem::copy_file(FileOf("two"), FileOf("one"), std::filesystem::copy_options::overwrite_existing);
  EXPECT_FALSE(directory_.Get("one")->validated_at.has_value());
}

}  // namespace
}  // namespace holdfast::durability
