// What a run finds that goes on from where another one ended.
#include "service/transfer/resume_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace holdfast::transfer {
namespace {

class ResumeFileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "resume-XXXXXX").string();
    ASSERT_NE(nullptr, ::mkdtemp(name.data()));
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string Path() const { return (folder_ / "state").string(); }
  void Write(const std::string& text) const { std::ofstream(Path()) << text; }

  std::filesystem::path folder_;
};

TEST_F(ResumeFileTest, HasWhatWasSavedLast) {
  auto file = ResumeFile::Open(Path(), "copy a to b");
  ASSERT_TRUE(file.ok());
  EXPECT_FALSE(file->resumed());
  ASSERT_TRUE(file->Save({"first", 1, 0}).ok());
  const std::string cursor("\xff\x00\"k", 4);
  ASSERT_TRUE(file->Save({cursor, 1'000'000, 3}).ok());
  const auto next = ResumeFile::Open(Path(), "copy a to b");
  ASSERT_TRUE(next.ok());
  EXPECT_TRUE(next->resumed());
  EXPECT_EQ(cursor, next->reached().cursor);
  EXPECT_EQ(1'000'000u, next->reached().items);
  EXPECT_EQ(3u, next->reached().failed);
}

TEST_F(ResumeFileTest, IsNotTakenForThatOfAnotherRun) {
  ASSERT_TRUE(ResumeFile::Open(Path(), "copy a to b")->Save({"k", 1, 0}).ok());
  const auto other = ResumeFile::Open(Path(), "copy a to c");
  ASSERT_FALSE(other.ok());
  EXPECT_NE(std::string::npos, other.error().ToString().find("another run (copy a to b; this one: copy a to c)"));
}

TEST_F(ResumeFileTest, ThatNobodyWroteIsRefusedAndLeftAsItIs) {
  for (const char* text : {"", "items", "[]", "{}", R"({"run":"r"})", R"({"run":"r","cursor":"0"})",
                           R"({"run":"r","cursor":"zz"})", R"({"run":1,"cursor":2})"}) {
    Write(text);
    const auto file = ResumeFile::Open(Path(), "r");
    ASSERT_FALSE(file.ok()) << text;
    EXPECT_EQ(ErrorCode::kInvalidArgument, file.error().code());
  }
}

TEST_F(ResumeFileTest, IsGoneWhenTheRunIsComplete) {
  auto file = ResumeFile::Open(Path(), "r");
  ASSERT_TRUE(file->Save({"k", 1, 0}).ok());
  ASSERT_TRUE(file->Remove().ok());
  EXPECT_FALSE(std::filesystem::exists(Path()));
  EXPECT_FALSE(ResumeFile::Open(Path(), "r")->resumed());
}

TEST_F(ResumeFileTest, ThatCannotBeWrittenIsAnError) {
  auto file = ResumeFile::Open((folder_ / "no" / "state").string(), "r");
  ASSERT_TRUE(file.ok());
  EXPECT_FALSE(file->Save({"k", 1, 0}).ok());
}

}  // namespace
}  // namespace holdfast::transfer
