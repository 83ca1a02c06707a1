// Keys out of files, and what is said of files that hold none.
#include "service/s3/credentials.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace holdfast::s3 {
namespace {

using testing::HasSubstr;
using testing::Not;

class Credentials : public testing::Test {
 protected:
  Credentials() {
    options_.access_key_file = Write("access", "AKIA\n");
    options_.secret_key_file = Write("secret", "s3cr/et+=\r\n");
  }
  ~Credentials() override {
    std::filesystem::remove(options_.access_key_file);
    std::filesystem::remove(options_.secret_key_file);
  }
  static std::string Write(const std::string& name, const std::string& text) {
    const auto path = std::filesystem::temp_directory_path() / ("holdfast-s3-" + name + std::to_string(::getpid()));
    std::ofstream(path, std::ios::binary) << text;
    return path.string();
  }

  BucketOptions options_;
};

TEST_F(Credentials, AreTheLinesOfTheirFilesAndReadAnewEachTime) {
  EXPECT_EQ(ReadSigningKey(options_)->access_key, "AKIA");
  EXPECT_EQ(ReadSigningKey(options_)->secret_key, "s3cr/et+=");
  Write("secret", "rotated");
  EXPECT_EQ(ReadSigningKey(options_)->secret_key, "rotated");
}

TEST_F(Credentials, WhatIsNoneIsRefusedWithoutItsContents) {
  for (const std::string& wrong :
       {std::string(), std::string("\n"), std::string("hush hush"), std::string("hush\nhush"), std::string("hush\0", 5),
        std::string(kMaxKeyBytes + 1, 'h')}) {
    Write("secret", wrong);
    const auto key = ReadSigningKey(options_);
    ASSERT_FALSE(key.ok()) << wrong;
    EXPECT_EQ(key.error().code(), ErrorCode::kFailedPrecondition);
    EXPECT_THAT(key.error().message(), HasSubstr("backups.s3.secret_key_file"));
    EXPECT_THAT(key.error().message(), HasSubstr(options_.secret_key_file));
    EXPECT_THAT(key.error().message(), Not(HasSubstr("hush")));
  }
  std::filesystem::remove(options_.access_key_file);
  EXPECT_THAT(ReadSigningKey(options_).error().message(), HasSubstr("backups.s3.access_key_file"));
}

TEST_F(Credentials, TheLongestIsTaken) {
  Write("secret", std::string(kMaxKeyBytes, 'k') + '\n');
  EXPECT_EQ(ReadSigningKey(options_)->secret_key.size(), kMaxKeyBytes);
}

}  // namespace
}  // namespace holdfast::s3
