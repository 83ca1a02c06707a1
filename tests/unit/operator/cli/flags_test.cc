#include "operator/cli/flags.h"

#include <sstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace holdfast::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class FlagsTest : public ::testing::Test {
 protected:
  bool Parse(const std::vector<std::string>& arguments) {
    return ParseFlags("program", arguments,
                      {RepeatedFlag({"-f", "--filename"}, &files_), TextFlag({"--root"}, &root_),
                       NumberFlag({"--port"}, 0, 65535, &port_), SwitchFlag({"--once"}, &once_)},
                      error_);
  }

  std::vector<std::string> files_;
  std::string root_;
  int port_ = -1;
  bool once_ = false;
  std::ostringstream error_;
};

TEST_F(FlagsTest, ReadsEverySpelling) {
  ASSERT_TRUE(Parse({"-f", "a", "--filename", "b", "--filename=c=d", "--root", "-", "--port=0", "--once"}));
  EXPECT_THAT(files_, ElementsAre("a", "b", "c=d"));
  EXPECT_EQ(root_, "-");
  EXPECT_EQ(port_, 0);
  EXPECT_TRUE(once_);
  EXPECT_EQ(error_.str(), "");
}

TEST_F(FlagsTest, ReportsEverythingThatIsWrong) {
  EXPECT_FALSE(Parse({"--bogus", "--port", "65536", "--port=8x", "--once=yes", "--root="}));
  EXPECT_THAT(error_.str(), HasSubstr("program: there is no flag --bogus"));
  EXPECT_THAT(error_.str(), HasSubstr("--port must be a whole number from 0 to 65535, not 65536"));
  EXPECT_THAT(error_.str(), HasSubstr("not 8x"));
  EXPECT_THAT(error_.str(), HasSubstr("--once takes no value"));
  EXPECT_THAT(error_.str(), HasSubstr("--root needs a value"));
}

TEST_F(FlagsTest, AValueMayBeMissing) {
  EXPECT_FALSE(Parse({"-f"}));
  EXPECT_THAT(error_.str(), HasSubstr("-f needs a value"));
}

}  // namespace
}  // namespace holdfast::cli
