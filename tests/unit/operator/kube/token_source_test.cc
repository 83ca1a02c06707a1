#include "operator/kube/token_source.h"

#include "tests/unit/operator/kube/temporary_directory.h"

namespace holdfast::kube {
namespace {

TEST(TokenSource, FixedTokensStay) {
  const auto token = MakeFixedToken("abc");
  EXPECT_EQ(token->Token(), "abc");
  EXPECT_FALSE(token->Renew("abc"));
}

TEST(TokenSource, AChangedFileIsReadAtOnce) {
  const TemporaryDirectory directory;
  const std::string path = directory.Write("token", "first\n");
  const auto token = OpenTokenFile(path);
  ASSERT_TRUE(token.ok());
  EXPECT_EQ((*token)->Token(), "first");
  directory.Write("token", "second-token\n");
  EXPECT_EQ((*token)->Token(), "second-token");
}

TEST(TokenSource, ASwappedSymbolicLinkIsSeen) {
  const TemporaryDirectory directory;
  directory.Write("..2026_1/token", "same-length-1");
  directory.Write("..2026_2/token", "same-length-2");
  std::filesystem::create_symlink(directory.Path("..2026_1"), directory.Path("..data"));
  std::filesystem::create_symlink("..data/token", directory.Path("token"));
  const auto token = OpenTokenFile(directory.Path("token"));
  ASSERT_TRUE(token.ok());
  EXPECT_EQ((*token)->Token(), "same-length-1");
  std::filesystem::create_symlink(directory.Path("..2026_2"), directory.Path("..data_tmp"));
  std::filesystem::rename(directory.Path("..data_tmp"), directory.Path("..data"));
  EXPECT_EQ((*token)->Token(), "same-length-2");
}

// A file system whose times are too coarse to tell: same inode, same size, same time.
TEST(TokenSource, AnUnseenChangeIsReadWithinTheIntervalOrOnRefusal) {
  const TemporaryDirectory directory;
  ManualClock clock;
  const std::string path = directory.Write("token", "aaaaa");
  const auto written = std::filesystem::last_write_time(path);
  const auto token = OpenTokenFile(path, clock);
  ASSERT_TRUE(token.ok());
  directory.Write("token", "bbbbb");
  std::filesystem::last_write_time(path, written);
  EXPECT_EQ((*token)->Token(), "aaaaa");
  clock.Advance(kTokenRereadInterval);
  EXPECT_EQ((*token)->Token(), "bbbbb");
  directory.Write("token", "ccccc");
  std::filesystem::last_write_time(path, written);
  EXPECT_TRUE((*token)->Renew("bbbbb"));
  EXPECT_EQ((*token)->Token(), "ccccc");
  EXPECT_FALSE((*token)->Renew("ccccc"));
}

TEST(TokenSource, AMissingOrEmptyFileKeepsTheLastToken) {
  const TemporaryDirectory directory;
  const std::string path = directory.Write("token", "good");
  const auto token = OpenTokenFile(path);
  ASSERT_TRUE(token.ok());
  std::filesystem::remove(path);
  EXPECT_EQ((*token)->Token(), "good");
  directory.Write("token", "\n");
  EXPECT_EQ((*token)->Token(), "good");
  EXPECT_FALSE((*token)->Renew("good"));
  directory.Write("token", "better");
  EXPECT_EQ((*token)->Token(), "better");
}

TEST(TokenSource, UnusableFilesAreRefusedAtOnceAndNotRepeated) {
  const TemporaryDirectory directory;
  EXPECT_EQ(OpenTokenFile(directory.Path("none")).error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(OpenTokenFile(directory.Write("empty", " \n")).error().code(), ErrorCode::kInvalidArgument);
  const auto two = OpenTokenFile(directory.Write("two", "canary\r\nX-Evil: 1"));
  ASSERT_FALSE(two.ok());
  EXPECT_EQ(two.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(two.error().message().find("canary"), std::string::npos);
  EXPECT_EQ(OpenTokenFile(directory.Write("huge", std::string(kTokenMaxBytes + 1, 'x'))).error().code(),
            ErrorCode::kResourceExhausted);
}

}  // namespace
}  // namespace holdfast::kube
