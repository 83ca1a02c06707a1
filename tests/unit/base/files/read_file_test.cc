#include "base/files/read_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace holdfast::files {
namespace {

using testing::HasSubstr;

class ReadFileTest : public testing::Test {
 protected:
  ReadFileTest() {
    std::string folder = (std::filesystem::temp_directory_path() / "holdfast-files-XXXXXX").string();
    EXPECT_NE(mkdtemp(folder.data()), nullptr);
    folder_ = folder;
  }
  ~ReadFileTest() override { std::filesystem::remove_all(folder_); }

  std::string Write(const std::string& text) const {
    std::ofstream(folder_ / "file", std::ios::binary) << text;
    return (folder_ / "file").string();
  }

  std::filesystem::path folder_;
};

TEST_F(ReadFileTest, GivesAllBytes) {
  EXPECT_EQ("", ReadFile(Write(""), 10).value());
  EXPECT_EQ(std::string("a\0\n", 3), ReadFile(Write(std::string("a\0\n", 3)), 10).value());
  const std::string large(200'000, 'x');
  EXPECT_EQ(large, ReadFile(Write(large), large.size()).value());
}

TEST_F(ReadFileTest, OneByteMoreThanTheLimitIsTooMuch) {
  const auto read = ReadFile(Write("12345"), 4);
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(ErrorCode::kResourceExhausted, read.error().code());
  EXPECT_THAT(read.error().message(), HasSubstr("larger than 4 bytes"));
}

TEST_F(ReadFileTest, WhatIsNotThereIsNotFound) {
  const auto read = ReadFile((folder_ / "none").string(), 4);
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(ErrorCode::kNotFound, read.error().code());
}

// It opens, and reading it fails: programs that were given a folder ended by an exception.
TEST_F(ReadFileTest, AFolderIsRefused) {
  const auto read = ReadFile(folder_.string(), 4);
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(ErrorCode::kFailedPrecondition, read.error().code());
  EXPECT_THAT(read.error().message(), HasSubstr(folder_.string()));
}

TEST_F(ReadFileTest, AStreamIsReadToItsEnd) {
  std::istringstream stream("abc");
  EXPECT_EQ("abc", ReadStream(stream, "standard input", 3).value());
  std::istringstream more("abcd");
  EXPECT_THAT(ReadStream(more, "standard input", 3).error().message(), HasSubstr("standard input is larger"));
}

}  // namespace
}  // namespace holdfast::files
