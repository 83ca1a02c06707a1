#include "service/durability/store_lock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>

namespace holdfast::durability {
namespace {

class StoreLockTest : public testing::Test {
 protected:
  StoreLockTest() {
    std::string name = (std::filesystem::temp_directory_path() / "holdfast-lock-XXXXXX").string();
    EXPECT_NE(nullptr, ::mkdtemp(name.data()));
    path_ = name;
  }
  ~StoreLockTest() override { std::filesystem::remove_all(path_); }
  Folder Open() const { return Folder::Make(path_).value(); }
  // As another instance would find it.
  bool IsFree() const {
    const auto lock = StoreLock::Try(Open());
    EXPECT_TRUE(lock.ok()) << lock.error().ToString();
    return lock.ok() && lock->has_value();
  }

  std::filesystem::path path_;
};

TEST_F(StoreLockTest, OneHasItAndTheNextWhenThatGoes) {
  {
    const auto held = StoreLock::Try(Open());
    ASSERT_TRUE(held.ok() && *held);
    EXPECT_FALSE(IsFree());
    const auto late = StoreLock::Wait(Open(), Deadline::After(std::chrono::milliseconds{1}));
    EXPECT_EQ(late.error().code(), ErrorCode::kDeadlineExceeded);
  }
  EXPECT_TRUE(IsFree());
  EXPECT_TRUE(StoreLock::Wait(Open(), Deadline::After({})).ok());
}

// A child that holds it, and says so on `ready`.
pid_t Holder(const std::filesystem::path& path, int ready) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  const auto folder = Folder::Make(path);
  const auto held = StoreLock::Try(*folder);
  const char answer = held.ok() && *held ? 'y' : 'n';
  if (::write(ready, &answer, 1) != 1) ::_exit(1);
  while (true) ::pause();
}

TEST_F(StoreLockTest, AnotherProcessHasItUntilItIsKilled_fault) {
  int ends[2] = {};
  ASSERT_EQ(0, ::pipe(ends));
  const pid_t child = Holder(path_, ends[1]);
  ASSERT_GT(child, 0);
  char answer = 0;
  ASSERT_EQ(1, ::read(ends[0], &answer, 1));
  EXPECT_EQ(answer, 'y');
  EXPECT_FALSE(IsFree());
  // One that stands still has it too.
  ASSERT_EQ(0, ::kill(child, SIGSTOP));
  siginfo_t stopped{};
  ASSERT_EQ(0, ::waitid(P_PID, static_cast<id_t>(child), &stopped, WSTOPPED));
  EXPECT_FALSE(IsFree());
  ASSERT_EQ(0, ::kill(child, SIGKILL));
  ASSERT_EQ(child, ::waitpid(child, nullptr, 0));
  EXPECT_TRUE(IsFree());
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_F(StoreLockTest, PlantedLinksAndPipesAreRefused) {
  std::filesystem::create_symlink(path_ / "elsewhere", path_ / "lock");
  EXPECT_EQ(StoreLock::Try(Open()).error().code(), ErrorCode::kUnavailable);
  EXPECT_FALSE(std::filesystem::exists(path_ / "elsewhere"));
  std::filesystem::remove(path_ / "lock");
  ASSERT_EQ(0, ::mkfifo((path_ / "lock").c_str(), 0600));
  EXPECT_EQ(StoreLock::Try(Open()).error().code(), ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace holdfast::durability
